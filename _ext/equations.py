"""Numbered equations: `$$ … \\tag{1.2}\\label{eq:gru-reset} $$` gets its number and its anchor.

A notebook must read well in Jupyter, where MathJax shows the tag and swallows the label. A page
of the site gets the number as text beside the formula, readable without JavaScript, and the label
as its anchor, so that `[(1.2)](#eq:gru-reset)` leads there from this page and from any other.
"""

import re

from docutils import nodes
from sphinx.transforms import SphinxTransform
from sphinx.util import logging

LABEL = re.compile(r"\s*\\label\{([^{}]+)\}")
TAG = re.compile(r"\s*\\tag\{([^{}]+)\}")

logger = logging.getLogger(__name__)


class Equations(SphinxTransform):
    """Turn tag and label of every displayed formula into its number and its anchor."""

    default_priority = 200  # before MyST resolves links to anchors (879)

    def apply(self):
        for formula in self.document.findall(nodes.math_block):
            tex = formula.astext()
            labels, tags = LABEL.findall(tex), TAG.findall(tex)
            if len(labels) == len(tags) == 1:
                formula.children = [nodes.Text(LABEL.sub("", TAG.sub("", tex)))]
                self.number(formula, labels[0], tags[0])
            elif labels or tags:
                message = "an equation needs one \\tag and one \\label, not %s and %s"
                logger.warning(message, tags, labels, location=formula)

    def number(self, formula, label, number):
        anchors = self.document.myst_slugs  # where MyST looks for what a link leads to
        if label in anchors:
            logger.warning("the label %r is used twice", label, location=formula)
        anchors[label] = formula.line, label, f"({number})"
        formula["ids"] = [label]
        formula["number"] = number


def setup(app):
    app.add_transform(Equations)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
