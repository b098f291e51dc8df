"""Copies of the chapters for Colab, where nothing of the book is installed: _build/colab/.

Each copy begins with a cell that installs the library from the repository that this book lies in
(origin.py); `tools/chapters.py --back` drops it again. A workflow puts them on the branch `colab`.
"""

import re
import shutil
import sys
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from chapters import write
from convert import INSTALL, Book, code_of, read_notebook
from library import PACKAGE, BookError
from origin import Repository, find

ROOT = Path(__file__).resolve().parents[1]
BESIDE = re.compile(r"""["']\.\.["'/]""")  # ".." or "../…": code that reads the repository's files
CHAPTER_LINK = re.compile(r"\]\((?=[\w-]+\.ipynb)")
READ_ME = """\
# The chapters for Colab · 供 Colab 使用的各章

Each notebook is a chapter of [the book]({url}) with one cell in front that installs its library. This branch is built by `make colab` and overwritten with every change of the book: do not edit it, edit `text/` on the branch `{branch}`.

这里的每个笔记本都是[本书]({url})的一章，只在最前面多了一个安装程序库的单元格。本分支由 `make colab` 生成，书一有改动就会被整个覆盖：请不要在这里修改，而要修改 `{branch}` 分支上的 `text/`。

{chapters}
"""  # noqa: E501


def main(root: Path = ROOT) -> None:
    book, folder = Book(root), root / "_build" / "colab"
    try:
        repository = find(root)
        if repository is None:
            raise BookError(
                "no repository is known from which the copies could install the library: "
                "git has no remote `origin` on a web host; name it with "
                "BOOK_REPOSITORY_URL=https://github.com/OWNER/NAME"
            )
        copies = {name: read_notebook(book.notebook(name)) for name in book.names()}
        shutil.rmtree(folder, ignore_errors=True)  # chapters that are gone go
        (folder / "chapters").mkdir(parents=True)
        for name, notebook in copies.items():
            for_colab(notebook, repository)
            write(folder / "chapters" / f"{name}.ipynb", nbformat.writes(notebook) + "\n")
        write(folder / "README.md", read_me(copies, repository))
    except (BookError, OSError) as error:
        sys.exit(f"{error}")
    print(f"{len(copies)} notebooks in {folder}, which install {PACKAGE} from {repository.url}")


def for_colab(notebook: NotebookNode, repository: Repository) -> None:
    """Make a chapter its copy; a copy stays as it is."""
    notebook.cells = [c for c in notebook.cells if INSTALL not in c.metadata.get("tags", [])]
    source = install(repository, whole=bool(BESIDE.search(code_of(notebook))))
    cell = nbformat.v4.new_code_cell(source, id=INSTALL, metadata={"tags": [INSTALL]})
    notebook.cells.insert(0, cell)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            # In Colab, relative links end when somebody saves the notebook to a Drive.
            cell.source = CHAPTER_LINK.sub(f"]({repository.colab}", cell.source)


def install(repository: Repository, *, whole: bool) -> str:
    """The first cell of a copy; `whole` fetches the other files of the repository, too.

    The commit where it is known, and not the branch: a copy that somebody saved goes on to find the
    library that its outputs came from, whatever becomes of the branch.
    """
    url, version = repository.url, repository.commit or repository.branch
    lines = [
        "# Colab lacks the book's library: this installs it from the book's repository.",
        "# Colab 里没有本书的程序库，这里从本书的仓库安装。",
        f'%pip install --quiet "{PACKAGE} @ git+{url}@{version}"',
    ]
    if whole:
        lines += [
            "# This chapter also reads other files of the repository.",
            "# 本章还要读取仓库里的其他文件。",
            f"!git clone --quiet {url} book && git -C book checkout --quiet {version}",
            "%cd -q book/chapters",
        ]
    return "\n".join(lines)


def read_me(copies: dict[str, NotebookNode], repository: Repository) -> str:
    folder, lines = repository.colab or "chapters/", []
    for name, notebook in copies.items():
        first = next(cell for cell in notebook.cells if cell.cell_type == "markdown")
        lines.append(f"- [{first.source.lstrip('# ')}]({folder}{name}.ipynb)")
    return READ_ME.format(url=repository.url, branch=repository.branch, chapters="\n".join(lines))


if __name__ == "__main__":
    main()
