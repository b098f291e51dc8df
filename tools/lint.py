"""Hold the code in text/*.md to the same rules as every other file, and the texts to one layout.

    python tools/lint.py          say what is amiss, with file and line
    python tools/lint.py --fix    mend what can be mended by itself

Ruff reads notebooks but not these texts, so each text becomes a notebook in a temporary folder.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat

from chapters import ROOT, write
from convert import Book, assemble, back, read_text, tidy
from library import BookError


def main(root: Path = ROOT) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--fix", action="store_true")
    options = parser.parse_args()
    try:
        if found := lint(Book(root), fix=options.fix):
            sys.exit("\n".join(found))
    except (BookError, OSError) as error:
        sys.exit(str(error))


def lint(book: Book, *, fix: bool = False) -> list[str]:
    """What is amiss in the texts; with `fix`, what remains after mending."""
    with tempfile.TemporaryDirectory() as folder:
        files = {name: Path(folder) / f"{name}.ipynb" for name in book.names()}
        for name, file in files.items():
            nbformat.write(assemble(book, name), file)
        if fix:
            ruff(book, ["check", "--quiet", "--fix-only", "--no-cache"], folder)
            ruff(book, ["format", "--quiet", "--no-cache"], folder)
            for name, file in files.items():
                write(book.text(name), back(book, file)[1])
                write(book.text(name), tidy(book, name))
        rules = ruff(book, ["check", "--quiet", "--output-format=concise", "--no-cache"], folder)
        layout = ruff(book, ["format", "--quiet", "--diff", "--no-cache"], folder)
    found = [in_text(book, line) for line in [*rules, *layout]]
    for name in book.names():
        if tidy(book, name) != book.text(name).read_text(encoding="utf-8"):
            found.append(f"text/{name}.md: cells are not laid out as the book writes them")
    return found + (["run: make format"] if found and not fix else [])


def ruff(book: Book, arguments: list[str], folder: str) -> list[str]:
    """The lines that Ruff prints about the notebooks in `folder`."""
    config = ["--config", str(book.root / "pyproject.toml")]
    command = [sys.executable, "-m", "ruff", *arguments, *config, folder]
    done = subprocess.run(command, capture_output=True, text=True, cwd=book.root)
    if done.returncode > 1 and done.stderr:  # silent: code that cannot be parsed, which check names
        raise BookError(done.stderr)
    return done.stdout.splitlines()


def in_text(book: Book, message: str) -> str:
    """`/tmp/…/gru.ipynb:cell 5:2:8: …` with the text's own file and line instead."""
    place = re.match(r"(?P<head>[+-]{3} )?\S*?(?P<name>[\w-]+)\.ipynb:cell (?P<cell>\d+)", message)
    if place is None:
        return message
    cell, rest = int(place["cell"]), message[place.end() :]
    row, _, column = (rest[1:].partition(": ")[0]).partition(":")
    start = lines_of_cells(book, place["name"])[cell - 1]
    if row.isdigit():
        start, rest = start + int(row) - 1, rest[1 + len(row) :]
    return f"{place['head'] or ''}text/{place['name']}.md:{start}{rest}"


def lines_of_cells(book: Book, name: str) -> list[int]:
    """The line of the text at which each cell's own source begins."""
    lines = book.text(name).read_text(encoding="utf-8").splitlines()
    starts, at = [], 0
    for cell in read_text(book, name).cells:
        source = (cell.source or "```").splitlines()
        while at < len(lines) and lines[at : at + len(source)] != source:
            at += 1
        starts.append(at + 1)
        at += len(source)
    return starts


if __name__ == "__main__":
    main()
