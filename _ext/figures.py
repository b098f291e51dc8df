"""Figures: alternative texts, from a code cell's metadata `alt: {en: …, zh: …}`, and their place.

A figure's size stands in the page, so that nothing moves when it arrives; it is fetched when it is
about to be seen, and it is a link to itself, which figures.js turns into an enlargement.

A page may show a figure of a chapter: `![](chapters/lstm.ipynb#4)` is the fourth one there.
"""

import base64
import json
import re
from pathlib import Path

from docutils import nodes
from lxml import html
from sphinx.transforms import SphinxTransform
from sphinx.util import logging

FIGURES = (
    "//article//div[contains(@class, 'cell_output')]//img"
    " | //article//img[contains(@class, 'borrowed')]"
)
logger = logging.getLogger(__name__)


def describe_figures(app, document):
    for cell in document.findall(nodes.container):
        if cell.get("nb_element") != "cell_code":
            continue
        alt = cell["cell_metadata"].get("alt", {})
        texts = [*alt.values()] if set(alt) == {"en", "zh"} else []
        for image in cell.findall(nodes.image):
            if not texts or not all(text.strip() for text in texts):
                message = "a cell that draws needs `alt` with texts `en` and `zh`, not %s"
                logger.warning(message, alt, location=cell)
            image["alt"] = " · ".join(texts)


class BorrowFigures(SphinxTransform):
    """Fetch the pictures that other pages show out of the chapters' stored outputs."""

    default_priority = 300

    def apply(self):
        for image in self.document.findall(nodes.image):
            if found := re.fullmatch(r"(.*\.ipynb)#(\d+)", image.get("uri", "")):
                self.borrow(image, self.env.relfn2path(found[1])[1], int(found[2]))

    def borrow(self, image, notebook, number):
        figures = stored_figures(notebook)
        if not 1 <= number <= len(figures):
            message = "%s has %s figures, not a figure %s"
            return logger.warning(message, notebook, len(figures), number, location=image)
        cell, output = figures[number - 1]
        picture = Path(self.env.srcdir, "_build", "figures", f"{Path(notebook).stem}-{number}.png")
        picture.parent.mkdir(parents=True, exist_ok=True)
        picture.write_bytes(base64.b64decode(output["data"]["image/png"]))
        image["uri"] = f"/{picture.relative_to(self.env.srcdir).as_posix()}"
        image["alt"] = " · ".join(cell["metadata"]["alt"][language] for language in ("en", "zh"))
        size = output["metadata"].get("image/png", {})
        image["width"], image["height"] = (f"{size[name]}px" for name in ("width", "height"))
        image["classes"].append("borrowed")
        self.env.note_dependency(notebook)


def stored_figures(notebook):
    """Each picture that a notebook stores, with its cell."""
    cells = json.loads(Path(notebook).read_text(encoding="utf-8"))["cells"]
    return [
        (cell, output)
        for cell in cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]


def touch(page):
    for image in page.find(FIGURES):
        for name, size in re.findall(r"(width|height):\s*(\d+)", image.attrib.pop("style", "")):
            image.set(name, size)
        image.set("loading", "lazy")
        link = html.Element("a", {"class": "figure", "href": image.get("src")})
        link.tail, image.tail = image.tail, None
        image.getparent().replace(image, link)
        link.append(image)


def setup(app):
    app.add_transform(BorrowFigures)
    app.connect("doctree-read", describe_figures)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
