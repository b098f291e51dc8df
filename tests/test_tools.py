"""The way of a chapter, on books of a page: what is filled in, runs again, is refused."""

import json
import os
from importlib import metadata
from pathlib import Path

import nbformat
import pytest

import chapters
import convert
import library
import lint
from convert import HEADER, Book
from library import BookError

TOY = (
    HEADER
    + r"""
# Toys · 玩具

+++ {"lang": "en"}

A toy, by [](#eq:toy-double), as [before](#eq:toy-double).

+++ {"lang": "zh"}

一个玩具，见[](#eq:toy-double)与[前文](#eq:toy-double)。

+++

$$
y = 2 x \label{eq:toy-double}
$$

```{code-cell} ipython3
from pathlib import Path

from d2lutils.base import Base

with Path("runs.txt").open("a") as runs:
    runs.write("x")
```

```{code-cell} ipython3
:quote: d2lutils.toy.Toy
```

```{code-cell} ipython3
:tags: [hide-cell]
:alt: {"en": "a line", "zh": "一条线：直的"}

from d2lutils.other import OTHER

print(Toy().double(21) * OTHER)
```

## An end · 结尾

```{code-cell} ipython3
print("the end")
```
"""
)

LIBRARY = {
    "__init__.py": "from d2lutils.toy import Toy as Plaything\nfrom .data import numbers\n",
    "toy.py": """\
from d2lutils.base import Base


def register(cls):
    return cls


@register
class Toy(Base):
    \"\"\"Twice.\"\"\"

    def double(self, x):
        return 2 * x  # what else
""",
    "base.py": "class Base:\n    pass\n",
    "other.py": "OTHER = 1\n",
    "data/__init__.py": "from .numbers import numbers\n",
    "data/numbers.py": "def numbers():\n    return [1, 2]\n",
    "data/words.py": "from .numbers import numbers\n",
    "weights/toy-small.bin": "0101",
    "weights/unused.bin": "0101",
}


def write(root: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content, encoding="utf-8")


