"""“Run it”: whose repository the site and the copies for Colab lead to, and that the copies run.

The run needs no network: the library is installed from a repository in a temporary folder.
"""

import os
import re
import subprocess
import sys
import sysconfig
from importlib.metadata import version
from pathlib import Path

import nbformat
import pytest
import yaml
from bs4 import BeautifulSoup
from jupyter_client import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from packaging.version import Version

import colab
import convert
import kernel
import origin
from library import BookError
from origin import Repository

ROOT = Path(__file__).resolve().parents[1]
NAMES = convert.Book(ROOT).names()
FORK = "https://github.com/someone/fork"
IN_COLAB = "https://colab.research.google.com/github/someone/fork/blob/colab/chapters/"
ACTIONS = {
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "someone/fork",
    "GITHUB_REF_NAME": "next",
    "GITHUB_SHA": "5" * 40,
}


def environment(**more):
    """This process's, without what names a repository and without ways to the working tree."""
    ours = re.compile("GITHUB_|BOOK_|GIT_|PIP_|PYTHONPATH$")
    return {name: value for name, value in os.environ.items() if not ours.match(name)} | more


def git(*arguments):
    """What git says."""
    names = ["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=no"]
    command = ["git", *names, *map(str, arguments)]
    run = subprocess.run(command, env=environment(), check=True, stdout=subprocess.PIPE, text=True)
    return run.stdout.strip()


# --- whose repository -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "variables, expected",
    [
        (ACTIONS, Repository(FORK, "next", "5" * 40)),
        ({"GITHUB_REPOSITORY": "someone/fork"}, Repository(FORK)),
        # a branch that is asked for is meant, and not the workflow's commit
        (ACTIONS | {"BOOK_REPOSITORY_BRANCH": "v1"}, Repository(FORK, "v1")),
        # a repository that is named is another one than the workflow's
        (
            ACTIONS | {"BOOK_REPOSITORY_URL": "https://gitlab.com/a/b/c.git"},
            "https://gitlab.com/a/b/c",
        ),
        (ACTIONS | {"BOOK_REPOSITORY_URL": "file:///some/where"}, "file:///some/where"),
        (ACTIONS | {"BOOK_REPOSITORY_URL": ""}, None),
        ({}, None),
    ],
)
def test_the_repository_comes_from_the_environment(tmp_path, variables, expected):
    expected = Repository(expected) if isinstance(expected, str) else expected
    assert origin.find(tmp_path, variables) == expected


@pytest.mark.parametrize(
    "remote, expected",
    [
        ("https://github.com/someone/fork", FORK),
        ("https://github.com/someone/fork.git", FORK),
        ("https://github.com/someone/fork/", FORK),
        ("https://someone:secret@github.com/someone/fork.git", FORK),
        ("git@github.com:someone/fork.git", FORK),
        ("github.com:someone/fork", FORK),
        ("ssh://git@github.com:22/someone/fork.git", FORK),
        ("git://github.com/someone/fork.git", FORK),
        ("https://git.example.org:8443/a/b.git", "https://git.example.org:8443/a/b"),
        # no web host: a folder, a machine in the next room, a proxy
        ("/srv/git/book.git", ""),
        ("../github.com/book", ""),
        ("file:///srv/git/book.git", ""),
        ("C:\\book", ""),
        ("backup:git/book.git", ""),
        ("ssh://backup/git/book.git", ""),
        ("http://127.0.0.1:4000/git/book", ""),
        ("http://localhost/book", ""),
        ("https://github.com", ""),
        ("", ""),
    ],
)
def test_a_remote_leads_to_the_web(remote, expected):
    assert origin.web_address(remote) == expected


def test_a_clone_knows_where_it_came_from(tmp_path, monkeypatch):
    git("init", "--quiet", tmp_path)
    assert origin.find(tmp_path, {}) is None
    git("-C", tmp_path, "remote", "add", "origin", "git@github.com:someone/fork.git")
    assert origin.find(tmp_path, {}) == Repository(FORK, "main")
    assert origin.find(tmp_path, {"BOOK_REPOSITORY_BRANCH": "next"}) == Repository(FORK, "next")
    unpacked = tmp_path / "book"  # an archive of the book, in a repository of something else
    unpacked.mkdir()
    assert origin.find(unpacked, {}) is None
    monkeypatch.setenv("PATH", str(unpacked))
    assert origin.find(tmp_path, {}) is None, "without git nothing is known"


