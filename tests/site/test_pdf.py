"""The book as PDF: two that say what the site's pages say, each in one language, and tell where."""

import re
from collections import Counter
from functools import cache
from urllib.parse import urljoin, urlsplit

import pytest
import yaml
from bs4 import BeautifulSoup
from pypdf import PdfReader
from pypdfium2 import PdfDocument
from reader import ROOT, TOC, WRITTEN
from test_site import built  # noqa: F401 (a fixture)

import browser
import pdf
from library import BookError
from paper import LANGUAGES, Paper

LETTERS = {"en": re.compile(r"[A-Za-z]{2}"), "zh-CN": re.compile(r"[\u4e00-\u9fff]")}
RADICAL = re.compile(r"[\u2e80-\u2fdf]")


def tight(text):
    """Without spaces and line ends, which a print sets as it likes."""
    return re.sub(r"\s+", "", text)


@cache
def articles(site):
    """The pages that the PDFs were made from."""
    return {
        name: BeautifulSoup((site / f"{name}.html").read_bytes(), "lxml").article
        for name in WRITTEN
    }


class Printed:
    """A PDF, and the site's pages."""

    def __init__(self, site, out, language):
        self.language = language
        file = pdf.make(site, out, language)
        self.reader = PdfReader(file)
        self.texts = [page.get_textpage().get_text_bounded() for page in PdfDocument(file)]
        self.text = tight("".join(self.texts))
        self.outline = [
            (entry.title, self.reader.get_destination_page_number(entry) + 1)
            for entry in pdf.outline(self.reader)
        ]
        self.site = articles(site)

    def own(self, element):
        """The text of a heading of the site, in this PDF's language."""
        element = BeautifulSoup(str(element), "html.parser")
        for other in element.select(f"[lang='{self.language.other}'], .separator, .headerlink"):
            other.decompose()
        return " ".join(element.get_text().split())

    def beginnings(self, code):
        """How the paragraphs in a language begin, of those that begin with plain words."""
        found = []
        for article in self.site.values():
            for block in article.select(f"p[lang='{code}']:not(.keep)"):
                words = tight(block.find(string=True))
                if block.contents[0].name is None and len(words) >= 12:
                    found.append(words[:20])
        return found

    def links(self):
        return [
            note.get_object()
            for page in self.reader.pages
            for note in page.get("/Annots", [])
            if note.get_object()["/Subtype"] == "/Link"
        ]


@pytest.fixture(scope="module", params=LANGUAGES, ids=lambda language: language.code)
def printed(request, built, tmp_path_factory):  # noqa: F811
    return Printed(built[0], tmp_path_factory.mktemp("pdf"), request.param)


def test_the_outline_has_every_title(printed):
    captions = {part["chapters"][0]["file"]: part["caption"] for part in TOC["parts"]}
    expected = []
    for name, article in printed.site.items():
        if name in captions:
            expected.append(captions[name].split(" · ")[printed.language.half])
        expected += [printed.own(heading) for heading in article.select("h1, h2, h3")]
    titles = [title for title, _ in printed.outline]
    assert len(expected) > 100
    assert titles[2:] == expected[1:]  # the first page's is the book's, which needs another here
    assert tight(expected[0]) in tight(printed.texts[0])


def test_headings_stand_where_the_outline_says(printed):
    for title, page in printed.outline:
        assert tight(title) in tight(printed.texts[page - 1]), f"{title}, page {page}"


def test_the_contents_have_the_pages_of_the_outline(printed):
    lines = {tight(line) for text in printed.texts[1:8] for line in text.splitlines()}
    shown = sum(tight(f"{title}{page}") in lines for title, page in printed.outline)
    chapters = len(WRITTEN)
    sections = sum(len(article.select("h2")) for article in printed.site.values())
    assert shown >= chapters + sections


def test_pages_are_numbered_and_none_is_empty(printed):
    assert len(printed.texts) > 50
    for number, (page, text) in enumerate(zip(printed.reader.pages, printed.texts), start=1):
        lines = text.splitlines()
        assert number == 1 or str(number) in lines[:2], (
            f"page {number}"
        )  # below the chapter's title
        assert len(lines) > 2 or "/XObject" in page["/Resources"], f"page {number} is empty"
    pages = [page for _, page in printed.outline]
    assert pages == sorted(pages)
    gaps = [after - before for before, after in zip(pages, [*pages[1:], len(printed.texts)])]
    assert max(gaps) < 10


