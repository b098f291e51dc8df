"""The chapters as they are written: both languages say the same, and notebooks match their text.

Nothing runs here and TensorFlow is not imported; nbval runs the notebooks.
"""

import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import jupytext
import nbformat
import pytest
import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.dollarmath import dollarmath_plugin
from nbformat import NotebookNode

import chapters
import convert
import library

BOOK = convert.Book(Path(__file__).resolve().parents[1])
NAMES = BOOK.names()
# Appendices, whose part of the table of contents is not numbered, teach nothing of their own.
CHAPTERS = [
    entry["file"].removeprefix("chapters/")
    for part in yaml.safe_load((BOOK.root / "_toc.yml").read_text(encoding="utf-8"))["parts"]
    for entry in part["chapters"]
    if part.get("numbered")
]
PAGES = ["intro.md", "notation.md", "references.md", *(f"text/{name}.md" for name in NAMES)]
LANGUAGES = {"en": "zh", "zh": "en"}
HAN = r"[\u3400-\u9fff]"
ENDING = ["Exercises", "Summary", "References", "Where next"]
LONGEST_CELL = 15  # lines that are not blank; quoted layers and collapsed cells apart
MARKDOWN = MarkdownIt("commonmark").enable("table").use(dollarmath_plugin)


@cache
def cells_of(page: str) -> list[NotebookNode]:
    """The cells of a text as it is written."""
    return jupytext.reads((BOOK.root / page).read_text(encoding="utf-8"), fmt="md:myst").cells


@cache
def notebook_of(name: str) -> NotebookNode:
    path = BOOK.notebook(name)
    assert path.is_file(), f"{path.name} is not built: make chapters"
    return nbformat.read(path, as_version=4)


def code_cells(name: str) -> list[NotebookNode]:
    return [cell for cell in notebook_of(name).cells if cell.cell_type == "code"]


def lang(cell: NotebookNode) -> str | None:
    return cell.metadata.get("lang")