@pytest.mark.parametrize("url", ["someone/fork", "/srv/git/book", "file://book"])
def test_an_address_that_leads_nowhere_is_refused(tmp_path, url):
    with pytest.raises(BookError, match=f"BOOK_REPOSITORY_URL='{url}'.*https://github.com/OWNER"):
        origin.find(tmp_path, {"BOOK_REPOSITORY_URL": url})


def test_what_a_host_offers():
    there = Repository(FORK, "a#b")
    assert there.edit("text/gru.md") == f"{FORK}/edit/a%23b/text/gru.md"
    assert there.colab == IN_COLAB
    there = Repository("https://gitlab.com/a/b")
    assert there.edit("text/gru.md") == "https://gitlab.com/a/b/-/edit/main/text/gru.md"
    assert there.colab == ""
    there = Repository("https://example.org/a/b")
    assert there.edit("text/gru.md") == there.colab == ""


# --- buttons --------------------------------------------------------------------------------------


def buttons(folder, **variables):
    """Each page of a small site, and what its header's buttons lead to by their tooltips."""
    (folder / "chapters").mkdir()
    toy = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Toys · 玩具")])
    nbformat.write(toy, folder / "chapters" / "toy.ipynb")
    (folder / "intro.md").write_text("# A book · 书\n\n```{toctree}\nchapters/toy\n```\n", "utf-8")
    (folder / "conf.py").write_text(
        f"import sys\nsys.path.insert(0, {str(ROOT / '_ext')!r})\n"
        "extensions = ['myst_nb', 'repository']\n"
        "html_theme, root_doc, nb_execution_mode = 'sphinx_book_theme', 'intro', 'off'\n",
        "utf-8",
    )
    run = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "-q", folder, folder / "out"],
        env=environment(**variables),
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    found = {}
    for name in ("intro", "chapters/toy", "genindex"):
        page = BeautifulSoup((folder / "out" / f"{name}.html").read_bytes(), "html.parser")
        links = page.select(".article-header-buttons > a")
        found[name] = {link["title"]: link["href"] for link in links}
    return found


def test_buttons_lead_to_the_repository(tmp_path):
    repository, edit = "Repository · 代码仓库", "Edit the text · 修改文字"
    assert buttons(tmp_path, **ACTIONS) == {
        "intro": {repository: FORK, edit: f"{FORK}/edit/next/intro.md"},
        "chapters/toy": {
            "Open in Colab · 在 Colab 中打开": f"{IN_COLAB}toy.ipynb",
            repository: FORK,
            edit: f"{FORK}/edit/next/text/toy.md",
        },
        "genindex": {},
    }


@pytest.mark.parametrize("variables", [{}, {"BOOK_REPOSITORY_URL": "file:///some/where"}])
def test_no_buttons_without_a_repository_on_the_web(tmp_path, variables):
    assert buttons(tmp_path, **variables) == {"intro": {}, "chapters/toy": {}, "genindex": {}}


# --- copies ---------------------------------------------------------------------------------------


def run_colab(folder, **variables):
    """`make colab`, on the book's chapters; the copies lie in the folder that is returned."""
    for name in ("text", "chapters", "_toc.yml"):
        if not (folder / name).exists():
            (folder / name).symlink_to(ROOT / name)
    with pytest.MonkeyPatch.context() as patch:
        for name in {*os.environ} - {*environment()}:
            patch.delenv(name)
        for name, value in variables.items():
            patch.setenv(name, value)
        colab.main(folder)
    return folder / "_build" / "colab"


@pytest.fixture(scope="module")
def copies(tmp_path_factory):
    return run_colab(tmp_path_factory.mktemp("fork"), **ACTIONS)


