"""Figures: their alternative text, from a code cell's metadata `alt: {en: …, zh: …}`."""

from docutils import nodes
from sphinx.util import logging

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
            image.attributes.pop("height", None)  # a narrow page then shrinks width and height


def setup(app):
    app.connect("doctree-read", describe_figures)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
