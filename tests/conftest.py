"""What all tests share: the environment of built notebooks, and how Hypothesis searches."""

import ast
import hashlib
import json
import os
from collections import Counter
from datetime import date
from importlib.metadata import version
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import kernel

# Before any test module imports TensorFlow, and for the kernels that nbval starts.
os.environ.update(kernel.environment())

# `make test` gives the same verdict twice; weekly.yml looks further: --hypothesis-profile=search.
slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
settings.register_profile("book", deadline=None, derandomize=True, suppress_health_check=slow)
settings.register_profile(
    "search", deadline=None, max_examples=200, print_blob=True, suppress_health_check=slow
)
settings.load_profile("book")


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return Path(__file__).resolve().parents[1]


# Files that take minutes. The first needs the website, which the second need not wait for.
LONG = "site/test_accessible.py", "site/test_jupyterlab.py", "site/test_pdf.py", "test_surface.py"


def pytest_collection_modifyitems(config, items):
    """Shared among processes, long files go first, lest one be left alone with them at the end."""
    if hasattr(config, "workerinput"):
        place = {ROOT / "tests" / name: k for k, name in enumerate(LONG)}
        is_short = lambda path: len(LONG) + (path.suffix != ".ipynb")
        items.sort(key=lambda item: place.get(item.path, is_short(item.path)))


# --- make test-long: --part 0.1 draws a tenth of the examples below and adds them to the record ---

WHOLE = {"eager": 10_000, "graph": 500, "xla": 100}  # examples of each layer
ROOT = Path(__file__).resolve().parents[1]
RECORD = ROOT / "records" / "conformance.json"
LIBRARY = "cell dropout rnn gru lstm fast recurrent bidirectional compose layers match".split()


def pytest_addoption(parser):
    parser.addoption("--part", type=float, help="of the long run: 0.1 is a tenth of its examples")


def digest_of_layers() -> str:
    """Changes with the code of the layers, not with its comments or its layout."""
    texts = [(ROOT / "d2lutils" / f"{name}.py").read_text(encoding="utf-8") for name in LIBRARY]
    code = "\n".join(ast.dump(ast.parse(text)) for text in texts)
    return hashlib.sha256(code.encode()).hexdigest()[:12]


class Conformance:
    """How many examples to draw, and how many held; a long run adds its own to the record."""

    def __init__(self, part: float | None) -> None:
        self.part, self.held = part, Counter()

    def examples(self, mode: str, few: int) -> int:
        return few if self.part is None else round(self.part * WHOLE[mode])

    def count(self, layer: str, mode: str) -> None:
        self.held[layer, mode] += 1

    def record(self) -> None:
        """Add to the record, which begins anew when the layers or a version changed."""
        about = {
            "layers": digest_of_layers(),
            "versions": {name: version(name) for name in ("keras", "tensorflow")},
        }
        old = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.is_file() else {}
        examples = old["examples"] if {k: old.get(k) for k in about} == about else {}
        for (layer, mode), number in sorted(self.held.items()):
            counts = examples.setdefault(layer, {})
            counts[mode] = counts.get(mode, 0) + number
        record = {**about, "date": date.today().isoformat(), "examples": examples}
        RECORD.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


@pytest.fixture
def conformance(request):
    """Recorded test by test, and only if the test held."""
    counted = Conformance(request.config.getoption("--part"))
    yield counted
    if counted.part is not None and not request.node.failed:
        counted.record()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    item.failed = getattr(item, "failed", False) or report.failed
    return report
