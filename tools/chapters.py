"""Build chapters/*.ipynb from text/*.md, running again only what changed.

python tools/chapters.py                 build every chapter that is out of step
python tools/chapters.py gru lstm        these
python tools/chapters.py --force gru     run it again though nothing changed
python tools/chapters.py --check         only say what is out of step (nothing is run)
python tools/chapters.py --back FILE     bring an edited notebook's changes back into text/
"""

import argparse
import ast
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbformat import NotebookNode

import kernel
from convert import Book, assemble, back, code_of, differences, read_notebook
from library import BookError, made_from, refuse_other_versions

try:
    import fcntl
except ImportError:  # not Unix: two builds at once both run, and the later notebook stays
    fcntl = None

ROOT = Path(__file__).resolve().parents[1]
CELL_LIMIT = 600  # seconds


def main(root: Path = ROOT) -> None:
    book = Book(root)
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="chapter")
    parser.add_argument("--force", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--back", type=Path, metavar="FILE")
    options = parser.parse_args()
    try:
        if options.back:
            name, text = back(book, options.back)
            before = root / "_build" / f"{name}.md"
            write(before, book.read(name))  # what was not committed would be lost
            write(book.text(name), text)
            print(
                f"text/{name}.md rewritten from {options.back} (as it was: {before}); "
                "see git diff, then: make chapters"
            )
        elif options.check:
            if found := out_of_step(book, options.names):
                raise BookError("\n".join([*found, "run: make chapters"]))
            print("every chapter is in step with its text and the library")
        else:
            for name in options.names or book.names():
                build(book, name, force=options.force)
    except (BookError, OSError) as error:
        sys.exit(f"\n{error}")
    except KeyboardInterrupt:
        sys.exit("\nstopped; a notebook that was not finished is as it was before")


def prepare(book: Book, name: str) -> NotebookNode:
    """What the chapter's notebook should be, outputs apart."""
    notebook = assemble(book, name)
    for number, cell in enumerate(notebook.cells, 1):
        if cell.cell_type == "code":
            try:
                ast.parse(cell.source)
            except SyntaxError as error:
                raise BookError(
                    f"text/{name}.md, cell {number}: {error.msg}: {error.text}"
                ) from error
    notebook.metadata.book["made_from"] = made_from(book.root, code_of(notebook))
    return notebook


def stored(book: Book, name: str) -> NotebookNode | None:
    """The notebook as it was last built; one without cells if the file is damaged."""
    path = book.notebook(name)
    if not path.is_file():
        return None
    try:
        return read_notebook(path)
    except BookError:
        return nbformat.v4.new_notebook()


def to_run(ours: NotebookNode, theirs: NotebookNode | None) -> list[str]:
    """Why the stored outputs are not those that the notebook would have; nothing if they are."""
    if theirs is None:
        return ["not built yet"]
    if not theirs.cells:
        return ["the notebook is damaged"]
    now, then = ours.metadata.book.made_from, theirs.metadata.get("book", {}).get("made_from", {})
    changed = [f"{key} changed" for key in sorted({*now, *then}) if now.get(key) != then.get(key)]
    counts = [cell.execution_count for cell in theirs.cells if cell.cell_type == "code"]
    return changed + ([] if counts == list(range(1, len(counts) + 1)) else ["outputs are missing"])


def out_of_step(book: Book, names: list[str]) -> list[str]:
    """One line for each notebook that is not what its text and the library would give."""
    found = []
    for name in names or book.names():
        ours, theirs = prepare(book, name), stored(book, name)
        why = to_run(ours, theirs) or list(differences(ours, theirs))
        if why:
            found.append(f"chapters/{name}.ipynb is out of step: {'; '.join(why)}")
    if not names:
        orphans = {path.stem for path in (book.root / "chapters").glob("*.ipynb")} - set(
            book.names()
        )
        found += [f"chapters/{name}.ipynb has no text/{name}.md" for name in sorted(orphans)]
    return found


def build(book: Book, name: str, *, force: bool = False) -> None:
    """Bring one notebook into step; the old one stays as it is unless all goes well."""
    book.read(name)  # says which chapters there are if this is none
    with alone(book, name):
        build_alone(book, name, force)


@contextmanager
def alone(book: Book, name: str) -> Iterator[None]:
    """One build of a chapter at a time; the lock ends with its process, however that ends."""
    path = book.root / "_build" / "locks" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        if fcntl:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print(f"{name}: waits for another build of this chapter to end", flush=True)
                fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def build_alone(book: Book, name: str, force: bool) -> None:
    notebook, old = prepare(book, name), stored(book, name)
    why = ["asked for"] if force else to_run(notebook, old)
    if why:
        print(f"{name}: runs ({'; '.join(why)})", flush=True)
        refuse_other_versions(book.root)
        execute(book, name, notebook)
    else:
        cells = [cell for cell in old.cells if cell.cell_type == "code"]
        for ours, theirs in zip(
            (c for c in notebook.cells if c.cell_type == "code"), cells, strict=True
        ):
            ours.outputs, ours.execution_count = theirs.outputs, theirs.execution_count
        same = old == notebook
        print(f"{name}: {'nothing changed' if same else 'prose changed, outputs kept'}", flush=True)
    write(book.notebook(name), nbformat.writes(notebook) + "\n")


def execute(book: Book, name: str, notebook: NotebookNode) -> None:
    """Run all cells in a fresh kernel and leave their outputs in `notebook`."""
    progress = Progress(name, notebook)
    folder = book.notebook(name).parent
    folder.mkdir(exist_ok=True)
    client = NotebookClient(
        notebook,
        timeout=CELL_LIMIT,
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(folder)}},
        on_cell_start=progress.start,
        on_cell_executed=progress.end,
    )
    info = notebook.metadata.language_info
    with tempfile.TemporaryFile("w+") as log:
        try:
            client.execute(env=os.environ | kernel.environment(), stderr=log)
        except CellExecutionError as error:
            raise progress.failure(str(error)) from None
        except (DeadKernelError, TimeoutError) as error:
            log.seek(0)
            raise progress.failure(f"{error}\n{log.read()[-2000:]}") from None
        except AssertionError as error:
            # Ctrl-C or SIGTERM: nbclient shuts the kernel down itself, and then misses it.
            if isinstance(error.__context__, DeadKernelError):
                raise KeyboardInterrupt from None
            raise
    notebook.metadata.language_info = info  # without this machine's version of Python
    progress.finish()


