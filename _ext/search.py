"""Search in both languages: an index for each, made by Pagefind from the finished pages.

Sphinx' own search finds Chinese only where a text's words are cut as the query's are; Pagefind cuts
both alike. English words are kept in a list beside the index: search.js looks a misspelt one up.
"""

import asyncio
import copy
import json
import re
from collections import Counter
from pathlib import Path

from lxml import html
from pagefind.index import IndexConfig, PagefindIndex

FOLDER = "pagefind"
WORDS = f"{FOLDER}/words.json"
HEADINGS = "./h1 | ./h2 | ./h3 | ./h4"
UNREAD = [".katex", ".headerlink", ".cell_output", ".separator", ".eqno"]
TITLE = re.compile(r"\s+")


def index(app, exception):
    if exception or app.builder.format != "html":
        return
    out = Path(app.outdir)
    pages = {name: article(out / f"{name}.html") for name in sorted(app.env.found_docs)}
    asyncio.run(write(out, {name: page for name, page in pages.items() if page is not None}))


def article(path):
    """The text of a page, with the ids of sections on their headings, as Pagefind wants them."""
    if not path.is_file():
        return None
    found = html.parse(str(path), html.HTMLParser(encoding="utf-8")).xpath("//article")
    for section in found[0].xpath(".//section[@id]") if found else []:
        for heading in section.xpath(HEADINGS)[:1]:
            heading.set("id", section.attrib.pop("id"))
    return found[0] if found else None


def in_language(page, other):
    page = copy.deepcopy(page)
    for element in page.xpath(f".//*[@lang='{other}' and not(contains(@class, 'keep'))]"):
        element.drop_tree()
    return page


async def write(out, pages):
    words = Counter()
    config = IndexConfig(output_path=str(out / FOLDER), exclude_selectors=UNREAD)
    async with PagefindIndex(config=config) as pagefind:
        for name, page in pages.items():
            weight = 1 if name.startswith("chapters/") else 0.2  # lists name all, explain little
            for language, other in (("en", "zh-CN"), ("zh", "en")):
                text = in_language(page, other)
                title = TITLE.sub(" ", text.xpath("string(.//h1[1])")).strip(" #")
                body = html.tostring(text, encoding="unicode")
                await pagefind.add_html_file(
                    url=f"/{name}.html?lang={language}",
                    content=f'<html lang="{language}"><head><title>{title}</title></head>'
                    f"<body data-pagefind-body data-pagefind-weight={weight}>{body}</body></html>",
                )
                if language == "en":
                    words.update(re.findall(r"[a-z]{4,}", text.text_content().lower()))
    for unused in [*(out / FOLDER).glob("*-ui.*"), *(out / FOLDER).glob("*-highlight.*")]:
        unused.unlink()  # we have a page of our own
    (out / WORDS).write_text(json.dumps([word for word, _ in words.most_common()]), "utf-8")


def replace_search(app, config):
    config.html_additional_pages["search"] = "search.html"  # _templates/search.html


def without_sphinx_search(app):
    app.builder.search = False


def setup(app):
    app.connect("config-inited", replace_search)
    app.connect("builder-inited", without_sphinx_search)
    app.connect("build-finished", index, priority=950)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
