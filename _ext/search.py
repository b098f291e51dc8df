"""Search in both languages: what search.js looks through, a file for each language.

Chinese has no spaces, and an index of words finds only what its text and its query are cut into
alike (Sphinx' own misses 遗忘门, Pagefind 重置门). The text of a whole book is smaller than a
picture: the search page fetches it once and looks for any part of it.
"""

import json
import re
from pathlib import Path

from lxml import etree, html

FOLDER = "search"
LANGUAGES = {"en": "zh-CN", "zh": "en"}  # and the one to leave out
HEADINGS = "./h1 | ./h2 | ./h3 | ./h4"
UNREAD_TAGS = "section", "h1", "h2", "h3", "h4", "script", "summary"
UNREAD_CLASSES = re.compile(r"katex|headerlink|cell_output|eqno|separator")


def write_texts(app, exception):
    if exception or app.builder.format != "html":
        return
    out = Path(app.outdir)
    names = sorted(app.env.found_docs, key=order(app))
    pages = {name: article(out / f"{name}.html") for name in names}
    (out / FOLDER).mkdir(exist_ok=True)
    for language, other in LANGUAGES.items():
        texts = [of_page(name, page, other) for name, page in pages.items()]
        written = json.dumps(texts, ensure_ascii=False, separators=(",", ":"))
        (out / FOLDER / f"{language}.json").write_text(written, encoding="utf-8")


def order(app):
    """As a reader meets the pages."""
    root = app.config.root_doc
    return [root, *app.env.toctree_includes[root]].index


def article(path):
    parser = html.HTMLParser(encoding="utf-8")
    return html.parse(str(path), parser).xpath("//article")[0]


def of_page(name, page, other):
    """Address and title; then address, title and text of each section."""
    sections = [
        [section.get("id"), heading(section, other), words(section, other)]
        for section in page.xpath(".//section[@id]")
    ]
    # The lists at the end of a book name everything and explain little.
    weight = 1 if name.startswith("chapters/") else 0.2
    return {"url": f"{name}.html", "weight": weight, "sections": sections}


def heading(section, other):
    return " ".join(words(title, other) for title in section.xpath(HEADINGS)[:1])


def words(element, other):
    """Of an element, without formulas, output, the other language and what lies in sections."""
    return re.sub(r"\s+", " ", "".join(texts(element, other))).strip()


def texts(element, other):
    yield element.text or ""
    for child in element:
        if is_read(child, other):
            yield from texts(child, other)
        yield child.tail or ""


def is_read(element, other):
    classes = element.get("class", "")
    return not (
        element.tag in (etree.Comment, *UNREAD_TAGS)
        or UNREAD_CLASSES.search(classes)
        or (element.get("lang") == other and "keep" not in classes)
        or (element.tag == "pre" and other == "en")  # code is English
    )


def replace_search(app, config):
    config.html_additional_pages["search"] = "search.html"  # _templates/search.html


def without_sphinx_search(app):
    app.builder.search = False


def setup(app):
    app.connect("config-inited", replace_search)
    app.connect("builder-inited", without_sphinx_search)
    app.connect("build-finished", write_texts, priority=950)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
