"""Formulas, of which _ext/lean.mjs makes fewer elements, look as KaTeX has them, and fit a desk."""

import pytest
from reader import NUMBERED, OPEN_ALL, ROOT

KATEX = (ROOT / "node_modules" / "katex" / "dist" / "katex.min.js").read_text("utf8")
# Each formula is replaced by KaTeX' own. Which ones' letters, or corners, then differ?
MOVED = """async (most) => {
  await document.fonts.ready;
  const letters = (formula) => {
    const range = document.createRange();
    const found = [];
    const walker = document.createTreeWalker(formula, NodeFilter.SHOW_TEXT);
    while (walker.nextNode())
      [...walker.currentNode.data].forEach((letter, k) => {
        range.setStart(walker.currentNode, k);
        range.setEnd(walker.currentNode, k + 1);
        const { left, top } = range.getBoundingClientRect();
        if (letter !== "\\u200b") found.push({ letter, left, top });
      });
    const { left, top, right, bottom } = formula.getBoundingClientRect();
    return [...found, { letter: "", left, top }, { letter: "", left: right, top: bottom }];
  };
  const near = (one, other) =>
    one.letter === other?.letter &&
    Math.abs(one.left - other.left) <= most &&
    Math.abs(one.top - other.top) <= most;
  const moved = [];
  let [kept, whole] = [0, 0];
  for (const formula of document.querySelectorAll("article .math")) {
    const drawn = () => formula.querySelector(".katex-html");
    const elements = () => drawn().getElementsByTagName("*").length;
    const [lean, few] = [letters(drawn()), elements()];
    const displayMode = formula.localName === "div";
    const tex = formula.querySelector("annotation").textContent;
    formula.querySelector(displayMode ? ".katex-display" : ".katex").outerHTML =
      katex.renderToString(tex, { displayMode });
    const own = letters(drawn());
    kept += few;
    whole += elements();
    if (own.length !== lean.length || !own.every((letter, k) => near(letter, lean[k])))
      moved.push([tex, lean, own]);
  }
  return [moved.slice(0, 2), moved.length, kept / whole];
}"""
# Which would have to be moved sideways to be read.
TOO_WIDE = """() => [...document.querySelectorAll("article .katex-display")]
  .filter((line) => line.scrollWidth > line.clientWidth)
  .map((line) => line.querySelector("annotation").textContent)"""


@pytest.mark.parametrize("name", NUMBERED)
def test_formulas_look_as_katex_has_them_and_fit(visitor, name):
    page = visitor().open(name, "?lang=both")
    page.evaluate(OPEN_ALL)
    assert page.evaluate(TOO_WIDE) == []
    page.evaluate(KATEX)
    moved, number, kept = page.evaluate(MOVED, 0.1)
    assert number == 0, moved
    assert kept < 2 / 3  # of the elements