def read(folder, name):
    notebook = nbformat.read(folder / "chapters" / f"{name}.ipynb", as_version=4)
    nbformat.validate(notebook)
    return notebook


@pytest.mark.parametrize("name", NAMES)
def test_a_copy_is_the_chapter_after_one_cell(copies, name):
    chapter, copy = read(ROOT, name), read(copies, name)
    first, *others = copy.cells
    command = f'%pip install --quiet "d2lutils @ git+{FORK}@{"5" * 40}"'
    lines = first.source.splitlines()
    assert [line for line in lines if line.startswith("%pip")] == [command]
    assert len(lines) == (7 if name == "conformance" else 3)  # the others need no other files
    assert lines[0].startswith("# Colab") and re.match("# .*[\u4e00-\u9fff]", lines[1])
    for ours, theirs in zip(others, chapter.cells, strict=True):
        if ours.cell_type == "markdown":
            ours.source = ours.source.replace(IN_COLAB, "")
        assert ours == theirs
    assert copy.metadata == chapter.metadata


@pytest.mark.parametrize("name", NAMES)
def test_links_and_pictures_of_a_copy_lead_somewhere(copies, name):
    prose = "\n".join(c.source for c in read(copies, name).cells if c.cell_type == "markdown")
    for address in re.findall(r"\]\(([^)\s]+)", prose):
        if address.startswith(IN_COLAB):
            assert address.removeprefix(IN_COLAB).partition(".ipynb")[0] in NAMES
        else:
            assert address.startswith(("#", "https://", "http://")), address
    assert "](#" in prose or "](http" in prose
    assert re.search(r"\]\([\w-]+\.ipynb", prose) is None


def test_elsewhere_than_on_github_links_stay_beside_each_other(tmp_path):
    there = run_colab(tmp_path, BOOK_REPOSITORY_URL="https://gitlab.com/a/b")
    prose = "\n".join(cell.source for cell in read(there, "deep").cells)
    assert "](gru.ipynb)" in prose and "colab.research" not in prose
    assert "d2lutils @ git+https://gitlab.com/a/b@main" in prose


@pytest.mark.parametrize("name", NAMES)
def test_a_copy_of_a_copy_is_the_same(copies, name):
    copy = read(copies, name)
    colab.for_colab(copy, Repository(FORK, "next", "5" * 40))
    assert copy == read(copies, name)


@pytest.mark.parametrize("name", NAMES)
def test_a_copy_comes_back_as_the_chapter_would(copies, name):
    book = convert.Book(ROOT)
    copy = copies / "chapters" / f"{name}.ipynb"
    assert convert.back(book, copy) == convert.back(book, book.notebook(name))


def test_the_branch_says_what_it_is(copies):
    text = (copies / "README.md").read_text(encoding="utf-8")
    english, chinese, chapters = text.split("\n\n")[1:]
    assert FORK in english and FORK in chinese and "分支" in chinese
    assert re.findall(r"\]\((.*)\)", chapters) == [f"{IN_COLAB}{name}.ipynb" for name in NAMES]
    assert "Gated recurrent units · 门控循环单元" in chapters


def test_a_chapter_that_is_gone_leaves_no_copy(tmp_path):
    old = tmp_path / "_build" / "colab" / "chapters" / "old.ipynb"
    old.parent.mkdir(parents=True)
    old.touch()
    there = run_colab(tmp_path, **ACTIONS)
    assert {path.stem for path in there.glob("chapters/*")} == {*NAMES}


def test_without_a_repository_there_are_no_copies(tmp_path):
    with pytest.raises(SystemExit, match="no repository is known.*BOOK_REPOSITORY_URL=https://"):
        run_colab(tmp_path)
    assert not (tmp_path / "_build").exists()


def test_the_workflow_gives_away_little():
    text = (ROOT / ".github" / "workflows" / "pages.yml").read_text(encoding="utf-8")
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {"contents": "read"}
    writes = {}
    for name, job in workflow["jobs"].items():
        actions = [step["uses"] for step in job["steps"] if "uses" in step]
        assert all(action.startswith("actions/") for action in actions), f"{name}: {actions}"
        writes[name] = {what for what, how in job.get("permissions", {}).items() if how == "write"}
        if writes[name]:  # then nothing of the repository or of its packages runs in it
            steps = str(job["steps"])
            assert not re.search(r"checkout@|setup-|\bmake\b|\bpip\b", steps), name
    assert writes == {"build": set(), "colab": {"contents"}, "pages": {"pages", "id-token"}}


