"""Would the tests notice?  One fault after another is planted in the layers, and the tests run.

python tools/mutants.py                       in all modules (an hour or more); adds to the record
python tools/mutants.py gru lstm              in these
python tools/mutants.py gru --only 17 40      these faults alone, with what pytest says; no record
python tools/mutants.py gru --quick           without the slow tests
python tools/mutants.py gru --survivors       again what survived without a reason

records/mutants.json keeps the score of each module and every fault that no test caught;
records/mutants.yml says, by hand, why such a fault changes nothing.

mutmut and cosmic-ray would do for other code. But a new process for every fault would import
TensorFlow each time, eight seconds before the first test; and mutmut's trampolines in place of
functions change the call signatures that Keras, our cells and the tests inspect. Here one process
imports TensorFlow, computes nothing, and forks for each fault a child that imports the changed
module.

Tests run in a copy of the repository, so that one may go on editing: first the quick ones, with a
few of the random examples; then, where nothing is caught and nobody has given a reason, trainings
and all examples. XLA's tests are left out: it compiles the graph that the others run. A test that
fails, dies or does not end has caught the fault.
"""

import argparse
import contextlib
import datetime
import gc
import importlib.abc
import importlib.util
import io
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import hypothesis
import pytest
import yaml

import kernel
from chapters import write
from faults import Fault, faults
from library import BookError, digest

ROOT = Path(__file__).resolve().parents[1]
RECORD = ROOT / "records" / "mutants.json"
REASONS = ROOT / "records" / "mutants.yml"
PACKAGE = "d2lutils"
MODULES = "rnn gru lstm bidirectional compose cell dropout fast recurrent layers match".split()
TESTS = "conformance layers fast protocol surface differences planted".split()
BOOK = "text", "chapters"  # which some tests read
PACKAGES = ("keras", "tensorflow")
TRAININGS = "same_seed or train_save_load or mixed_precision"  # the slow tests
FEW = {"eager": 5, "graph": 2, "xla": 0}  # examples for each layer in the quick tests
ARGUMENTS = ["--quiet", "--no-header", "-p", "no:cacheprovider", "--hypothesis-profile=planted"]
DIED = "(died, or did not end)"
PATIENCE = 30.0  # seconds of computing for a test, or ten times what it takes without a fault


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("modules", nargs="*", help=f"of: {', '.join(MODULES)}")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--most", type=int, help="of each module only so many faults, by lot")
    parser.add_argument("--only", type=int, nargs="+", metavar="N", help="these faults of a module")
    parser.add_argument("--survivors", action="store_true")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    try:
        if unknown := ", ".join(name for name in options.modules if name not in MODULES):
            raise BookError(f"{unknown}: expected some of {', '.join(MODULES)}")
        with tempfile.TemporaryDirectory() as folder:
            run(Laboratory(copy(Path(folder))), options)
    except BookError as error:
        sys.exit(str(error))
    print(table())


def run(laboratory: "Laboratory", options: argparse.Namespace) -> None:
    for name in options.modules or MODULES:
        source = (laboratory.root / PACKAGE / f"{name}.py").read_text(encoding="utf-8")
        possible = faults(source)
        if options.only:
            chosen = [possible[number] for number in options.only]
            survivors = laboratory.survivors(name, chosen, options)
            for fault in chosen:
                print(f"{'survived' if fault in survivors else 'caught'}  {describe(name, fault)}")
        elif options.survivors:
            again, others = survived_before(name, source, possible)
            survivors = others + laboratory.survivors(name, again, options)
            keep(name, source, len(possible), recorded()["modules"][name]["planted"], survivors)
        else:
            chosen = possible
            if options.most and len(possible) > options.most:
                chosen = random.Random(0).sample(possible, options.most)
            survivors = laboratory.survivors(name, chosen, options)
            keep(name, source, len(possible), len(chosen), survivors)


def survived_before(name: str, source: str, possible: list[Fault]) -> tuple[list, list]:
    """The recorded survivors without a reason, and those with one."""
    old, why = recorded()["modules"].get(name, {}), reasons()
    if old.get("source") != digest(source.encode()):
        raise BookError(f"{RECORD.name} does not speak of {name}.py as it is: make mutants")
    names = {fault_name(survivor) for survivor in old["survivors"]}
    survivors = [fault for fault in possible if fault.name in names]
    with_reason = [fault for fault in survivors if (name, fault.name) in why]
    return [fault for fault in survivors if fault not in with_reason], with_reason


def copy(folder: Path) -> Path:
    """What the tests need of the repository."""
    ignored = shutil.ignore_patterns("__pycache__")
    for part in (PACKAGE, "tests", "tools", *BOOK):
        shutil.copytree(ROOT / part, folder / part, ignore=ignored)
    for part in ("pyproject.toml", "requirements.txt"):
        shutil.copy(ROOT / part, folder)
    return folder


# --- in the laboratory ----------------------------------------------------------------------------


