"""A chapter's text to its notebook, and a notebook that somebody edited back to text.

Going there, quoted definitions, equation numbers, link texts and what collapsed cells need are
filled in; coming back, they are taken out again.  Outputs are not handled here (chapters.py).
"""

import difflib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import jupytext
import nbformat
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from nbformat import NotebookNode

from library import BookError, quote

HEADER = """\
---
jupytext: {formats: 'md:myst', text_representation: {extension: .md, format_name: myst}}
kernelspec: {display_name: Python 3, language: python, name: python3}
---
"""
OPTIONS = ("lang", "quote", "tags", "alt")  # what a text may say about a cell, in this order
TAGS = {"hide-cell", "nbval-ignore-output", "raises-exception"}
LANGUAGES = {"en", "zh"}
INSTALL = "install"  # the tag of the cell that Colab copies begin with
COLAB = re.compile(  # in front of links between Colab copies
    r"https://colab\.research\.google\.com/github/[^/]+/[^/]+/blob/colab/chapters/(?=[\w-]+\.ipynb)"
)
MARKDOWN = MarkdownIt("commonmark").use(dollarmath_plugin)
LABEL = re.compile(r"\\label\{(eq:[\w-]+)\}")
TAG = re.compile(r"\\tag\{[\d.]+\} ?(?=\\label\{eq:)")
LINK = re.compile(r"\[(?:\(\d+\.\d+\))?\]\(((?:[\w-]+\.ipynb)?#(eq:[\w-]+))\)")


@dataclass(frozen=True)
class Book:
    """Where things lie."""

    root: Path

    def text(self, name: str) -> Path:
        return self.root / "text" / f"{name}.md"

    def notebook(self, name: str) -> Path:
        return self.root / "chapters" / f"{name}.ipynb"

    def read(self, name: str) -> str:
        if not self.text(name).is_file():
            raise BookError(f"no text/{name}.md; there are: {', '.join(self.names())}")
        try:
            return self.text(name).read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise BookError(f"text/{name}.md is not UTF-8: {error}") from error

    def names(self) -> list[str]:
        """All chapters: those of the table of contents in its order, then drafts by name."""
        written = {path.stem for path in (self.root / "text").glob("*.md")}
        listed = [name for name in self.contents() if name in written]
        return listed + sorted(written - set(listed))

    def contents(self) -> list[str]:
        """The chapters in `_toc.yml`, in the reader's order."""
        path = self.root / "_toc.yml"
        contents = path.read_text(encoding="utf-8") if path.is_file() else ""
        return re.findall(r"(?m)^[ -]*file: *chapters/([\w-]+)", contents)

    def numbers(self) -> dict[str, str]:
        """The number of each labelled equation: `eq:gru-reset` -> `7.1`."""
        numbers: dict[str, str] = {}
        for place, name in enumerate(self.names(), 1):
            labels = LABEL.findall(self.read(name))
            for order, label in enumerate(labels, 1):
                if not label.startswith(f"eq:{name}-"):
                    raise BookError(f"text/{name}.md: label {label!r} begins not with 'eq:{name}-'")
                if label in numbers:
                    raise BookError(f"text/{name}.md: label {label!r} is used twice")
                numbers[label] = f"{place}.{order}"
        return numbers


def read_text(book: Book, name: str) -> NotebookNode:
    """The cells as they are written, checked for options and tags that nobody would heed."""
    source = book.read(name)
    try:
        notebook = jupytext.reads(source, fmt="md:myst")
    except Exception as error:
        raise BookError(f"text/{name}.md: {error}") from error
    for number, cell in enumerate(notebook.cells, 1):
        where = f"text/{name}.md, {cell.cell_type} cell {number} ({first_line(cell)})"
        known_only(where, "option", cell.metadata, OPTIONS)
        known_only(where, "tag", cell.metadata.get("tags", []), TAGS)
        known_only(where, "language", [cell.metadata.get("lang", "en")], LANGUAGES)
        alt = cell.metadata.get("alt", {"en": "none", "zh": "无"})
        if not (isinstance(alt, dict) and set(alt) == LANGUAGES and all(alt.values())):
            raise BookError(
                f"{where}: alt describes the figure in both languages, "
                f'as in {{"en": "…", "zh": "…"}}, not {alt!r}'
            )
        if "quote" in cell.metadata and cell.source.strip():
            raise BookError(f"{where}: a quoted cell is left empty, the build fills it in")
    return notebook