@pytest.fixture
def book(tmp_path, monkeypatch) -> Book:
    """A book of one chapter, whose kernels import its own library."""
    installed = metadata.version("nbformat")
    ruff = '[tool.ruff]\nline-length = 100\n[tool.ruff.lint]\nselect = ["E", "F", "I"]\n'
    write(
        tmp_path,
        {
            "text/toy.md": TOY,
            "_toc.yml": "format: jb-book\nroot: intro\nchapters:\n  - file: chapters/toy\n",
            "pyproject.toml": f'[project]\ndependencies = ["nbformat>=5"]\n{ruff}',
            "requirements.txt": f"nbformat=={installed} \\\n    --hash=sha256:00\n",
            **{f"d2lutils/{name}": source for name, source in LIBRARY.items()},
        },
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return Book(tmp_path)


def edit(path: Path, old: str, new: str) -> None:
    source = path.read_text(encoding="utf-8")
    assert old in source
    path.write_text(source.replace(old, new), encoding="utf-8")


def why(book: Book) -> list[str]:
    """What makes the toy chapter run again."""
    return chapters.to_run(chapters.prepare(book, "toy"), chapters.stored(book, "toy"))


@pytest.fixture
def built(book) -> Book:
    """The same with a notebook that looks as if it had been run."""
    notebook = chapters.prepare(book, "toy")
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for count, cell in enumerate(code, 1):
        cell.execution_count = count
        cell.outputs = [nbformat.v4.new_output("stream", text=f"stored {count}\n")]
    chapters.write(book.notebook("toy"), nbformat.writes(notebook) + "\n")
    assert why(book) == []
    return book


# --- from text to notebook ------------------------------------------------------------------------


def test_text_to_notebook_and_back_is_the_identity(book):
    notebook = convert.assemble(book, "toy")
    nbformat.validate(notebook)
    path = book.root / "elsewhere.ipynb"
    nbformat.write(notebook, path)
    assert convert.back(book, path) == ("toy", TOY)
    assert convert.tidy(book, "toy") == TOY


def test_cells_get_what_jupyter_colab_and_the_site_need(book):
    cells = convert.assemble(book, "toy").cells
    assert [cell.id for cell in cells[:2]] == ["toy-001", "toy-002"]
    assert [cell.metadata.get("lang") for cell in cells[:4]] == [None, "en", "zh", None]
    hidden = next(cell for cell in cells if "tags" in cell.metadata)
    assert hidden.metadata.jupyter.source_hidden and hidden.metadata.cellView == "form"
    assert hidden.metadata.alt.zh == "一条线：直的"


def test_equations_are_numbered_by_chapter_and_order(book):
    second = r"""
# Second · 第二

$$
a = b \label{eq:second-one}
$$

+++

$$
c = d \label{eq:second-two}
$$

See [](#eq:second-two), [](toy.ipynb#eq:toy-double).
"""
    write(book.root, {"text/second.md": HEADER + second})
    edit(
        book.root / "_toc.yml",
        "  - file: chapters/toy",
        "  - file: chapters/toy\n  - file: chapters/second",
    )
    source = "\n".join(cell.source for cell in convert.assemble(book, "second").cells)
    assert r"a = b \tag{2.1} \label{eq:second-one}" in source
    assert r"c = d \tag{2.2} \label{eq:second-two}" in source
    assert "See [(2.2)](#eq:second-two), [(1.1)](toy.ipynb#eq:toy-double)." in source

    edit(book.text("second"), "[](#eq:second-two)", "[](#eq:second-three)")
    with pytest.raises(BookError, match="text/second.md.*eq:second-three"):
        convert.assemble(book, "second")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            ":tags: [hide-cell]",
            ":tag: [hide-cell]",
            "unknown option tag; known are alt, lang, quote",
        ),
        ("[hide-cell]", "[hide-cel]", "unknown tag hide-cel; known are hide-cell"),
        ("toy.Toy\n", "toy.Toy\n\npass\n", "a quoted cell is left empty"),
        ("toy.Toy\n", "toy.Ball\n", "d2lutils/toy.py defines no 'Ball'"),
        ("toy.Toy\n", "ball.Toy\n", "expected a definition"),
        (r"\label{eq:toy-double}", r"\label{eq:double}", "begins not with 'eq:toy-'"),
        ('{"lang": "en"}', "{lang: en}", "text/toy.md: .*could not be read"),
        ('print("the end")', 'print("the end"', "cell 9: .*never closed"),
    ],
)
def test_mistakes_in_a_text_are_named(book, old, new, message):
    edit(book.text("toy"), old, new)
    with pytest.raises(BookError, match=message):
        chapters.prepare(book, "toy")


# --- quotations and dependencies ------------------------------------------------------------------


def test_a_quotation_is_the_source_word_for_word(book):
    source = LIBRARY["toy.py"]
    quoted = source[source.index("class Toy") :].rstrip("\n")
    assert library.quote(book.root, "d2lutils.toy.Toy") == quoted
    assert library.quote(book.root, "d2lutils.toy.Toy.double").startswith(
        "def double(self, x):\n    return"
    )
    assert library.quote(book.root, "d2lutils.data.numbers.numbers").startswith("def numbers():")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import os", ""),
        ("from d2lutils import Plaything", "base toy"),
        ("from d2lutils.toy import Toy", "base toy"),
        ("import d2lutils.base as b", "base"),
        ("from d2lutils import base, other", "base other"),
        ("from d2lutils.data import numbers", "data/numbers"),
        ("from d2lutils.data.words import numbers", "data/numbers data/words"),
        ("from d2lutils import data", "data/__init__ data/numbers data/words"),
        ("from d2lutils.data import *", "data/__init__ data/numbers data/words"),
        ("if True:\n    from d2lutils import Plaything", "base toy"),
        ("import d2lutils", "__init__ base data/__init__ data/numbers data/words other toy"),
        (
            "from d2lutils import unknown",
            "__init__ base data/__init__ data/numbers data/words other toy",
        ),
    ],
)
def test_the_modules_that_code_depends_on_are_found(book, code, expected):
    package = book.root / "d2lutils"
    used = library.modules_used(book.root, code)
    assert [
        path.relative_to(package).with_suffix("").as_posix() for path in used
    ] == expected.split()


