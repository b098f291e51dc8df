"""Nothing that a page does not use, and nothing from elsewhere: scripts and styles.

The theme and Jupyter Book bring thebe, a search of their own, toggle buttons and 1.5 MB of icons;
the book uses none of them. What is left of the styles becomes one file, cut by PurgeCSS to the
rules that some page can use.
"""

import re
from pathlib import Path

from lxml import html

from node import run

BUNDLE = "_static/book.css"
OWN = "_static/site.css"
UNUSED = re.compile(
    r"fontawesome|thebe|THEBE|kernelName|toggle(button|Hint|Open)|design-tabs|MathJax"
    r"|dataset\.mode"  # view.js
    r"|searchtools|language_data|searchindex|sphinx_highlight|DOCUMENTATION_OPTIONS\."
)
UNUSED_STYLES = re.compile(r"togglebutton|sphinx-thebe|sphinx-design")
FONTS = "Main-Regular", "Main-Bold", "Math-Italic"  # in nearly every formula

styles = []  # of the last page, in their order


def touch(page):
    head = page.find("//head")[0]
    for script in page.find("//script"):
        if UNUSED.search(f"{script.get('src', '')} {script.get('type', '')} {script.text or ''}"):
            script.getparent().remove(script)
        elif script.get("src"):
            script.set("defer", "")
            script.attrib.pop("async", None)
    for block in page.find("//*[@id='jb-print-docs-body' or @id='ethical-ad-placement']"):
        block.drop_tree()  # the page's contents once more, for paper: make pdf has its own
    for link in page.find("//head/link[@rel='preload'] | //head/link[@rel='index']"):
        head.remove(link)
    viewports = page.find("//head/meta[@name='viewport']")
    for meta in [*viewports[1:], *page.find("//head/meta[starts-with(@name, 'docsearch')]")]:
        head.remove(meta)
    found = page.find("//head/link[@rel='stylesheet']")
    styles[:] = [
        link.get("href").removeprefix(page.root).split("?")[0]
        for link in found
        if not UNUSED_STYLES.search(link.get("href"))
    ]
    bundled = html.Element("link", rel="stylesheet", href=f"{page.root}{BUNDLE}")
    found[0].addprevious(bundled)
    for link in found:
        head.remove(link)
    if page.find("//span[@class='katex']"):
        for font in FONTS:
            address = f"{page.root}_static/katex/fonts/KaTeX_{font}.woff2"
            attributes = {"rel": "preload", "as": "font", "type": "font/woff2", "href": address}
            bundled.addnext(html.Element("link", attributes, crossorigin=""))


def bundle(app, exception):
    """The styles, once all pages are written."""
    if exception or app.builder.format != "html" or not styles:
        return
    out = Path(app.outdir)
    pages = [path for path in out.rglob("*.html") if "zh" not in path.relative_to(out).parts]
    task = {
        "styles": [str(out / name) for name in styles if name != OWN],
        "own": str(out / OWN),
        "content": [str(path) for path in [*pages, *out.glob("_static/**/*.js")]],
        "bundle": str(out / BUNDLE),
    }
    run("slim.mjs", task)
    for unused in (*out.rglob("*.map"), out / "_static/scripts/fontawesome.js"):
        unused.unlink(missing_ok=True)