def known_only(where: str, kind: str, given: Iterable[str], known: Iterable[str]) -> None:
    if unknown := ", ".join(sorted(set(given) - set(known))):
        raise BookError(f"{where}: unknown {kind} {unknown}; known are {', '.join(sorted(known))}")


def first_line(cell: NotebookNode) -> str:
    return cell.metadata.get("quote") or (cell.source.strip().splitlines() or ["empty"])[0][:60]


def assemble(book: Book, name: str) -> NotebookNode:
    """The notebook that `text/<name>.md` describes, complete but for outputs."""
    written, numbers = read_text(book, name), book.numbers()
    cells = []
    for position, cell in enumerate(written.cells, 1):
        if cell.cell_type == "markdown":
            cell.source = number(cell.source, numbers, f"text/{name}.md")
        elif "quote" in cell.metadata:
            cell.source = quote(book.root, cell.metadata["quote"])
        cell.id = f"{name}-{position:03d}"
        collapse(cell)
        cells.append(cell)
    return nbformat.v4.new_notebook(
        cells=cells,
        metadata={
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python", "pygments_lexer": "ipython3"},
            "book": {"chapter": name},
        },
    )


def number(source: str, numbers: dict[str, str], where: str) -> str:
    """Put `\\tag{n.m}` before each label, and `(n.m)` into each empty link to an equation."""

    def fill(link: re.Match[str]) -> str:
        if link[2] not in numbers:
            raise BookError(f"{where}: a link to {link[2]!r}, which no equation has as its label")
        return f"[({numbers[link[2]]})]({link[1]})"

    source = LABEL.sub(
        lambda label: rf"\tag{{{numbers[label[1]]}}} {label[0]}", TAG.sub("", source)
    )
    return LINK.sub(fill, source)


def unnumber(source: str) -> str:
    return LINK.sub(r"[](\1)", TAG.sub("", source))


def collapse(cell: NotebookNode) -> None:
    """Let Jupyter and Colab, too, show the cell collapsed."""
    if "hide-cell" in cell.metadata.get("tags", []):
        cell.metadata["jupyter"] = {"source_hidden": True}
        if cell.cell_type == "code":
            cell.metadata["cellView"] = "form"


def code_of(notebook: NotebookNode) -> str:
    """All code, cell after cell."""
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")


def write_text(cells: list[NotebookNode], header: str = HEADER) -> str:
    """Cells as text, each in the one way that the book writes it."""
    parts = [header]
    after_markdown = False
    for cell in cells:
        options = {key: cell.metadata[key] for key in OPTIONS if key in cell.metadata}
        if cell.cell_type == "markdown":
            if options:
                parts.append(f"+++ {json.dumps(options, ensure_ascii=False)}\n")
            elif after_markdown:
                parts.append("+++\n")
            parts.append(cell.source.strip("\n") + "\n")
        else:
            head = "".join(f":{key}: {option(value)}\n" for key, value in options.items())
            body = cell.source.strip("\n") + "\n" if cell.source.strip() else ""
            parts.append(f"```{{code-cell}} ipython3\n{head}{head and body and chr(10)}{body}```\n")
        after_markdown = cell.cell_type == "markdown"
    return "\n".join(parts)


def option(value: object) -> str:
    """A cell option on one line: `[hide-cell]`, `d2lutils.gru.GRUCell` or JSON."""
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return f"[{', '.join(value)}]" if isinstance(value, list) else str(value)


