"""A phone's width: the page never scrolls sideways, and what is wider than it scrolls by itself."""

import pytest
from reader import CHOOSE, OPEN_ALL, PAGES, PHONE, TWINS, VIEWS

# What reaches beyond the window without a box around it that scrolls: nobody can see its end.
OUT_OF_REACH = """() => {
  const scrolls = (element) => {
    for (let box = element; box && box !== document.body; box = box.parentElement)
      if (["auto", "scroll"].includes(getComputedStyle(box).overflowX)) return true;
    return false;
  };
  return [...document.querySelectorAll("article *, header *, footer *")]
    .filter((element) => !element.closest(".katex-mathml, .visually-hidden, dialog, svg"))
    .filter((element) => element.getBoundingClientRect().right > innerWidth + 1)
    .filter((element) => element.checkVisibility() && !scrolls(element))
    .slice(0, 3)
    .map((element) => element.outerHTML.slice(0, 160));
}"""
SCROLLERS = """() => [...document.querySelectorAll("article :is(pre, .katex-display, table)")]
  .filter((element) => element.scrollWidth > element.clientWidth).length"""
SIDEWAYS = "document.scrollingElement.scrollWidth - innerWidth"


@pytest.mark.parametrize("name", PAGES + TWINS)
def test_nothing_is_wider_than_a_phone(visitor, name):
    page = visitor(viewport=PHONE).open(name)
    page.evaluate(OPEN_ALL)
    for view in VIEWS if name in PAGES else ["zh"]:
        if name in PAGES:
            page.evaluate(CHOOSE, view)
        assert page.evaluate(SIDEWAYS) <= 0, view
        lost = page.evaluate(OUT_OF_REACH)
        assert lost == [], view
    if name.startswith("chapters/"):
        assert page.evaluate(SCROLLERS) > 0
