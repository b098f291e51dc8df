"""Mathematics, typeset by KaTeX when the site is built: it reads without JavaScript, with MathML.

Node and KaTeX come with the environment (pyproject.toml, package.json). What KaTeX refuses is a
warning at its place, and so the end of a strict build. The page gets KaTeX's style sheet and fonts
from the site itself, cut to the characters that the book's formulas use.
"""

import html
import json
import logging as python_logging
import re
from pathlib import Path

from docutils import nodes
from fontTools import subset
from sphinx.transforms import SphinxTransform
from sphinx.util import logging
from sphinx.util.fileutil import copy_asset

from node import run

KATEX = Path(__file__).resolve().parents[1] / "node_modules" / "katex" / "dist"
TAG = re.compile(r"<[^>]+>")

python_logging.getLogger("fontTools").setLevel(python_logging.WARNING)
logger = logging.getLogger(__name__)


class Typeset(SphinxTransform):
    """All formulas of a document at once, so that Node starts once."""

    default_priority = 800  # after equations.py took away tags and labels (200)

    def apply(self):
        of_a_formula = lambda node: isinstance(node, (nodes.math, nodes.math_block))
        found = [*self.document.findall(of_a_formula)]
        formulas = [
            {"tex": node.astext(), "display": isinstance(node, nodes.math_block)} for node in found
        ]
        results = json.loads(run("katex.mjs", formulas)) if found else []
        for node, result in zip(found, results):
            if "error" in result:
                logger.warning("KaTeX: %s", result["error"], location=node)
            node["html"] = result.get("html", "")
        characters = characters_of(self.env)
        written = "".join(TAG.sub("", node["html"]) for node in found)
        characters[self.env.docname] = {*html.unescape(written)}


def characters_of(env):
    """Those in the formulas of each document, which the fonts must have."""
    if not hasattr(env, "formula_characters"):
        env.formula_characters = {}
    return env.formula_characters


def cut_fonts(app, exception):
    """KaTeX's fonts, each with the characters that stand in some formula."""
    if exception or app.builder.format != "html":
        return
    characters = "".join(sorted(set().union(*characters_of(app.env).values())))
    folder = Path(app.outdir, "_static", "katex", "fonts")
    done = folder / "characters.txt"
    if done.is_file() and done.read_text(encoding="utf-8") == characters:
        return
    folder.mkdir(parents=True, exist_ok=True)
    for path in KATEX.glob("fonts/*.woff2"):
        options = subset.Options(flavor="woff2", layout_features=["*"], hinting=False)
        font = subset.load_font(path, options)
        cutter = subset.Subsetter(options)
        cutter.populate(text=characters)
        cutter.subset(font)
        subset.save_font(font, folder / path.name, options)
    done.write_text(characters, encoding="utf-8")


def visit_math(self, node):
    self.body.append(f'<span class="math">{node["html"]}</span>')
    raise nodes.SkipNode


def visit_math_block(self, node):
    anchor = f' id="{node["ids"][0]}"' if node["ids"] else ""
    number = f'<span class="eqno">({node["number"]})</span>' if node["number"] else ""
    self.body.append(f'<div class="math"{anchor}>{node["html"]}{number}</div>\n')
    raise nodes.SkipNode


def copy_style(app):
    copy_asset(KATEX / "katex.min.css", Path(app.outdir, "_static", "katex"))


def setup(app):
    app.add_transform(Typeset)
    app.add_html_math_renderer("katex", (visit_math, None), (visit_math_block, None))
    app.add_css_file("katex/katex.min.css")
    app.connect("builder-inited", copy_style)
    app.connect("build-finished", cut_fonts)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