def test_outputs_depend_on_code_library_data_and_versions(built):
    root = built.root
    edit(root / "d2lutils/data/words.py", "numbers", "numbers ")
    edit(root / "d2lutils/weights/unused.bin", "0101", "1")
    edit(built.text("toy"), "A toy,", "Another toy,")
    assert why(built) == []
    edit(root / "d2lutils/other.py", "1", "2")
    assert why(built) == ["d2lutils/other.py changed"]
    edit(root / "d2lutils/base.py", "pass", "x = 1")  # quoted nowhere, imported by what is imported
    edit(built.text("toy"), "d2lutils.other import OTHER", "d2lutils.toy import Toy")
    assert why(built) == [
        "code changed",
        "d2lutils/base.py changed",
        "d2lutils/other.py changed",
        "d2lutils/toy.py changed",
    ]


def test_named_weights_and_locked_versions_count(built):
    edit(built.root / "d2lutils/other.py", "1", 'f"toy-{1}"')
    chapters.write(built.notebook("toy"), nbformat.writes(chapters.prepare(built, "toy")) + "\n")
    before = chapters.stored(built, "toy").metadata.book.made_from
    edit(built.root / "d2lutils/weights/toy-small.bin", "0101", "1")
    edit(built.root / "requirements.txt", "nbformat==", "nbformat==9")
    after = chapters.prepare(built, "toy").metadata.book.made_from
    assert {key for key in after if before[key] != after[key]} == {
        "d2lutils/weights/toy-small.bin",
        "nbformat",
    }
    with pytest.raises(BookError, match=r"nbformat .* is installed, requirements.txt says 9"):
        library.refuse_other_versions(built.root)


# --- building -------------------------------------------------------------------------------------


def test_a_chapter_runs_once_and_again_only_if_something_changed(book, capsys):
    notebook, runs = book.notebook("toy"), book.root / "chapters" / "runs.txt"
    chapters.build(book, "toy")
    first = notebook.read_bytes()
    stored = chapters.stored(book, "toy")
    outputs = [cell.outputs for cell in stored.cells if cell.cell_type == "code"]
    assert [o["text"] for cell in outputs for o in cell] == ["42\n", "the end\n"]
    assert "runs (not built yet)" in capsys.readouterr().out

    chapters.build(book, "toy")
    assert notebook.read_bytes() == first and runs.read_text() == "x"
    assert "nothing changed" in capsys.readouterr().out

    edit(book.text("toy"), "A toy,", "Another toy,")
    chapters.build(book, "toy")
    assert runs.read_text() == "x" and "prose changed, outputs kept" in capsys.readouterr().out
    assert chapters.out_of_step(book, []) == []
    edit(book.text("toy"), "Another toy,", "A toy,")

    chapters.build(book, "toy", force=True)
    assert runs.read_text() == "xx" and notebook.read_bytes() == first


def test_a_failing_cell_stops_the_build_and_leaves_the_old_notebook(book, capsys):
    old = "{}"
    write(book.root, {"chapters/toy.ipynb": old})
    edit(book.text("toy"), 'print("the end")', "1 / 0")
    notebook = chapters.prepare(book, "toy")
    with pytest.raises(BookError) as error:
        chapters.execute(book, "toy", notebook)
    for words in (
        "text/toy.md, cell 9 of 9",
        "under “An end · 结尾”",
        "ZeroDivisionError",
        "1 / 0",
    ):
        assert words in str(error.value)
    assert "\x1b" not in str(error.value)
    assert book.notebook("toy").read_text() == old


def test_a_kernel_that_dies_is_reported_with_what_it_said(book):
    edit(
        book.text("toy"),
        'print("the end")',
        'import os\n\nos.write(2, b"out of luck")\nos._exit(1)',
    )
    with pytest.raises(BookError, match=r"(?s)cell 9 of 9.*out of luck"):
        chapters.build(book, "toy")
    assert not book.notebook("toy").exists()


def test_files_are_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "page"
    chapters.write(path, "old")
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        chapters.write(path, "new")
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["page"]


# --- what is out of step --------------------------------------------------------------------------


def test_what_is_out_of_step_is_named(built):
    assert chapters.out_of_step(built, []) == []
    edit(built.root / "d2lutils/toy.py", "2 * x", "x + x")
    (line,) = chapters.out_of_step(built, [])
    assert line.startswith("chapters/toy.ipynb is out of step: code changed")
    edit(built.root / "d2lutils/toy.py", "x + x", "2 * x")
    edit(built.text("toy"), "一个玩具", "两个玩具")
    assert "cell 3 (两个玩具" in chapters.out_of_step(built, [])[0]
    edit(built.text("toy"), "## An end · 结尾\n\n", "")
    assert "8 cells in the text, 9 in the notebook" in chapters.out_of_step(built, [])[0]


