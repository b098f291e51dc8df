"""The last touch on each page, once the theme has made it: other files do it, this one calls them.

Sphinx has no event between a rendered page and its file, so the renderer is wrapped. A page is
parsed once, changed in place by each touch in turn, and written with its Chinese twin beside it.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from lxml import html

import access
import address
import chinese
import figures
import icons
import labels
import meta
import slim
import switch

DOCTYPE = "<!DOCTYPE html>"
TOUCHES = [part.touch for part in (slim, figures, icons, labels, switch, access, meta, address)]


@dataclass
class Page:
    """A page of the site as a tree, and where it stands."""

    name: str  # chapters/gru
    tree: html.HtmlElement
    root: str  # ../
    written: bool  # by somebody, as search and 404 are not
    baseurl: str  # of the site, with its last slash; empty where nobody knows it

    def find(self, expression, **variables):
        return self.tree.xpath(expression, **variables)

    def text(self):
        return html.tostring(self.tree, encoding="unicode", doctype=DOCTYPE)


def finish(app, render, template, context):
    written = render(template, context)
    if not context.get("pagename") or "<html" not in written:
        return written
    page = Page(
        context["pagename"],
        html.document_fromstring(written),
        context["content_root"].removeprefix("./"),
        context["pagename"] in app.env.found_docs,
        app.config.html_baseurl,
    )
    for touch in TOUCHES:
        touch(page)
    if page.written:
        twin = Path(app.outdir, "zh", f"{page.name}.html")
        twin.parent.mkdir(parents=True, exist_ok=True)
        twin.write_text(chinese.twin(page).text(), encoding="utf-8")
    return page.text()


def add_static_files(app):
    app.config.html_static_path.append(str(Path(__file__).with_name("static")))
    app.add_css_file("site.css", priority=900)
    for script in ("switch.js", "figures.js", "access.js"):
        app.add_js_file(script, loading_method="defer")


def wrap_renderer(app):
    if app.builder.format == "html":
        render = app.builder.templates.render
        app.builder.templates.render = lambda name, context: finish(app, render, name, context)


def open_with_the_first_page(app, exception):
    """The site's own address shows it at once; Jupyter Book would send readers on to it."""
    if not exception and app.builder.format == "html":
        shutil.copy(Path(app.outdir, f"{app.config.root_doc}.html"), Path(app.outdir, "index.html"))


def setup(app):
    app.connect("builder-inited", add_static_files)
    app.connect("builder-inited", wrap_renderer, priority=900)
    app.connect("build-finished", slim.bundle, priority=900)  # the theme writes styles there, too
    app.connect("build-finished", meta.sitemap)
    app.connect("build-finished", open_with_the_first_page, priority=999)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