def tags(cell: NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def is_heading(cell: NotebookNode) -> bool:
    return cell.cell_type == "markdown" and cell.source.startswith("#")


def pairs(page: str) -> list[tuple[NotebookNode, NotebookNode]]:
    """Each English cell with the cell after it."""
    return [
        (a, b)
        for a, b in pairwise([*cells_of(page), nbformat.v4.new_raw_cell()])
        if lang(a) == "en"
    ]


def show(cell: NotebookNode) -> str:
    """How a cell begins, for a message."""
    return repr(cell.source[:70])


@dataclass
class Prose:
    """What a cell's Markdown is made of."""

    words: str  # without code, formulas and addresses
    outline: list[str]  # paragraphs, lists and their items, tables and their cells
    links: list[str]
    formulas: Counter[str]
    code: Counter[str]


def parse(source: str) -> Prose:
    prose = Prose("", [], [], Counter(), Counter())

    def take(tokens: list[Token]) -> None:
        for token in tokens:
            if token.type == "text":
                prose.words += token.content
            elif token.type in ("softbreak", "hardbreak"):
                prose.words += "\n"
            elif token.type == "strong_close" and prose.words.endswith("。"):
                prose.words += "\n"  # bold that ends in a full stop needs the space after it
            elif token.type.startswith("math"):
                tex = re.sub(r"\\text\{[^{}]*\}", r"\\text{}", token.content)  # in either language
                prose.formulas[re.sub(r"\s+", "", tex)] += 1
                prose.words += "$"
            elif token.type in ("code_inline", "fence", "code_block"):
                prose.code[token.content] += 1
                prose.words += "`"
            elif token.type in ("html_block", "html_inline"):
                prose.outline.append(f"html {token.content}")
            elif token.type == "link_open":
                prose.links.append(str(token.attrs["href"]))
            elif token.type.endswith("_open") and token.block and not token.hidden:
                prose.outline.append(token.type.removesuffix("_open"))
                prose.words += "\n"
            take(token.children or [])

    take(MARKDOWN.parse(source))
    return prose


# --- texts and notebooks --------------------------------------------------------------------------


def test_every_text_stands_in_the_table_of_contents():
    listed = set(BOOK.contents())
    assert listed == set(NAMES), "chapters in _toc.yml and files in text/ differ"


@pytest.mark.parametrize("name", NAMES)
def test_the_notebook_is_in_step_with_its_text_and_the_library(name):
    found = chapters.out_of_step(BOOK, [name])
    assert not found, "\n".join([*found, "run: make chapters"])


def test_every_notebook_has_a_text():
    notebooks = {path.stem for path in (BOOK.root / "chapters").glob("*.ipynb")}
    assert notebooks <= set(NAMES), "a notebook without a text is built by nothing: remove it"


@pytest.mark.parametrize("name", NAMES)
def test_an_edited_notebook_can_come_back_as_its_text(name):
    text = BOOK.text(name).read_text(encoding="utf-8")
    assert convert.back(BOOK, BOOK.notebook(name)) == (name, text)


@pytest.mark.parametrize("name", CHAPTERS)
def test_quoted_code_is_the_code_the_library_runs(name):
    quoted = [cell for cell in code_cells(name) if "quote" in cell.metadata]
    for cell in quoted:
        dotted = cell.metadata["quote"]
        module = BOOK.root.joinpath(*dotted.split(".")[:-1]).with_suffix(".py")
        assert f"\n{cell.source}\n" in module.read_text(encoding="utf-8"), (
            f"{dotted}: make chapters"
        )


def test_every_cell_and_composition_is_shown_in_a_chapter():
    shown = {cell.metadata.get("quote", "") for name in CHAPTERS for cell in code_cells(name)}
    layers = {dotted.rpartition(".")[2] for dotted in shown}
    assert layers >= {"RNNCell", "GRUCell", "LSTMCell", "StackedCells", "Bidirectional"}


# --- two languages --------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
def test_each_english_cell_is_followed_by_its_chinese_twin(page):
    cells = [nbformat.v4.new_raw_cell(), *cells_of(page), nbformat.v4.new_raw_cell()]
    assert any(lang(cell) for cell in cells)
    for before, cell, after in zip(cells, cells[1:], cells[2:]):
        if lang(cell) is not None:
            assert lang(cell) in LANGUAGES and cell.cell_type == "markdown", show(cell)
            twin = after if lang(cell) == "en" else before
            assert lang(twin) == LANGUAGES[lang(cell)], f"{show(cell)} stands alone"
            assert tags(twin) == tags(cell), f"{show(cell)}: its twin has other tags"


@pytest.mark.parametrize("page", PAGES)
def test_cells_without_a_language_hold_headings_equations_papers_or_commands(page):
    """Whatever else has words needs a language."""
    wrong, section = [], ""
    for cell in cells_of(page):
        if is_heading(cell):
            section = cell.source.lstrip("# ").split(" · ")[0]
            if "\n" in cell.source:
                wrong.append(f"{show(cell)}: a heading has its own cell (make format)")
        elif cell.cell_type == "markdown" and lang(cell) is None and section != "References":
            if words := re.sub(r"[$`\s]", "", parse(cell.source).words):
                wrong.append(f"{show(cell)}: words and no language: {words}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("page", PAGES)
def test_headings_are_bilingual(page):
    headings = [cell for cell in cells_of(page) if is_heading(cell)]
    assert headings[0].source.startswith("# ")
    for cell in headings:
        english, _, chinese = cell.source.strip("# \n").partition(" · ")
        assert english and not re.search(HAN, english), show(cell)
        assert re.search(HAN, chinese), show(cell)


@pytest.mark.parametrize("page", PAGES)
def test_english_cells_are_english_and_chinese_cells_chinese(page):
    for pair in pairs(page):
        for cell, chinese in zip(pair, (False, True)):
            words = parse(cell.source).words
            han, latin = len(re.findall(HAN, words)), len(re.findall(r"[A-Za-z]{2,}", words))
            assert (han > latin) == chinese, f"{show(cell)}: {lang(cell)}?"


@pytest.mark.parametrize("page", PAGES)
def test_twins_have_the_same_outline_links_formulas_code_and_figures(page):
    """Paragraph by paragraph, item by item; what is not prose is the same in both."""
    wrong = []
    for english, chinese in pairs(page):
        ours, theirs = parse(english.source), parse(chinese.source)
        for what, mine, other in (
            ("paragraphs, items or cells", ours.outline, theirs.outline),
            ("links", sorted(ours.links), sorted(theirs.links)),
            ("formulas", set(ours.formulas), set(theirs.formulas)),
            ("code", set(ours.code), set(theirs.code)),
            ("figures", figures(ours.words), figures(theirs.words)),
        ):
            if mine != other:
                only = set(mine) ^ set(other) or "another order or number"
                wrong.append(f"{show(english)}: other {what} in Chinese: {only}")
    assert not wrong, "\n".join(wrong)


def figures(words: str) -> set[float]:
    """Numbers of two digits or more and those with a decimal point; small ones may be words.

    2.3 million is 230 万.
    """
    words = re.sub(r"(?<=\d)[, \u202f](?=\d{3}\b)", "", words)
    scale = {"million": 1e6, "thousand": 1e3, "万": 1e4, "亿": 1e8}
    found = re.findall(rf"(\d+(?:\.\d+)?)(?:\s?({'|'.join(scale)}))?", words)
    values = (round(float(n) * scale.get(unit, 1), 6) for n, unit in found)
    return {value for value in values if value >= 10 or value % 1}


@pytest.mark.parametrize("page", PAGES)
def test_chinese_is_set_as_chinese(page):
    """Full-width punctuation; a space between Chinese and Latin letters, digits, formulas, code."""
    wrong = []
    for _, chinese in pairs(page):
        words = parse(chinese.source).words
        for rule in (
            rf"{HAN}[,;:!?()]|[,;!?(]{HAN}",  # half-width punctuation
            rf"{HAN}\.(?!\d)",
            rf"{HAN}[A-Za-z0-9$`]|[A-Za-z0-9$`%]{HAN}",  # no space
            r"[，。；：！？（）、] (?!$)|[^\n] [，。；：！？（）、]",  # a space too many
            r"，，|。。|[「」『』]",
            r"\*",  # `**粗。**体`: no bold type, for the end of it touches both a mark and a letter
        ):
            wrong += re.findall(rf".{{0,12}}(?:{rule}).{{0,12}}", words)
    assert not wrong, "\n".join(wrong)


GLOSSARY = yaml.safe_load((BOOK.root / "glossary.yml").read_text(encoding="utf-8"))


def forms_of(term: dict) -> list[str]:
    """A term's English forms."""
    return [form.lower() for form in [term["en"], *term.get("also", [])]]


def test_the_glossary_contradicts_itself_nowhere():
    english = Counter(
        form.lower() for term in GLOSSARY for form in [term["en"], *term.get("also", [])]
    )
    assert [form for form, count in english.items() if count > 1] == []
    for term in GLOSSARY:
        assert set(term) <= {"en", "zh", "also", "aliases", "avoid", "note"}, term
        right = {word for other in GLOSSARY for word in [other["zh"], *other.get("aliases", [])]}
        wrong = {word for word in term.get("avoid", []) if any(word in good for good in right)}
        assert not wrong, f"{term['en']}: {wrong} is agreed elsewhere"


def terms_in(english: str) -> list[dict]:
    """The glossary's terms in an English cell, the longest first where one lies in another."""
    words = parse(re.sub(r"\$n\$-gram", "n-gram", english)).words.lower()
    forms = [
        (form.lower(), term) for term in GLOSSARY for form in [term["en"], *term.get("also", [])]
    ]
    found = []
    for form, term in sorted(forms, key=lambda pair: -len(pair[0])):
        ending = r"(?:y|ies)" if form.endswith("y") else r"(?:e?s)?"
        pattern = rf"(?<![\w-]){re.escape(form.removesuffix('y'))}{ending}(?!\w)"
        if re.search(pattern, words):
            found.append(term)
            words = re.sub(pattern, " ", words)
    return found


@pytest.mark.parametrize("page", PAGES)
def test_terms_are_those_of_the_glossary(page):
    wrong = []
    for english, chinese in pairs(page):
        for term in terms_in(english.source):
            agreed = [term["zh"], *term.get("aliases", [])]
            if not any(word in chinese.source for word in agreed):
                wrong.append(f"{show(english)}: {term['en']!r} is not {' or '.join(agreed)}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("page", PAGES)
def test_no_term_is_one_that_the_glossary_avoids(page):
    wrong = [
        f"{show(cell)}: {word}, write {term['zh']}"
        for cell in cells_of(page)
        for term in GLOSSARY
        for word in term.get("avoid", [])
        if word in cell.source
    ]
    assert not wrong, "\n".join(wrong)


# --- what a chapter needs -------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_the_first_code_cell_sets_the_seed_and_deterministic_operations(name):
    first = code_cells(name)[0].source
    assert "keras.utils.set_random_seed(" in first and "enable_op_determinism()" in first
    assert "hide-cell" not in tags(code_cells(name)[0])


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_chapter_ends_with_exercises_summary_references_and_where_next(name):
    headings = [cell.source for cell in notebook_of(name).cells if cell.source.startswith("## ")]
    assert [re.match(r"## (.+?) · ", heading)[1] for heading in headings[-4:]] == ENDING


@pytest.mark.parametrize("name", CHAPTERS)
def test_exercises_have_a_solution_in_words_and_in_code_that_ran(name):
    cells = notebook_of(name).cells
    starts = [i for i, cell in enumerate(cells) if cell.source.startswith("### Exercise ")]
    assert len(starts) >= 5, f"{len(starts)} exercises"
    end = next(i for i, cell in enumerate(cells) if cell.source.startswith("## Summary"))
    for number, (start, stop) in enumerate(pairwise([*starts, end]), 1):
        assert cells[start].source.startswith(f"### Exercise {number} · 练习 {number}")
        question = [i for i in range(start, stop) if lang(cells[i]) and not tags(cells[i])]
        solution = [i for i in range(start, stop) if "hide-cell" in tags(cells[i])]
        assert question and solution and max(question) < min(solution), f"exercise {number}"
        english, chinese, *_ = solution
        assert cells[english].source.startswith("**Solution.**"), f"exercise {number}"
        assert cells[chinese].source.startswith("**解答。**"), f"exercise {number}"
        assert any(cells[i].get("execution_count") for i in solution), f"exercise {number}: no code"


@pytest.mark.parametrize("name", NAMES)
def test_code_cells_are_short(name):
    wrong = [
        f"{show(cell)} has {lines} lines"
        for cell in code_cells(name)
        if "quote" not in cell.metadata and "hide-cell" not in tags(cell)
        if (lines := len(re.findall(r"(?m)^\s*\S", cell.source))) > LONGEST_CELL
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", CHAPTERS)
def test_figures_are_described_in_both_languages(name):
    drawings = 0
    for cell in code_cells(name):
        images = [kind for o in cell.outputs for kind in o.get("data", {}) if "image/" in kind]
        assert set(images) <= {"image/png"}, f"{show(cell)}: {images}"
        assert bool(images) == ("alt" in cell.metadata), f"{show(cell)}: alt and figure go together"
        if images:
            drawings += 1
            english, chinese = cell.metadata["alt"]["en"], cell.metadata["alt"]["zh"]
            assert len(english.split()) > 4 and not re.search(HAN, english), show(cell)
            assert len(re.findall(HAN, chinese)) > 5, show(cell)
    assert drawings, "a chapter without a picture"


@pytest.mark.parametrize("name", NAMES)
def test_outputs_are_free_of_errors_warnings_and_addresses(name):
    for cell in code_cells(name):
        for output in cell.outputs:
            assert output.output_type != "error" or "raises-exception" in tags(cell), show(cell)
            assert output.get("name") != "stderr", f"{show(cell)}: {output.text[:200]}"
            printed = str(output.get("text", output.get("data", {}).get("text/plain", "")))
            assert not re.search(r"\bat 0x[0-9a-f]{4,}|<keras\.|Warning:", printed), show(cell)


@pytest.mark.parametrize("name", NAMES)
def test_what_nbval_does_not_compare_is_held_by_an_assertion(name):
    """A trained score is asserted in the section that shows it; a time alone need not be."""
    shown, asserted, wrong = [], False, []
    for cell in [*notebook_of(name).cells, nbformat.v4.new_markdown_cell("# The end")]:
        if is_heading(cell):
            wrong += [] if asserted else shown
            shown, asserted = [], False
        elif cell.cell_type == "code":
            asserted |= "assert " in cell.source or "assert_" in cell.source
            times = re.search(r"seconds|perf_counter|stopwatch|timeit", cell.source)
            if "nbval-ignore-output" in tags(cell) and not times:
                shown.append(show(cell))
    assert not wrong, "\n".join(wrong)


# --- equations, links, papers ---------------------------------------------------------------------


@pytest.mark.parametrize("name", CHAPTERS)
def test_numbered_equations_stand_alone_and_count_from_one(name):
    place = BOOK.names().index(name) + 1
    sources = [cell.source for cell in notebook_of(name).cells if cell.cell_type == "markdown"]
    numbers = []
    for source in sources:
        tagged = re.findall(r"\\tag\{([\d.]+)\} \\label\{(eq:[\w-]+)\}", source)
        assert len(tagged) == source.count(r"\label{") == source.count(r"\tag{") <= 1, source[:70]
        for number, label in tagged:
            assert source.startswith("$$\n") and source.endswith("\n$$"), f"{label} is not alone"
            numbers.append(number)
    assert numbers == [f"{place}.{order}" for order in range(1, len(numbers) + 1)] and numbers


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files_and_papers_of_the_book(page):
    entries = set(re.findall(r"url = \{(.+?)\}", (BOOK.root / "references.bib").read_text("utf-8")))
    folder = "chapters" if page.startswith("text/") else "."
    for cell in cells_of(page):
        for link in parse(cell.source).links if cell.cell_type == "markdown" else []:
            if re.search(r"//(?:\w+\.)?(?:doi|arxiv)\.org/", link):
                assert link in entries, f"{link} is not the url of an entry in references.bib"
            elif "://" not in link and not link.startswith("#"):
                assert (BOOK.root / folder / link.partition("#")[0]).is_file(), f"no {link}"


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_chapter_lists_the_papers_it_cites(name):
    section, cited, listed = "", set(), set()
    for cell in notebook_of(name).cells:
        if cell.source.startswith("## "):
            section = cell.source
        elif cell.cell_type == "markdown" and not section.startswith("## Where next"):
            papers = {link for link in parse(cell.source).links if re.search(r"doi|arxiv", link)}
            (listed if section.startswith("## References") else cited).update(papers)
    assert cited, "a chapter without a source"
    assert cited <= listed, f"cited and not listed: {cited - listed}"


@pytest.mark.parametrize("page", PAGES)
def test_a_text_reads_well_without_the_site(page):
    """No role, no directive, no HTML: Jupyter and Colab would show them as they are."""
    for cell in cells_of(page):
        if cell.cell_type == "markdown" and page != "references.md":
            prose = parse(cell.source)
            assert not any(kind.startswith("html") for kind in prose.outline), show(cell)
            assert not re.search(r"\{[a-z:-]+\}`", prose.words), f"{show(cell)}: a role"
            assert not re.search(r"(?m)^(:::|```\{)", cell.source), f"{show(cell)}: a directive"


def test_the_library_imports_nothing_from_the_tools_the_site_or_the_tests():
    for path in sorted((BOOK.root / "d2lutils").rglob("*.py")):
        package = path.parent.relative_to(BOOK.root).parts
        for module, _ in library.imports(path.read_text(encoding="utf-8"), package):
            assert module.split(".")[0] not in {"tools", "_ext", "tests", "chapters"}, path


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_of_the_readme_lead_to_files_and_headings(page):
    source = (BOOK.root / page).read_text(encoding="utf-8")
    prose = re.sub(r"(?s)````.*?````|`[^`\n]*`", "", source)
    links = re.findall(r"\]\(([^()\s]+)\)", prose)
    assert links
    for link in (link for link in links if "://" not in link):
        file, _, anchor = link.partition("#")
        assert (BOOK.root / (file or page)).is_file(), link
        if anchor:
            text = (BOOK.root / (file or page)).read_text(encoding="utf-8")
            headings = re.findall(r"(?m)^#+ (.+)$", text)
            slugs = [re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings]
            assert anchor in slugs, link
