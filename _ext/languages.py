"""The language of each block: a Markdown cell's metadata `lang: zh` becomes `lang="zh-CN"`.

MyST-NB keeps a cell's metadata on its token and drops it at rendering; here it goes with the
blocks. Docutils itself turns the class `language-zh-CN` into the attribute. The blocks of cells
tagged `hide-cell` are marked, too, for collapse.py.

A page that is no notebook (CHANGELOG.md, which must read well on its own) has no cells: there, the
script of each block says its language.
"""

import re
from itertools import chain

from docutils import nodes
from myst_nb.sphinx_ import SphinxNbRenderer
from sphinx.transforms import SphinxTransform
from sphinx.util import logging

CODES = {"en": "en", "zh": "zh-CN"}
HAN = re.compile(r"[\u3400-\u9fff]")

logger = logging.getLogger(__name__)
render_cell = SphinxNbRenderer.render_nb_cell_markdown


def render_nb_cell_markdown(self, token):
    parent, before = self.current_node, len(self.current_node.children)
    render_cell(self, token)
    cell, metadata = token.meta["index"] + 1, token.meta["metadata"]
    language, hidden = metadata.get("lang"), "hide-cell" in metadata.get("tags", [])
    if language is None and not hidden:
        return
    if language not in (*CODES, None):
        message = "cell %s: `lang` is one of %s, not %r"
        logger.warning(message, cell, [*CODES], language, location=parent)
    if self.current_node is not parent:
        message = "cell %s: a heading needs a cell of its own, without `lang` and `hide-cell`"
        logger.warning(message, cell, location=parent)
    for block in parent.children[before:]:
        if language in CODES:
            block["classes"].append(f"language-{CODES[language]}")
        if hidden:
            block["hide-cell"] = True


class MarkBlocks(SphinxTransform):
    """The language of each block of a page that is no notebook."""

    default_priority = 400

    def apply(self):
        marked = (block.get("classes", []) for block in self.document.findall(nodes.Element))
        if {"language-en", "language-zh-CN"} & {*chain.from_iterable(marked)}:
            return  # by its cells
        for section in self.document.findall(nodes.section):
            for block in section.children:
                if not isinstance(block, (nodes.title, nodes.section, nodes.transition)):
                    language = "zh" if HAN.search(block.astext()) else "en"
                    block["classes"].append(f"language-{CODES[language]}")


def setup(app):
    app.add_transform(MarkBlocks)
    SphinxNbRenderer.render_nb_cell_markdown = render_nb_cell_markdown
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
