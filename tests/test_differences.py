"""The page “Where Keras is wrong” against the Keras that is installed.

Its examples run here once more. Our answers must be right with every version. Keras' answers must
be the wrong ones that the page prints, with the version that requirements.txt names; with others,
a warning reports what has changed.
"""

import re
import warnings

import keras
import nbformat
import pytest
from packaging.version import Version

import d2lutils

pytestmark = pytest.mark.skipif(
    Version(keras.__version__) < Version("3.15"),
    reason="the page is about Keras 3.15, and calls what older ones lack",
)


@pytest.fixture(scope="module")
def page(root):
    """The page's names, and for each example: the function, the right answer, what is printed."""
    names, examples = {}, []
    notebook = nbformat.read(root / "chapters" / "differences.ipynb", as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            before = len(examples)
            exec(cell.source, names)
            if "compare" in names:
                names["compare"] = lambda example, right: examples.append([example, right])
            printed = "".join(output.get("text", "") for output in cell.outputs)
            stored = re.findall(r"(?m)^Keras: (.*)$", printed)
            for example, text in zip(examples[before:], stored, strict=True):
                example.append(text)
    assert examples
    return names, examples


def test_ours_are_right(page):
    names, examples = page
    for example, right, _ in examples:
        found = names["answer"](example, d2lutils)
        assert found == right or str(found).startswith(str(right)), (example.__name__, found)


def test_keras_is_wrong_as_the_page_says(page, root):
    names, examples = page
    lock = (root / "requirements.txt").read_text(encoding="utf-8")
    pinned = re.search(r"(?m)^keras==([\w.]+)", lock)[1]
    for example, right, stored in examples:
        found = names["answer"](example, keras.layers)
        if keras.__version__ == pinned:
            assert str(found) == stored, example.__name__
            assert found != right, f"{example.__name__}: Keras is right"
        elif str(found) != stored:
            warnings.warn(
                f"{example.__name__}: the page has {stored}, Keras {keras.__version__} gives "
                f"{found}",
                stacklevel=1,
            )
