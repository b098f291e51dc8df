"""Collapsed cells (tag `hide-cell`): code folds its source, and a solution becomes one box to open.

As in Jupyter, output and figures of a collapsed code cell stay in sight. A run of such cells that
begins with prose is a solution; in its box, everything shows.
"""

from itertools import groupby

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform


class solution(nodes.Element):
    """A box that is closed until the reader opens it."""


def is_prose(block):
    return "hide-cell" in block  # see languages.py


def is_code(block):
    return block.get("hide_mode") == "all"  # MyST-NB would fold source and output


def is_collapsed(block):
    return is_prose(block) or is_code(block)


class CollapseCells(SphinxPostTransform):
    """Put each solution in its box, and leave the output of all other collapsed cells outside."""

    default_priority = 190  # before MyST-NB collapses code cells (199)
    formats = ("html",)

    def run(self):
        collapsed = [block for block in self.document.findall(nodes.Element) if is_collapsed(block)]
        for parent in {block.parent for block in collapsed}:
            runs = [(found, [*run]) for found, run in groupby(parent.children, is_collapsed)]
            parent.children = []
            for found, run in runs:
                in_box = found and is_prose(run[0])
                for block in filter(is_code, run):
                    block["hide_mode"] = None if in_box else "input"
                parent += [solution("", *run)] if in_box else run


def visit_solution(self, node):
    self.body.append(
        '<details class="solution admonition tip"><summary class="admonition-title">'
        '<span lang="en">Solution</span><span class="separator"> · </span>'
        '<span lang="zh-CN">解答</span></summary>\n'
    )


def depart_solution(self, node):
    self.body.append("</details>\n")


def setup(app):
    app.add_node(solution, html=(visit_solution, depart_solution))
    app.add_post_transform(CollapseCells)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
