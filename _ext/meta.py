"""What search engines and social networks read of a page: description, card, its other language.

The addresses in it must be absolute: without the site's address (address.py) they are left out.
"""

from pathlib import Path
from xml.sax.saxutils import escape

from lxml import html

CARD = "_static/social.png"
MOST = 200  # characters of a description
FORMULA = "ancestor::*[@class='math']"


def touch(page):
    """The page with both languages is the English one, too; `zh/` beside it is the Chinese one."""
    describe(page, "en")
    if not page.baseurl or not page.written:
        return
    head = page.find("//head")[0]
    for old in page.find("//head/link[@rel='canonical']"):
        head.remove(old)
    english, chinese = f"{page.baseurl}{page.name}.html", f"{page.baseurl}zh/{page.name}.html"
    head.append(html.Element("link", rel="canonical", href=english))
    for language, address in (("en", english), ("zh-CN", chinese), ("x-default", english)):
        head.append(html.Element("link", rel="alternate", hreflang=language, href=address))
    for name, content in (("og:url", english), ("og:image", f"{page.baseurl}{CARD}")):
        head.append(html.Element("meta", property=name, content=content))
    head.append(html.Element("meta", name="twitter:card", content="summary_large_image"))


def describe(page, language):
    """The beginning of the text in this language."""
    head = page.find("//head")[0]
    for old in page.find("//head/meta[@name='description' or @property='og:description']"):
        head.remove(old)
    for paragraph in page.find(f"//article//p[@lang='{language}']")[:1]:
        words = " ".join("".join(paragraph.xpath(f".//text()[not({FORMULA})]")).split())
        short = words if len(words) <= MOST else words[: MOST - 1].rsplit(" ", 1)[0] + "…"
        head.append(html.Element("meta", name="description", content=short))
        head.append(html.Element("meta", property="og:description", content=short))


def of_twin(page):
    """The same for the Chinese twin of a page that has been touched."""
    describe(page, "zh-CN")
    for element in page.find("//head/link[@rel='canonical']"):
        element.set("href", f"{page.baseurl}zh/{page.name}.html")
    for element in page.find("//head/meta[@property='og:url']"):
        element.set("content", f"{page.baseurl}zh/{page.name}.html")


def sitemap(app, exception):
    base = app.config.html_baseurl
    if exception or app.builder.format != "html" or not base:
        return
    names = sorted(app.env.found_docs & {*app.env.titles})
    places = [f"{base}{folder}{name}.html" for name in names for folder in ("", "zh/")]
    text = "\n".join(
        [
            '<?xml version="1.0" encoding="utf-8"?>',
            '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">',
            *(f"<url><loc>{escape(place)}</loc></url>" for place in places),
            "</urlset>\n",
        ]
    )
    Path(app.outdir, "sitemap.xml").write_text(text, encoding="utf-8")
