"""The built website as one document for paper, in one language: tools/pdf.py prints it.

It holds the site's pages in the order of _toc.yml, behind a title page and contents. What is folded
on the site stands open, and links between pages lead to places in the document.
"""

import json
import posixpath
import subprocess
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from urllib.parse import unquote, urlsplit

import yaml
from lxml import html
from lxml.builder import E

from library import BookError

ROOT = Path(__file__).resolve().parents[1]
STYLES = "_static/katex/katex.min.css", "_static/pygments.css"  # of the site
SEPARATOR = " · "  # between a title's English and its Chinese
LEVELS = "chapter", "section", "subsection"  # h1, h2 and h3 of a page

CONTENTS = "Contents · 目录"
ABOUT = "About this book · 关于本书"  # the first page, whose own title is the book's
LICENCE = "Text: CC BY-SA 4.0. Code: MIT. · 文字：CC BY-SA 4.0。代码：MIT。"
NOTE = (
    "The English text of a website in English and Chinese. What is folded there, such as the "
    "solutions, stands open here. · "
    "双语网站的中文文字。网站上折叠的内容，例如练习的解答，这里全部展开。"
)


@dataclass(frozen=True)
class Language:
    """One of the two, and where the site has it."""

    code: str
    half: int  # of `English · 中文`
    folder: str
    other: str  # the code of what its pages hold besides

    def of(self, text: str) -> str:
        """Its half of `English · 中文`; all of a text without halves."""
        return text.split(SEPARATOR, 1)[self.half] if SEPARATOR in text else text


LANGUAGES = Language("en", 0, "", "zh-CN"), Language("zh-CN", 1, "zh", "en")


@dataclass
class Heading:
    level: str  # contents, part, or one of LEVELS
    title: str
    anchor: str
    page: int = 0  # not known before a print


class Paper:
    """The document, and its headings, whose pages a print tells."""

    def __init__(self, site: Path, language: Language) -> None:
        config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
        toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
        self.site, self.language = site, language
        self.title, self.author = language.of(config["title"]), language.of(config["author"])
        self.subtitle = config["title"].split(SEPARATOR)[1 - language.half]
        self.names = [toc["root"]]
        self.captions = {}  # of each part, by the name of its first page
        for part in toc["parts"]:
            names = [chapter["file"] for chapter in part["chapters"]]
            self.captions[names[0]] = language.of(part["caption"])
            self.names += names
        self.articles = [self.article(name) for name in self.names]
        self.check_links()
        self.headings = [Heading("contents", language.of(CONTENTS), "contents")]
        for article in self.articles:
            for element in article.iter("h1", "h2", "h3", "h4"):
                title = " ".join(element.text_content().split())
                anchor = element.getparent().get("id")
                self.headings.append(Heading(element.get("class"), title, anchor))

    def number(self, pages: list[int]) -> bool:
        """Take the headings' pages from a print; whether that changed any."""
        if len(pages) != len(self.headings):
            raise BookError(f"{len(self.headings)} headings, but {len(pages)} in a print's outline")
        old = [heading.page for heading in self.headings]
        for heading, page in zip(self.headings, pages):
            heading.page = page
        return old != pages

    # --- the document ---

    def text(self, style: Path) -> str:
        """All of it as HTML, with the page numbers that are known so far."""
        styles = [*map(self.address, STYLES), style.as_uri()]
        head = E.head(
            E.meta(charset="utf-8"),
            E.title(self.title),
            *(E.link(rel="stylesheet", href=address) for address in styles),
            E.style(self.running_titles()),
        )
        body = E.body(self.title_page(), self.contents(), *self.articles)
        light = {"lang": self.language.code, "data-theme": "light"}  # the colours for code
        tree = E.html(light, head, body)
        return html.tostring(tree, encoding="unicode", doctype="<!DOCTYPE html>")

    def running_titles(self) -> str:
        """A style for each chapter's pages, whose head bears its title."""
        titles = [heading.title for heading in self.headings if heading.level == "chapter"]
        return "\n".join(
            f"#{slug(name)} {{ page: {slug(name)} }} @page {slug(name)} "
            f"{{ @top-left {{ content: {json.dumps(title, ensure_ascii=False)} }} }}"
            for name, title in zip(self.names, titles)
        )

    def title_page(self) -> html.HtmlElement:
        of = self.language.of
        return E.section(
            {"class": "title-page"},
            E.img(src=self.address("_static/logo.svg"), alt=""),
            E.p({"class": "title"}, self.title),
            E.p({"class": "subtitle", "lang": self.language.other}, self.subtitle),
            E.p(self.author[0].upper() + self.author[1:]),
            E.p(last_change()),
            E.p({"class": "note"}, of(NOTE), E.br(), of(LICENCE)),
        )

    def contents(self) -> html.HtmlElement:
        own, *others = self.headings
        entries = [
            E.li({"class": f"to-{heading.level}"}, entry(heading))
            for heading in others
            if heading.level != "subsection"
        ]
        title = E.h1({"class": "chapter"}, own.title)
        return E.nav({"class": "contents", "id": own.anchor}, title, E.ol(*entries))

    # --- its pages ---

    def article(self, name: str) -> html.HtmlElement:
        """A page of the site, made fit for paper and for its place in the document."""
        file = self.site / self.language.folder / f"{name}.html"
        if not file.is_file():
            raise BookError(f"{file} is missing: build the website first, with  make book")
        page = html.document_fromstring(file.read_text(encoding="utf-8"))
        (article,) = page.xpath("//article")
        drop_other_language(article, self.language)
        unfold(article)
        for image in article.iter("img"):
            image.set("src", self.address(file.parent / image.get("src")))
            image.set("alt", self.language.of(image.get("alt")))
            image.attrib.pop("loading", None)  # on paper, nothing is about to be seen
        for link in article.iter("a"):
            link.set("href", self.link(name, link.get("href")))
        for element in article.xpath(".//*[@id]"):
            element.set("id", f"{slug(name)}--{element.get('id')}")
        self.place(article, name)
        return article

    def address(self, file: str | Path) -> str:
        """Of a file of the site."""
        path = (self.site / file).resolve()
        if not path.is_file():
            raise BookError(f"{path} is missing, which the site's pages need: build it anew")
        return path.as_uri()

    def link(self, name: str, address: str) -> str:
        """Where a link of the page `name` leads in the document; one to elsewhere stays."""
        parts = urlsplit(address)
        if parts.scheme:
            return address
        target = posixpath.normpath(posixpath.join(posixpath.dirname(name), unquote(parts.path)))
        target = target.removesuffix(".html") if parts.path else name
        if target not in self.names:
            raise BookError(f"{name}: the link to {address} leads to no page of the book")
        return f"#{slug(target)}" + (f"--{parts.fragment}" if parts.fragment else "")

    def place(self, article: html.HtmlElement, name: str) -> None:
        """Mark its headings for the contents, those in a part one level below the part's."""
        article.set("class", "pages")
        article.set("id", slug(name))
        first = name == self.names[0]
        for heading in article.xpath(".//h1 | .//h2 | .//h3"):
            level = int(heading.tag[1])
            heading.set("class", LEVELS[level - 1])
            if not first:
                heading.tag = f"h{level + 1}"
        if first:
            (title,) = article.iter("h1")
            title[:], title.text = [], self.language.of(ABOUT)
        if name in self.captions:
            article.insert(0, E.h1({"class": "part"}, self.captions[name]))

    def check_links(self) -> None:
        found = [article.xpath("descendant-or-self::*/@id") for article in self.articles]
        anchors = {anchor for anchors in found for anchor in anchors}
        for name, article in zip(self.names, self.articles):
            for link in article.xpath(".//a/@href"):
                if link[0] == "#" and unquote(link[1:]) not in anchors:
                    raise BookError(f"{name}: nothing in the document is called {link}")