@dataclass
class Laboratory:
    """A copy of the repository; TensorFlow imported, but nothing computed, and no `d2lutils`."""

    root: Path
    seconds: dict[str, float] = field(default_factory=dict)  # of each test, without a fault
    caught: Counter = field(default_factory=Counter)  # by each test
    tried: set[bool] = field(default_factory=set)  # whether quick and slow tests hold without it

    def __post_init__(self) -> None:
        os.environ.update(kernel.environment())
        os.chdir(self.root)
        sys.path[:0] = [str(self.root), str(self.root / "tools")]
        found = importlib.util.find_spec(PACKAGE).origin
        if not Path(found).is_relative_to(self.root):
            raise BookError(f"{PACKAGE} comes from {found}, expected the copy in {self.root}")
        import_tensorflow()
        import_plugins(self.root)

    @property
    def files(self) -> list[str]:
        names = [f"tests/test_{name}.py" for name in TESTS]
        return [name for name in names if (self.root / name).is_file()]

    def survivors(self, name: str, planted: list[Fault], options) -> list[Fault]:
        """The faults that no test catches."""
        began = time.perf_counter()
        left = self.run(name, planted, options, quick=True)
        why = reasons()  # now: one may write them meanwhile
        known = [fault for fault in left if (name, fault.name) in why]
        left = [fault for fault in left if fault not in known]
        if not options.quick:
            left = self.run(name, left, options, quick=False)
        for fault in left:
            print(f"survived  {describe(name, fault)}", flush=True)
        number, seconds = len(left) + len(known), time.perf_counter() - began
        print(f"{name}: {number} of {len(planted)} survived ({seconds:.0f} s)", flush=True)
        return [*known, *left]

    def without_a_fault(self, quick: bool) -> dict[str, float]:
        """Refuse tests that fail anyway, and learn how long each of them takes."""
        report = self.report(*self.start(None, None, quick))
        if report["failed"] or not report["seconds"]:
            raise BookError(f"without any fault: {report['failed']}\n{report['why']}")
        return report["seconds"]

    def run(self, name: str, planted: list[Fault], options, quick: bool) -> list[Fault]:
        """The faults that these tests do not catch."""
        left, running = [], {}
        if planted and quick not in self.tried:
            self.tried.add(quick)
            self.seconds = self.without_a_fault(quick) | self.seconds

        def finish() -> None:
            pid, status = os.waitpid(-1, 0)
            fault, path = running.pop(pid)
            test = self.report(pid, path, status)["failed"]
            self.caught[test] += 1
            if test is None:
                left.append(fault)
                print("quick" if quick else "slow", describe(name, fault), flush=True)
            elif test == DIED:
                print(DIED, describe(name, fault), flush=True)

        for fault in planted:
            if len(running) == options.jobs:
                finish()
            pid, path = self.start(name, fault.source, quick, bool(options.only))
            running[pid] = fault, path
        while running:
            finish()
        return left

    def start(self, name, source, quick: bool, loud: bool = False) -> tuple[int, Path]:
        """A child that runs the tests with a changed module -> its process, its report."""
        handle, path = tempfile.mkstemp(dir=self.root)
        os.close(handle)
        if pid := os.fork():
            return pid, Path(path)
        try:
            if not loud:
                silence()
            if name is not None:
                sys.meta_path.insert(0, Planted(f"{PACKAGE}.{name}", source))
            be_patient(2 * PATIENCE)  # for the imports
            watch = Watch(self, quick)
            chosen = f"not xla and not ({TRAININGS})" if quick else "not xla"
            first = ["--exitfirst"] if name is not None else []
            pytest.main(["-k", chosen, *first, *ARGUMENTS, *self.files], plugins=[watch])
            Path(path).write_text(json.dumps(watch.seen()), encoding="utf-8")
            os._exit(0)
        finally:
            os._exit(1)  # whatever happens, a child never goes on as its parent

    def report(self, pid: int, path: Path, status: int | None = None) -> dict:
        """What a child saw: the test that failed (None if none did), the seconds of each."""
        status = os.waitpid(pid, 0)[1] if status is None else status
        text = path.read_text(encoding="utf-8")
        path.unlink()
        if status or not text:
            return {"failed": DIED, "why": "", "seconds": {}}
        return json.loads(text)


def import_tensorflow() -> None:
    """And Keras, which must both compute nothing before a fork."""
    import keras.layers  # noqa: F401


def import_plugins(root: Path) -> None:
    """Those of pytest, by a run without tests."""
    hypothesis.settings.register_profile(
        "planted",
        deadline=None,
        derandomize=True,
        database=None,
        phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],  # one failure is enough
        report_multiple_bugs=False,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    nothing = root / "tests" / "test_nothing.py"
    nothing.touch()
    with contextlib.redirect_stdout(io.StringIO()):
        pytest.main([*ARGUMENTS, str(nothing)])
    gc.collect(), gc.freeze()  # or each child would copy all memory to look for garbage
    sys.dont_write_bytecode = False  # so that only the first child compiles the tests