# --- a real run -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The working tree, committed or not, as the fork; what lets git find it in a folder, too."""
    folder = tmp_path_factory.mktemp("published") / "book.git"
    git("init", "--quiet", "--bare", "--initial-branch", "main", folder)
    here = [f"--git-dir={folder}", f"--work-tree={ROOT}", "-C", ROOT]
    git(*here, "add", "pyproject.toml", "README.md", "d2lutils", "chapters", "records")
    git(*here, "commit", "--quiet", "--message", "The book")
    commit = git(*here, "rev-parse", "HEAD")
    redirection = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{folder.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": FORK,
    }
    return ACTIONS | {"GITHUB_SHA": commit}, redirection


@pytest.fixture
def fresh(tmp_path):
    """A new environment's Python, which has every package of this one but the book's library."""
    if Version(version("setuptools")) < Version("77"):
        pytest.skip("pyproject.toml asks for setuptools 77 to build with, and pip may not fetch it")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    packages = tmp_path / "packages"
    packages.mkdir()
    for folder in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for path in Path(folder).iterdir():
            if "d2lutils" not in path.name:
                (packages / path.name).symlink_to(path)
    (own,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    (own / "packages.pth").write_text(f"{packages}\n", encoding="utf-8")
    python = tmp_path / "venv" / "bin" / "python"
    proof = "from importlib.util import find_spec as f; assert f('keras') and not f('d2lutils')"
    subprocess.run([python, "-c", proof], env=environment(), cwd=tmp_path, check=True)
    return python


def run(notebook, python, redirection):
    """Run all cells with this Python, in an empty folder and without an index of packages."""
    home = python.parents[2]
    folder = home / "content"
    folder.mkdir()
    notebook.cells.append(nbformat.v4.new_code_cell("import d2lutils; print(d2lutils.__file__)"))
    offline = environment(
        **kernel.environment(home / "ipython"),
        **redirection,
        PIP_CONFIG_FILE=os.devnull,
        PIP_NO_INDEX="1",
        PIP_NO_DEPS="1",
        PIP_NO_BUILD_ISOLATION="0",  # pip reads this one the other way round
    )
    manager = AsyncKernelManager(kernel_name="python3")
    manager.kernel_spec.argv[0] = str(python)
    place = {"metadata": {"path": str(folder)}}
    try:
        NotebookClient(notebook, km=manager, timeout=300, resources=place).execute(env=offline)
    except CellExecutionError as error:
        said = "".join(output.get("text", "") for output in notebook.cells[0].outputs)
        pytest.fail(f"{error}\nThe first cell said: {said}")  # a %pip that fails raises nothing
    where = Path(notebook.cells[-1].outputs[0].text.strip())
    assert where.is_relative_to(python.parents[1]), where
    assert files(where.parent) == files(ROOT / "d2lutils"), "weights come with the library"


def files(folder):
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return {name for name in found if "__pycache__" not in name}


@pytest.mark.skipif(
    Version(version("keras")) < Version("3.15"),
    reason="the page is about Keras 3.15, and calls what older ones lack",
)
def test_a_copy_runs_where_there_is_nothing_but_it(tmp_path, published, fresh):
    variables, redirection = published
    copy = read(run_colab(tmp_path, **variables), "differences")
    run(copy, fresh, redirection)


def test_a_copy_that_reads_the_repository_has_it(tmp_path, published, fresh):
    """Its first cell and a line of ours: the chapter itself takes long."""
    variables, redirection = published
    copy = read(run_colab(tmp_path, **variables), "conformance")
    reads = "from pathlib import Path; assert [*Path('..', 'records').glob('*.json')]"
    copy.cells = [copy.cells[0], nbformat.v4.new_code_cell(reads)]
    run(copy, fresh, redirection)
