"""The book as PDF: one in English and one in Chinese in _build/pdf/, from the built website.

paper.py makes one document of the site's pages, and a browser prints it in the style of pdf.css.
Only a print tells on which page a heading comes to stand: the numbers in the contents are read from
the outline of the first, and the second shows them.
"""

import re
import sys
import unicodedata
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from pypdf import PdfReader, PdfWriter
from pypdf.generic import Destination, NameObject, TextStringObject

import browser
from library import BookError
from paper import LANGUAGES, Language, Paper

BUILD = Path(__file__).resolve().parents[1] / "_build"
STYLE = Path(__file__).with_suffix(".css")
TEXT_WIDTH = 642  # CSS pixels: A4 without the margins of pdf.css, 170 mm
PRINTS = 4  # two are enough, unless the numbers themselves move a heading

# Run in the page before it is printed. A short formula stays in one line; one wider than the text
# gets smaller letters, and a much wider one a second line first. What is still too wide comes back,
# for Chromium would shrink all pages to make room for it.
FIT = """async () => {
  await document.fonts.ready;
  for (const formula of document.querySelectorAll(".katex"))
    formula.classList.toggle("short", formula.getBoundingClientRect().width < 200);
  for (const line of document.querySelectorAll(".katex-display")) {
    const share = () => line.clientWidth / line.scrollWidth;
    if (share() < 0.75) line.classList.add("broken");
    if (share() < 1) line.style.fontSize = `${0.99 * share()}em`;
  }
  const width = document.documentElement.clientWidth;
  return [...document.querySelectorAll("article :is(p, li, pre, table, img, .katex-base)")]
    .filter((element) => element.getBoundingClientRect().right > width)
    .map((element) => (element.textContent || element.alt).slice(0, 60));
}"""

# A line of a font's table: a glyph's number, and the radical that it is said to mean. Unicode's
# normal form has the characters of the Kangxi radicals (2F00 to 2FD5), not those of the others.
LETTER = re.compile(rb"^(?P<glyph><\w+> )<(?P<radical>2[EF]\w\w)>$", re.MULTILINE)
RADICALS, CHARACTERS = (
    "⺟⺠⻄⻅⻆⻉⻋⻓⻔⻘⻚⻛⻜⻝⻢⻥⻦⻨⻩⻬⻮⻰⻳",
    "母民西见角贝车长门青页风飞食马鱼鸟麦黄齐齿龙龟",
)
CHARACTER = dict(zip(RADICALS, CHARACTERS))


def main(site: Path = BUILD / "html", out: Path = BUILD / "pdf") -> None:
    try:
        for language in LANGUAGES:
            pdf = make(site, out, language)
            pages, size = len(PdfReader(pdf).pages), pdf.stat().st_size / 1e6
            print(f"{pdf}: {pages} pages, {size:.1f} MB")
    except BookError as error:
        sys.exit(str(error))


def make(site: Path, out: Path, language: Language) -> Path:
    """The PDF in one language, named after the book; beside it lies the document it shows."""
    paper = Paper(site, language)
    out.mkdir(parents=True, exist_ok=True)
    document = out / f"{language.code}.html"
    pdf = out / (re.sub(r"\W+", "-", paper.title.lower()) + ".pdf")
    with browser.opened() as chromium:
        page = chromium.new_page(viewport={"width": TEXT_WIDTH, "height": 1000})
        page.emulate_media(media="print")
        for _ in range(PRINTS):
            document.write_text(paper.text(STYLE), encoding="utf-8")
            page.goto(document.as_uri())
            if too_wide := page.evaluate(FIT):
                raise BookError(f"{pdf.name}: too wide for its pages: {' | '.join(too_wide)}")
            printed = page.pdf(
                prefer_css_page_size=True, print_background=True, tagged=True, outline=True
            )
            reader = PdfReader(BytesIO(printed))
            pages = [reader.get_destination_page_number(entry) + 1 for entry in outline(reader)]
            if not paper.number(pages):
                finish(printed, paper).write(pdf)
                return pdf
    raise BookError(f"{pdf.name}: after {PRINTS} prints the contents' numbers still change")


def outline(pdf: PdfReader | PdfWriter) -> list[Destination]:
    """The entries of a PDF's outline, one after another."""

    def flat(entries: list) -> Iterator[Destination]:
        for entry in entries:
            yield from flat(entry) if isinstance(entry, list) else [entry]

    return [*flat(pdf.outline)]


def finish(printed: bytes, paper: Paper) -> PdfWriter:
    """Mend what Chromium does to Chinese words, and name the author.

    It repeats some of them in the outline. And of two characters that look the same it may note the
    wrong one, a radical, as a glyph's meaning: a search for 门 would not find it.
    """
    pdf = PdfWriter(BytesIO(printed), incremental=True)  # which appends what changed
    for entry, heading in zip(outline(pdf), paper.headings):
        entry.node[NameObject("/Title")] = TextStringObject(heading.title)
    fonts = {
        font.idnum: font.get_object()
        for page in pdf.pages
        for font in page["/Resources"].get("/Font", {}).values()
    }
    for font in fonts.values():
        if "/ToUnicode" in font:
            table = font["/ToUnicode"].get_object()
            table.set_data(LETTER.sub(as_character, table.get_data()))
    pdf.add_metadata({"/Author": paper.author})
    return pdf


def as_character(letter: re.Match) -> bytes:
    radical = chr(int(letter["radical"], 16))
    character = CHARACTER.get(radical) or unicodedata.normalize("NFKC", radical)
    return letter["glyph"] + b"<%04X>" % ord(character)


if __name__ == "__main__":
    main()