def be_patient(seconds: float) -> None:
    """End this process after so many seconds of computing, or when it waits much longer."""
    signal.setitimer(signal.ITIMER_PROF, seconds)  # on a busy machine a good test takes its time
    signal.setitimer(signal.ITIMER_REAL, 20 * seconds)


def silence() -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1), os.dup2(null, 2)


class Planted(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives one module another source."""

    def __init__(self, name: str, source: str) -> None:
        self.name, self.source = name, source

    def find_spec(self, name, path, target=None):
        return importlib.util.spec_from_loader(name, self) if name == self.name else None

    def exec_module(self, module) -> None:
        exec(compile(self.source, f"{self.name} with a fault", "exec"), vars(module))


class Watch:
    """In the child: the order of the tests, their time, and the first one that fails."""

    def __init__(self, laboratory: Laboratory, quick: bool) -> None:
        self.laboratory, self.quick = laboratory, quick
        self.failed, self.why, self.seconds = None, "", Counter()

    def pytest_collection_modifyitems(self, items) -> None:
        """Those first that catch most for the time they take."""
        caught, seconds = self.laboratory.caught, self.laboratory.seconds
        worth = lambda test: (caught[test] + 0.01) / (seconds.get(test, 1.0) + 0.2)
        items.sort(key=lambda item: -worth(item.nodeid))
        for module in {item.module for item in items if self.quick}:
            if hasattr(module, "EXAMPLES"):
                module.EXAMPLES = FEW

    def pytest_runtest_logstart(self, nodeid) -> None:
        be_patient(max(PATIENCE, 10 * self.laboratory.seconds.get(nodeid, 0)))

    def pytest_runtest_logreport(self, report) -> None:
        self.seconds[report.nodeid] += report.duration
        self.note(report)

    def pytest_collectreport(self, report) -> None:
        self.note(report)

    def note(self, report) -> None:
        if report.failed and self.failed is None:
            self.failed, self.why = report.nodeid, report.longreprtext

    def pytest_sessionfinish(self, exitstatus) -> None:
        if exitstatus and self.failed is None:
            self.failed = f"(pytest ended with {exitstatus})"

    def seen(self) -> dict:
        return {"failed": self.failed, "why": self.why, "seconds": self.seconds}


# --- the record -----------------------------------------------------------------------------------


def recorded() -> dict:
    """The record, which begins anew with other versions."""
    versions = {name: version(name) for name in PACKAGES}
    old = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.is_file() else {}
    modules = old["modules"] if old.get("versions") == versions else {}
    return {"date": None, "versions": versions, "modules": modules}


def keep(name: str, source: str, possible: int, planted: int, survivors: list[Fault]) -> None:
    record, why = recorded(), reasons()
    record["date"] = f"{datetime.date.today()}"
    record["modules"][name] = {
        "source": digest(source.encode()),
        "possible": possible,
        "planted": planted,
        "caught": planted - len(survivors),
        "survivors": [
            {
                "line": fault.line,
                "where": fault.where,
                "was": fault.was,
                "became": fault.became,
                "reason": why.get((name, fault.name)),
            }
            for fault in sorted(survivors, key=lambda fault: fault.number)
        ],
    }
    modules = record["modules"]
    record["modules"] = {name: modules[name] for name in MODULES if name in modules}
    write(RECORD, json.dumps(record, indent=1, ensure_ascii=False) + "\n")


def reasons() -> dict[tuple[str, str], str]:
    """By module and fault, from the table that is written by hand."""
    table = yaml.safe_load(REASONS.read_text(encoding="utf-8")) if REASONS.is_file() else []
    return {
        (name, fault): entry["reason"].strip()
        for entry in table
        for name, of_module in entry["faults"].items()
        for fault in of_module
    }


def fault_name(survivor: dict) -> str:
    return f"{survivor['where']}: {survivor['was']} -> {survivor['became']}"


def describe(name: str, fault: Fault) -> str:
    return f"{name}.py:{fault.line} [{fault.number}] {fault.name}"


def out_of_date() -> list[str]:
    """The modules that the record does not speak of as they are."""
    kept = recorded()["modules"]
    now = {name: digest((ROOT / PACKAGE / f"{name}.py").read_bytes()) for name in MODULES}
    return [name for name in MODULES if kept.get(name, {}).get("source") != now[name]]


def table() -> str:
    """A line for each module."""
    behind, lines = out_of_date(), []
    for name, score in recorded()["modules"].items():
        open_ = sum(survivor["reason"] is None for survivor in score["survivors"])
        lines.append(
            f"{name:<14}{score['caught']:>5} of {score['planted']:<5}caught"
            f"{len(score['survivors']):>5} survived, {open_} of them without a reason"
            f"{'  (another source)' if name in behind else ''}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