def test_it_speaks_one_language(printed):
    language = printed.language
    own, others = printed.beginnings(language.code), printed.beginnings(language.other)
    assert len(own) > 100 and len(others) > 100
    assert not [words for words in own if words not in printed.text]
    assert not [words for words in others if words in printed.text]


def test_chinese_words_can_be_found(printed):
    assert LETTERS[printed.language.code].search(printed.text)
    assert not RADICAL.findall(printed.text)


def test_no_markup_and_no_button_shows(printed):
    code = [pre.get_text() for article in printed.site.values() for pre in article.select("pre")]
    in_code = Counter(re.findall(r"\\\w+", tight("".join(code))))
    for command in (r"\mathbf", r"\odot", r"\begin", r"\partial"):
        spoken = len(re.findall(re.escape(command), printed.text))
        assert spoken <= sum(n for word, n in in_code.items() if word.startswith(command)), command
    for button in ("Showthecode", "Hidethecode", "显示代码", "隐藏代码"):
        assert button not in printed.text


def test_solutions_and_folded_code_stand_open(printed):
    for article in printed.site.values():
        for box in article.select("details"):
            for pre in box.select(".cell_input pre"):
                assert tight(pre.get_text())[:40] in printed.text


def test_fonts_are_embedded(printed):
    for page in printed.reader.pages:
        for font in page["/Resources"].get("/Font", {}).values():
            font = font.get_object()
            for font in font.get("/DescendantFonts", [font]):  # noqa: B020
                font = font.get_object()
                if font["/Subtype"] != "/Type3":  # whose glyphs are drawn in the file itself
                    descriptor = font["/FontDescriptor"].get_object()
                    assert {"/FontFile", "/FontFile2", "/FontFile3"} & {*descriptor}, font


def test_links_between_pages_stay_inside(printed):
    inside, outside = [], []
    for link in printed.links():
        (inside if "/Dest" in link else outside).append(link)
    assert {link["/Dest"] for link in inside} <= {*printed.reader.named_destinations}
    assert {link["/A"]["/URI"].split(":")[0] for link in outside} <= {"https", "http", "mailto"}
    for name, article in printed.site.items():
        for link in article.select("a.reference.internal[href*='.html']"):
            if not link.find_parent(lang=printed.language.other):
                target = urlsplit(urljoin(f"/{name}.html", link["href"])).path
                slug = target.strip("/").removesuffix(".html").replace("/", "-")
                assert any(note["/Dest"].startswith(f"/{slug}") for note in inside), (
                    f"{name}: {link}"
                )


def test_it_can_be_read_aloud(printed):
    root = printed.reader.trailer["/Root"]
    assert root["/Lang"] == printed.language.code
    assert root["/MarkInfo"]["/Marked"] and "/StructTreeRoot" in root
    config = yaml.safe_load((ROOT / "_config.yml").read_text("utf8"))
    assert printed.reader.metadata.title == config["title"].split(" · ")[printed.language.half]
    assert printed.reader.metadata.author == config["author"].split(" · ")[printed.language.half]


# --- what does not fit ----------------------------------------------------------------------------


def test_a_site_that_is_not_built_is_named(tmp_path):
    with pytest.raises(BookError, match=r"intro\.html is missing: build the website"):
        Paper(tmp_path, LANGUAGES[0])


def test_a_link_out_of_the_book_is_named(built):  # noqa: F811
    paper = Paper(built[0], LANGUAGES[0])
    assert (
        paper.link("chapters/gru", "lstm.html#eq:lstm-memory") == "#chapters-lstm--eq:lstm-memory"
    )
    assert paper.link("chapters/gru", "../glossary.html") == "#glossary"
    assert paper.link("chapters/gru", "#exercises") == "#chapters-gru--exercises"
    assert paper.link("chapters/gru", "https://keras.io") == "https://keras.io"
    with pytest.raises(BookError, match="chapters/gru: the link to nowhere.html"):
        paper.link("chapters/gru", "nowhere.html")


def test_what_is_wider_than_the_page_is_named():
    page = "<!DOCTYPE html><article><p style='width: {width}px'>{width} wide</article>"
    with browser.opened() as chromium:
        tab = chromium.new_page(viewport={"width": pdf.TEXT_WIDTH, "height": 1000})
        tab.set_content(page.format(width=90))
        assert tab.evaluate(pdf.FIT) == []
        tab.set_content(page.format(width=900))
        assert tab.evaluate(pdf.FIT) == ["900 wide"]
