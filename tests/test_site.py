"""The website: it builds without a warning, and its pages show what the notebooks say."""

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import nbformat
import pytest
import soupsieve
import yaml
from bs4 import BeautifulSoup, NavigableString, Tag
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

ROOT = Path(__file__).resolve().parents[1]
PARTS = yaml.safe_load((ROOT / "_toc.yml").read_text("utf8"))["parts"]
CHAPTERS, APPENDICES = (
    [
        Path(entry["file"]).name
        for part in PARTS
        for entry in part["chapters"]
        if entry["file"].startswith("chapters/") and bool(part.get("numbered")) == numbered
    ]
    for numbered in (True, False)
)
CODES = {"en": "en", "zh": "zh-CN"}
# Where the site is built for, and from what, whatever the environment of the tests says.
ADDRESS = "http://book.localhost/some/book/"
FORK = "https://github.com/someone/fork"
TAGGED = re.compile(r"\\tag\{([\d.]+)\}\s*\\label\{([^}]+)\}")
EQUATION_LINK = re.compile(r"\[(\([\d.]+\))\]\([\w.-]*#(eq:[\w-]+)\)")
HAN = re.compile(r"[\u4e00-\u9fff]")


STRICT = "--warningiserror", "--nitpick", "--keep-going", "--quiet"


def build(book, out, *flags):
    """Run Jupyter Book as `make book` does."""
    command = [sys.executable, ROOT / "tools" / "website.py", "build", book]
    named = {"BOOK_SITE_URL": ADDRESS, "BOOK_REPOSITORY_URL": FORK}
    return subprocess.run(
        [*command, "--path-output", out, *flags],
        env=os.environ | named,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )


