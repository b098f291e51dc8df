"""Without JavaScript both languages and all formulas are there, and nothing that needs it."""

import pytest
from reader import PAGES, TWINS

LOST = """() => [...document.querySelectorAll("article [lang]:not(:empty), article .katex")]
  .filter((element) => !element.closest("details:not([open]) > :not(summary)"))
  .filter((element) => !element.closest(".expanded")) // what an open box says
  .filter((element) => {
    const { width, height } = element.getBoundingClientRect();
    return !(width > 0 && height > 0) || !element.checkVisibility({ visibilityProperty: true });
  })
  .map((element) => element.outerHTML.slice(0, 120))"""
IDLE = """() => [...document.querySelectorAll("button, [onclick], .pst-js-only")]
  .filter((element) => element.checkVisibility({ visibilityProperty: true }))
  .filter((element) => !(element.type === "submit" && element.form))
  .map((element) => element.outerHTML.slice(0, 160))"""
COUNT = "(selector) => document.querySelectorAll(selector).length"


@pytest.mark.parametrize("name", [name for name in PAGES if name != "search"] + TWINS)
def test_everything_is_there_and_nothing_waits_for_a_script(visitor, name):
    page = visitor(java_script_enabled=False).open(name)
    assert not page.evaluate(LOST)
    assert not page.evaluate(IDLE)
    english, chinese = (
        page.evaluate(COUNT, f"article [lang='{code}']") for code in ("en", "zh-CN")
    )
    assert chinese
    assert bool(english) != name.startswith("zh/") or page.evaluate(COUNT, "article .keep")
    formulas = page.evaluate(COUNT, ".katex")
    assert page.evaluate(COUNT, ".katex math annotation") == formulas
    assert (
        bool(formulas) or "chapters/" not in name or name.endswith(("conformance", "differences"))
    )


def test_a_solution_opens(visitor):
    page = visitor(java_script_enabled=False).open("chapters/gru")
    box = page.locator("details.solution").first
    assert not box.locator("p[lang=en]").first.is_visible()
    box.locator("summary").click()
    assert box.locator("p[lang=en]").first.is_visible()


def test_the_search_page_says_what_it_needs(visitor):
    page = visitor(java_script_enabled=False).open("search")
    said = [paragraph.inner_text() for paragraph in page.locator("article p:visible").all()]
    assert said == ["Search needs JavaScript.", "搜索需要 JavaScript。"]