def test_lost_outputs_hand_edits_and_orphans_are_found(built):
    notebook = chapters.stored(built, "toy")
    notebook.cells[-1].execution_count = None
    nbformat.write(notebook, built.notebook("toy"))
    assert "outputs are missing" in chapters.out_of_step(built, [])[0]
    notebook.cells[-1].execution_count = 4
    notebook.cells[1].source = "edited"
    nbformat.write(notebook, built.root / "chapters/toy.ipynb")
    nbformat.write(notebook, built.root / "chapters/lost.ipynb")
    step, orphan = chapters.out_of_step(built, [])
    assert "cell 2" in step and orphan == "chapters/lost.ipynb has no text/lost.md"


# --- bringing an edit back ------------------------------------------------------------------------


def test_an_edit_made_in_colab_comes_back(built):
    notebook = chapters.stored(built, "toy")
    install = nbformat.v4.new_code_cell("%pip install x", metadata={"tags": ["install"]})
    notebook.cells.insert(0, install)
    notebook.cells[2].source = notebook.cells[2].source.replace("A toy", "A new toy")
    notebook.cells[-1].source = 'print("the very end")'
    notebook.cells.append(nbformat.v4.new_code_cell(""))
    for cell in notebook.cells:
        cell.metadata |= {
            "id": "x1",
            "colab": {"base_uri": "https://example.org"},
            "scrolled": True,
        }
    notebook.metadata["colab"] = {"provenance": []}
    path = built.root / "Copy of toy.ipynb"
    nbformat.write(notebook, path)
    expected = TOY.replace("A toy", "A new toy").replace("the end", "the very end")
    assert convert.back(built, path) == ("toy", expected)


def test_a_changed_quotation_is_refused(built):
    notebook = chapters.stored(built, "toy")
    quoted = next(cell for cell in notebook.cells if "quote" in cell.metadata)
    quoted.source = quoted.source.replace("2 * x", "3 * x")
    path = built.root / "edited.ipynb"
    nbformat.write(notebook, path)
    with pytest.raises(
        BookError, match=r"(?s)quotes d2lutils.toy.Toy.*edit d2lutils/toy.py instead.*\+.*3 \* x"
    ):
        convert.back(built, path)
    assert built.text("toy").read_text(encoding="utf-8") == TOY


# --- the texts' code ------------------------------------------------------------------------------


def test_lint_names_the_line_of_the_text_and_mends_it(book):
    assert lint.lint(book) == []
    edit(book.text("toy"), 'print("the end")', "import sys\nx=missing")
    found = "\n".join(lint.lint(book))
    line = TOY[: TOY.index('print("the end")')].count("\n") + 1
    assert f"text/toy.md:{line}:8: F401" in found and f"text/toy.md:{line + 1}:3: F821" in found
    assert "+x = missing" in found and "make format" in found
    remaining = lint.lint(book, fix=True)
    assert len(remaining) == 1 and "F821" in remaining[0]
    assert book.text("toy").read_text(encoding="utf-8") == TOY.replace(
        'print("the end")', "x = missing"
    )


def test_headings_and_equations_get_cells_of_their_own(book):
    glued = "中文。\n\n$$\ny = 1\n$$\n\n## One · 一\n\n$$\nz = 1\n$$\n\n- a\n- b\n\n### Two · 二\n"
    edit(book.text("toy"), "# Toys · 玩具\n", f'# Toys · 玩具\n\n+++ {{"lang": "zh"}}\n\n{glued}')
    for _ in range(2):  # the second time changes nothing
        write(book.root, {"text/toy.md": convert.tidy(book, "toy")})
        cells = convert.read_text(book, "toy").cells[1:7]
        assert [(cell.metadata.get("lang"), cell.source) for cell in cells[:5]] == [
            ("zh", "中文。\n\n$$\ny = 1\n$$"),
            (None, "## One · 一"),
            (None, "$$\nz = 1\n$$"),
            (None, "- a\n- b"),
            (None, "### Two · 二"),
        ]
        assert cells[5].metadata.lang == "en"


def test_metadata_lines_are_json(book):
    for line in TOY.splitlines():
        if line.startswith("+++ "):
            assert json.loads(line[4:])