def slug(name: str) -> str:
    """The anchor of a page in the document, and the beginning of those on it."""
    return name.replace("/", "-")


def drop_other_language(article: html.HtmlElement, language: Language) -> None:
    other = ".//*[@lang=$other and not(contains(@class, 'keep'))] | .//*[@class='separator']"
    for element in article.xpath(other, other=language.other):
        element.drop_tree()


def unfold(article: html.HtmlElement) -> None:
    """Open what is folded, and leave out what only a screen can use."""
    for element in article.xpath(
        ".//summary | .//a[@class='headerlink'] | .//div[contains(@class, 'toctree-wrapper')]"
    ):
        element.drop_tree()
    for box in article.xpath(".//details"):
        box.tag = "div"
    for link in article.xpath(".//a[contains(@href, '_images/')]"):
        link.drop_tag()  # to the picture that it shows
    for element in article.xpath(".//*[@title]"):
        del element.attrib["title"]
    for formula in article.xpath(".//span[@class='katex']"):
        (tex,) = formula.xpath(".//annotation/text()")
        formula.set("role", "img")  # whose letters mean little one by one
        formula.set("aria-label", tex)
        formula.remove(formula.find("span[@class='katex-mathml']"))
        del formula.find("span[@class='katex-html']").attrib["aria-hidden"]
    for token in article.xpath(".//pre//span[@class='n' or @class='p' or @class='w']"):
        token.drop_tag()  # in the colour of the rest: half the PDF would be their structure


def entry(heading: Heading) -> html.HtmlElement:
    page = E.span({"class": "page"}, str(heading.page or "000"))
    return E.a({"href": f"#{heading.anchor}"}, E.span(heading.title), page)


def last_change() -> str:
    """The day of the last commit; today, where there is none to ask."""
    command = ["git", "-C", str(ROOT), "log", "-1", "--format=%cs"]
    try:
        day = subprocess.run(command, capture_output=True, encoding="utf-8").stdout.strip()
    except FileNotFoundError:
        day = ""
    return day or date.today().isoformat()