class Site:
    """The built pages, parsed once; those in Chinese alone are the others' twins in zh/."""

    def __init__(self, folder):
        self.folder = folder
        self.pages = {
            path.relative_to(folder).as_posix(): BeautifulSoup(path.read_bytes(), "lxml")
            for path in sorted(folder.rglob("*.html"))
            if not path.is_relative_to(folder / "_static")
        }

    def article(self, page):
        return self.pages[page].select_one("article.bd-article")

    def articles(self):
        """The pages that somebody wrote, by name."""
        generated = ("genindex.html", "search.html", "index.html", "404.html")
        return {
            page: self.article(page)
            for page in self.pages
            if page not in generated and not page.startswith("zh/")
        }


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """The website's folder, and what its build said: built once for all of pytest's processes.

    And once for all runs of pytest that have the same TESTED_SITE, a folder, in their environment.
    """
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    shared = Path(os.environ.get("TESTED_SITE", shared))
    said = shared / "site.json"
    with open(shared / "site.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not said.is_file():
            run = build(ROOT, shared / "site", "--all", *STRICT)
            said.write_text(json.dumps([run.returncode, run.stdout + run.stderr]), "utf8")
    return shared / "site" / "_build" / "html", *json.loads(said.read_text("utf8"))


@pytest.fixture(scope="session")
def site(built):
    return Site(built[0])


@pytest.fixture(params=CHAPTERS)
def chapter(request, site):
    """A chapter's notebook and its page."""
    notebook = nbformat.read(ROOT / "chapters" / f"{request.param}.ipynb", as_version=4)
    return notebook, site.article(f"chapters/{request.param}.html")


def markdown(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "markdown"]


def blocks(cell):
    """The paragraphs, lists, tables, … of a Markdown cell."""
    tokens = MarkdownIt("commonmark").enable("table").use(dollarmath_plugin).parse(cell.source)
    return [token.type for token in tokens if token.level == 0 and token.nesting >= 0]


NO_PROSE = soupsieve.compile("pre, code, .math, .cell_output, script, .headerlink")
MARKED = soupsieve.compile("[lang], .separator, #references > ul")


def prose(element, *others):
    """An element's own words, without code, output, formulas, and what others match."""
    for child in element:
        if type(child) is NavigableString:
            yield child
        elif isinstance(child, Tag) and not any(x.match(child) for x in (NO_PROSE, *others)):
            yield from prose(child, *others)


def test_builds_without_a_warning(built):
    _, code, said = built
    assert code == 0, said
    assert "WARNING" not in said


def test_links_and_anchors_lead_somewhere(site):
    names = {
        page: {tag[key] for key in ("id", "name") for tag in soup.find_all(attrs={key: True})}
        for page, soup in site.pages.items()
    }
    dead = []
    for page, soup in site.pages.items():
        base = soup.base["href"] if soup.base else ADDRESS + page
        for tag in soup.find_all(["a", "img", "link", "script", "form"]):
            address = next((tag[key] for key in ("href", "src", "action") if tag.has_attr(key)), "")
            place = urlsplit(urljoin(base, address))
            if not address or place.netloc != urlsplit(ADDRESS).netloc:
                continue
            path = unquote(place.path).removeprefix(urlsplit(ADDRESS).path)
            anchor = unquote(place.fragment)
            if not (site.folder / path).is_file() or (anchor and anchor not in names[path]):
                dead.append(f"{page}: {tag.name} {address}")
    assert not dead


def test_buttons_lead_to_the_repository_it_was_built_from(site):
    for page, soup in site.pages.items():
        links = {link["href"] for link in soup.select(".article-header-buttons a[href]")}
        foreign = {link for link in links if urlsplit(link).netloc}
        assert "#" not in links
        assert all("/someone/fork" in link for link in foreign), foreign
        named = page.removeprefix("zh/").startswith("chapters/")
        assert any("colab" in link for link in foreign) == named, page
        assert "executablebooks" not in str(soup)


def test_titles_are_bilingual(site):
    bilingual = re.compile(r"(\d+\. )?([A-Za-z\d].* · .*[\u4e00-\u9fff]|(\w+) · \3)", re.S)
    for page, article in site.articles().items():
        soup = site.pages[page]
        titles = article.select("h1, h2, h3")
        titles += soup.select(".bd-links a, .bd-links .caption-text, .bd-toc-nav a")
        titles += soup.select(".prev-next-title, summary:not(.hide *, .hide > summary)")
        assert len(titles) > 5
        for title in [soup.title, *titles]:
            assert bilingual.match(title.get_text().strip()), f"{page}: {title.get_text()}"
        for title in titles:
            spans = [tuple(span.attrs.items()) for span in title.select("span[lang], .separator")]
            languages = [("lang", "en")], [("class", ["separator"])], [("lang", "zh-CN")]
            assert spans == [*map(tuple, languages)], f"{page}: {title}"


def test_sidebar_lists_the_chapters_in_order(site):
    links = site.pages["intro.html"].select(".bd-links a.reference.internal")
    addresses = [link["href"] for link in links if "chapters/" in link["href"]]
    assert addresses == [f"chapters/{name}.html" for name in CHAPTERS + APPENDICES]
    titles = [link.get_text() for link in links if "chapters/" in link["href"]]
    numbers = [re.match(r"\d*", title)[0] for title in titles]
    assert numbers == [*map(str, range(1, len(CHAPTERS) + 1)), *("" for _ in APPENDICES)]


def test_equations_have_their_numbers(chapter):
    notebook, page = chapter
    tagged = [pair for cell in markdown(notebook) for pair in TAGGED.findall(cell.source)]
    assert tagged
    for number, label in tagged:
        formula = page.find("div", id=label)
        assert "math" in formula["class"]
        assert formula.select_one(".eqno").find(string=True).strip() == f"({number})"
    chapter_number = page.h1.get_text().split(".")[0]
    assert {number.split(".")[0] for number, _ in tagged} == {chapter_number}
    assert len(page.select("div.math .eqno")) == len(tagged)


def test_equation_links_show_the_number(chapter):
    notebook, page = chapter
    written = [pair for cell in markdown(notebook) for pair in EQUATION_LINK.findall(cell.source)]
    shown = [
        (link.get_text(), link["href"].split("#")[1])
        for link in page.select("a[href*='#eq:']:not(.headerlink)")
    ]
    assert shown == written


def test_formulas_are_typeset(chapter):
    notebook, page = chapter
    reader = MarkdownIt("commonmark").enable("table").use(dollarmath_plugin)
    tokens = [token for cell in markdown(notebook) for token in reader.parse(cell.source)]
    tokens += [child for token in tokens for child in token.children or []]
    written = [token for token in tokens if token.type.startswith("math_")]
    formulas = page.select(".math")
    assert len(formulas) == len(written) > 10
    for formula in formulas:
        assert len(formula.select("math > semantics > annotation")) == 1
        assert formula.select_one(".katex-html[aria-hidden=true]").get_text()
        assert not re.search(r"\\(label|tag|ref|eqref)\b", formula.get_text())
    assert not page.select(".katex-error, .MathJax")


def test_no_raw_markup_is_visible(site):
    raw = re.compile(r"\{[a-z:-]+\}`|:::|```|\\label|\\tag|\\begin|\$|\*\*|\]\(|^#+ |`", re.M)
    for page, article in site.articles().items():
        assert not raw.findall("".join(prose(article))), page
        assert not article.select(".system-message, .problematic, .xref.myst"), page


def test_figures_have_alternative_text_in_both_languages(chapter):
    notebook, page = chapter
    written = [
        f"{cell.metadata.alt.en} · {cell.metadata.alt.zh}"
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    assert written
    assert [image["alt"] for image in page.select("img")] == written
    for text in written:
        english, chinese = text.split(" · ", 1)
        assert len(english) > 20 and len(HAN.findall(chinese)) > 5


def test_figures_keep_their_place_and_lead_to_themselves(site):
    for page, article in site.articles().items():
        ends = re.findall(r"<(/?)a[\s>]", (site.folder / page).read_text("utf8"))
        assert ends == ["", "/"] * (len(ends) // 2), f"{page}: links in links"
        for image in article.select("img"):
            assert image.parent.name == "a" and image.parent["class"] == ["figure"]
            assert image.parent["href"] == image["src"]
            assert int(image["width"]) > 100 and int(image["height"]) > 50, image
            assert image["loading"] == "lazy"


def test_every_image_has_alternative_text(site):
    for soup in site.pages.values():
        for image in soup.find_all("img"):
            assert len(image["alt"]) > 5 and Path(image["src"]).stem not in image["alt"]


@pytest.mark.parametrize("language", CODES)
def test_every_block_bears_its_language(chapter, language):
    notebook, page = chapter
    cells = [cell for cell in markdown(notebook) if cell.metadata.get("lang") == language]
    written = [block for cell in cells for block in blocks(cell)]
    marked = page.select(f"[lang='{CODES[language]}']:not(span)")
    assert len(written) > 20
    assert len(marked) == len(written)
    script = {"en": re.compile(r"[A-Za-z]{2}"), "zh": HAN}[language]
    for block in marked:
        assert block.name != "p" or script.search(block.get_text()), block


def test_all_prose_bears_its_language(site):
    """The list of papers alone does not: their titles are in the languages they are in."""
    for page, article in site.articles().items():
        words = "".join(prose(article, MARKED))
        unmarked = re.findall(r"[\u4e00-\u9fff]+|[A-Za-z]{3,} [A-Za-z]{3,}", words)
        assert not unmarked, page


def test_collapsed_cells_are_closed(chapter):
    notebook, page = chapter
    hidden = [cell for cell in notebook.cells if "hide-cell" in cell.metadata.get("tags", [])]
    code = [cell for cell in hidden if cell.cell_type == "code"]
    assert len(page.select("details div.cell_input")) == len(code)
    written = [block for cell in hidden if cell not in code for block in blocks(cell)]
    shown = page.select("details.solution > :not(summary, div.cell)")
    assert written and len(shown) == len(written)
    assert not page.select("details[open]")


def test_figures_and_output_stay_in_sight(chapter):
    _, page = chapter
    assert page.select("details.hide")
    assert not page.select("details.hide img, details.hide .cell_output")


def test_each_exercise_has_one_solution(chapter):
    _, page = chapter
    exercises = [title.parent for title in page.select("h3") if "练习" in title.get_text()]
    assert len(exercises) >= 5
    for exercise in exercises:
        assert len(exercise.select("details.solution")) == 1, exercise.h3.get_text()
        assert exercise.select("details.solution div.cell_input"), exercise.h3.get_text()


def test_citations_are_in_the_references(site):
    entries = set(re.findall(r"url = \{(.+?)\}", (ROOT / "references.bib").read_text("utf8")))
    links = {link["href"] for link in site.article("references.html").select("a.external")}
    assert entries == links
    for page, article in site.articles().items():
        cited = {link["href"] for link in article.select("a.external")}
        papers = {href for href in cited if re.search(r"//(dx\.)?doi\.org|//arxiv\.org", href)}
        assert papers <= entries, f"{page}: {papers - entries} not in references.bib"


HOSTS = {  # beside those of references.bib
    "github.com",  # the repository, and issues of Keras
    "openxla.org",
    "colab.research.google.com",
    "hypothesis.readthedocs.io",
    "semver.org",
}


def test_links_to_elsewhere_are_few_and_secure(site):
    """None is followed here. What leads where is printed: pytest -s."""
    links = [
        urlsplit(link["href"])
        for soup in site.pages.values()
        for link in soup.select("a[href]")
        if urlsplit(link["href"]).netloc not in ("", urlsplit(ADDRESS).netloc)
    ]
    count = Counter(link.netloc for link in links)
    print(*(f"\n{number:5} {host}" for host, number in count.most_common()))
    assert {link.scheme for link in links} == {"https"}
    bibliography = re.findall(r"url = \{(.+?)\}", (ROOT / "references.bib").read_text("utf8"))
    assert {*count} == HOSTS | {urlsplit(address).netloc for address in bibliography}


# --- what changes is built anew -------------------------------------------------------------------


def test_a_changed_title_reaches_the_sidebar_of_each_page(tmp_path):
    book, out = tmp_path / "book", tmp_path / "out"
    book.mkdir()
    for folder in ("_ext", "_templates"):
        (book / folder).symlink_to(ROOT / folder)
    for file in ("_config.yml", "references.bib"):
        shutil.copy(ROOT / file, book)
    (book / "_toc.yml").write_text(
        "format: jb-book\nroot: x\nchapters: [{file: y}, {file: z}]\n", "utf8"
    )
    (book / "x.md").write_text("# First · 第一\n", "utf8")
    (book / "z.md").write_text("# Last · 第三\n", "utf8")
    for title in ("Old", "New"):
        (book / "y.md").write_text(f"# {title} · 第二\n", "utf8")
        run = build(book, out, "--quiet")
        assert run.returncode == 0, run.stdout + run.stderr
        page = BeautifulSoup((out / "_build/html/z.html").read_bytes(), "lxml")
        assert title in page.select_one(".bd-links").get_text()


# --- what the build must refuse -------------------------------------------------------------------

PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
    "+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
FAULTS = {
    "a figure without alternative text": "a cell that draws needs `alt`",
    "a label without a number": "an equation needs one \\tag and one \\label",
    "a label twice": "the label 'eq:x-twice' is used twice",
    "a link to no equation": "eq:x-nowhere",
    "a heading in a cell with a language": "cell 6: a heading needs a cell of its own",
    "a formula that KaTeX refuses": "KaTeX parse error: Undefined control sequence: \\nonesuch",
    "an unknown language": "cell 7: `lang` is one of ['en', 'zh'], not 'de'",
    "an error's words on stderr": "stderr was found in the cell outputs",
}


@pytest.fixture(scope="session")
def refused(tmp_path_factory):
    """What the build says of a book with every fault."""
    book = tmp_path_factory.mktemp("faulty")
    (book / "_ext").symlink_to(ROOT / "_ext")
    for file in ("_config.yml", "references.bib"):
        shutil.copy(ROOT / file, book)
    image = nbformat.v4.new_output("display_data", data={"image/png": PNG})
    stderr = nbformat.v4.new_output("stream", name="stderr", text="it failed\n")
    text, code = nbformat.v4.new_markdown_cell, nbformat.v4.new_code_cell
    cells = [
        text("# Title"),
        text("$$ a \\label{eq:x-a} $$"),
        text("$$ a \\tag{1.1}\\label{eq:x-twice} $$"),
        text("$$ a \\tag{1.2}\\label{eq:x-twice} $$"),
        text("see [(1.1)](#eq:x-nowhere)"),
        text("## Heading\n\nand text", metadata={"lang": "en"}),
        text("deutsch", metadata={"lang": "de"}),
        text("$\\nonesuch$"),
        code("draw()", outputs=[image]),
        code("fail()", outputs=[stderr]),
    ]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata["language_info"] = {"name": "python"}
    (book / "x.ipynb").write_text(json.dumps(notebook), "utf8")
    (book / "_toc.yml").write_text("format: jb-book\nroot: x\n", "utf8")
    run = build(book, book, "--all", *STRICT)
    assert run.returncode != 0
    return run.stdout + run.stderr


@pytest.mark.parametrize("fault", FAULTS)
def test_build_refuses(refused, fault):
    assert FAULTS[fault] in refused