class Progress:
    """Says which cell runs: over and over on one line of a terminal, else only the slow ones."""

    def __init__(self, name: str, notebook: NotebookNode) -> None:
        self.name, self.notebook, self.total = name, notebook, len(notebook.cells)
        self.index, self.started = 0, time.perf_counter()

    def start(self, cell: NotebookNode, cell_index: int) -> None:
        self.index, self.since = cell_index, time.perf_counter()
        self.line(f"{self.name}: cell {cell_index + 1}/{self.total}")

    def end(self, cell: NotebookNode, cell_index: int, execute_reply: object) -> None:
        self.line("")
        if (seconds := time.perf_counter() - self.since) >= 1:
            print(
                f"{self.name}: cell {cell_index + 1}/{self.total} took {seconds:.1f} s", flush=True
            )

    def line(self, text: str) -> None:
        if sys.stdout.isatty():
            print(f"\r{text:<60}\r", end="", flush=True)

    def finish(self) -> None:
        seconds = time.perf_counter() - self.started
        print(f"{self.name}: {self.total} cells in {seconds:.0f} s", flush=True)

    def failure(self, message: str) -> BookError:
        """Which chapter, section and cell failed, and how."""
        cells = self.notebook.cells[: self.index + 1]
        headings = [
            c.source for c in cells if c.cell_type == "markdown" and c.source.startswith("#")
        ]
        under = f", under “{headings[-1].splitlines()[0].lstrip('# ')}”," if headings else ""
        where = f"text/{self.name}.md, cell {self.index + 1} of {self.total}{under}"
        return BookError(f"{where} failed; the old notebook stays.\n{plain(message)}")


def plain(text: str) -> str:
    """Without the colours of a terminal."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def write(path: Path, content: str) -> None:
    """All or nothing: nobody ever sees half a file."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(exist_ok=True)
        if path.is_file() and path.read_bytes() == content.encode():
            return
        try:
            beside.write_text(content, encoding="utf-8")
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise BookError(
            f"{path} could not be written and is as it was before: {error.strerror or error}"
        ) from error


if __name__ == "__main__":
    main()