def tidy(book: Book, name: str) -> str:
    """The text of a chapter in the book's own layout."""
    cells = [part for cell in read_text(book, name).cells for part in split(cell)]
    return write_text(cells, header(book.read(name)))


def split(cell: NotebookNode) -> list[NotebookNode]:
    """A Markdown cell as several: a heading, and an equation of no language, has its own.

    A heading ends a cell's language: what follows it without `+++` is in both.
    """
    if cell.cell_type != "markdown":
        return [cell]
    lines = cell.source.splitlines()
    cuts, headings = {0, len(lines)}, [len(lines)]
    for token in MARKDOWN.parse(cell.source):
        if token.level == 0 and token.type == "heading_open":
            headings.append(token.map[0])
        if token.level == 0 and token.type in ("heading_open", "math_block"):
            cuts.update(token.map)
    shared = min(headings) if cell.metadata else 0
    parts = []
    for start, stop in pairwise(sorted({0} | {max(cut, shared) for cut in cuts})):
        if source := "\n".join(lines[start:stop]).strip("\n"):
            metadata = cell.metadata if start < shared else {}
            parts.append(nbformat.v4.new_markdown_cell(source, metadata=metadata))
    return parts


def header(text: str) -> str:
    """A text's own front matter, or that of a new chapter."""
    found = re.match(r"---\n.*?\n---\n", text, re.S)
    return found[0] if found else HEADER


def read_notebook(path: Path) -> NotebookNode:
    """A whole and valid notebook."""
    try:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
    except OSError as error:
        raise BookError(f"{path} cannot be read: {error.strerror or error}") from error
    except Exception as error:  # JSON cut short, merge marks, a notebook without cells, …
        raise BookError(f"{path} is no notebook: {str(error)[:300]}") from error
    return notebook


def back(book: Book, path: Path) -> tuple[str, str]:
    """(chapter, text) of a notebook that somebody edited in Jupyter or Colab."""
    notebook = read_notebook(path)
    name = notebook.metadata.get("book", {}).get("chapter", path.stem)
    if name not in book.names():
        raise BookError(
            f"{path} belongs to no chapter: there is no text/{name}.md, only "
            f"{', '.join(book.names())}. For a new chapter, make an empty text/{name}.md first"
        )
    cells = []
    for number_, cell in enumerate(notebook.cells, 1):
        if INSTALL in cell.metadata.get("tags", []) or not (
            cell.source.strip() or "quote" in cell.metadata
        ):
            continue
        if cell.cell_type == "markdown":
            cell.source = unnumber(COLAB.sub("", cell.source))
        elif "quote" in cell.metadata:
            refuse_change(book, cell, f"{path.name}, cell {number_}")
            cell.source = ""
        cells.append(cell)
    return name, write_text(cells, header(book.read(name)))


def refuse_change(book: Book, cell: NotebookNode, where: str) -> None:
    """A quotation is edited where it is written."""
    dotted = cell.metadata["quote"]
    ours = quote(book.root, dotted)
    if ours.strip() != cell.source.strip():
        change = difflib.unified_diff(
            ours.splitlines(), cell.source.splitlines(), "library", "notebook", lineterm="", n=1
        )
        file = "/".join(dotted.split(".")[:-1]) + ".py"
        raise BookError(
            f"{where} quotes {dotted}, and its code was changed: edit {file} instead\n"
            + "\n".join(change)
        )


def differences(built: NotebookNode, stored: NotebookNode) -> Iterator[str]:
    """In which cells two notebooks differ, outputs apart."""
    if len(built.cells) != len(stored.cells):
        yield f"{len(built.cells)} cells in the text, {len(stored.cells)} in the notebook"
    for number_, (ours, theirs) in enumerate(zip(built.cells, stored.cells), 1):
        if any(
            ours.get(key) != theirs.get(key) for key in ("cell_type", "id", "metadata", "source")
        ):
            yield f"cell {number_} ({first_line(ours)})"
