"""For everybody: no violation that axe-core knows, and the keyboard alone is enough."""

import re

import pytest
from reader import CHOOSE, LONGEST, OPEN_ALL, PAGES, PHONE, ROOT, TWINS, VIEW, VIEWS, WIDE

AXE = (ROOT / "node_modules" / "axe-core" / "axe.min.js").read_text("utf8")
OF_COLOURS = ["color-contrast", "link-in-text-block"]  # the only rules that see the theme
LOOK = """color backgroundColor backgroundImage opacity fontSize fontWeight textDecorationLine
  textShadow""".split()
BRIEF = 'resultTypes: ["violations"], selectors: false'
FAULTS = "({ violations }) => violations.map(({ id, nodes: [first, ...others] }) => \
  [id, others.length + 1, first.html.slice(0, 200)])"
RUN = f"""async (without) => {{
  const rules = Object.fromEntries(without.map((name) => [name, {{ enabled: false }}]));
  return ({FAULTS})(await axe.run(document, {{ rules, {BRIEF} }}));
}}"""
# An element looks alike in most views: where a look is known, there is nothing new to find.
RUN_ON_NEW_LOOKS = f"""async (runOnly) => {{
  for (const change of document.getAnimations()) change.finish(); // from one theme to the other
  window.known ??= new WeakMap();
  const isNew = (element) => {{
    const style = getComputedStyle(element);
    const look = {LOOK}.map((name) => style[name]).join();
    const looks = known.get(element) ?? known.set(element, new Set()).get(element);
    return looks.size < looks.add(look).size;
  }};
  const seen = [...document.body.querySelectorAll("*")].filter((one) => one.checkVisibility());
  const fresh = new Set(seen.filter(isNew));
  const include = [...fresh].filter((one) => !fresh.has(one.parentElement)); // and all in them
  return include.length ? ({FAULTS})(await axe.run({{ include }}, {{ runOnly, {BRIEF} }})) : [];
}}"""
# Tens of thousands of elements are letters of drawn formulas, which axe-core does not read, parts
# of MathML, of which it knows nothing, and tokens of code. The letters leave their place empty,
# MathML keeps its words, and of each kind of token some stay.
LIGHTEN = """(most) => {
  for (const math of document.querySelectorAll("math")) math.replaceChildren(math.textContent);
  const formulas = [...document.querySelectorAll(".katex-html")];
  const boxes = formulas.map((formula) => formula.getBoundingClientRect());
  formulas.forEach((formula, k) => {
    const { width, height } = boxes[k];
    if (!width) return;
    formula.replaceChildren();
    formula.style.cssText = `display: inline-block; width: ${width}px; height: ${height}px`;
  });
  const seen = {};
  for (const token of document.querySelectorAll("pre span[class]")) {
    seen[token.className] = (seen[token.className] ?? 0) + 1;
    if (seen[token.className] > most) token.replaceWith(...token.childNodes);
  }
}"""
TOKENS = 20
ALL_FIRST = "both", "en", "zh"
# One of each kind, for what depends on the width.
KINDS = [
    ("intro", ""),
    ("chapters/deep", ""),
    ("chapters/conformance", ""),
    ("glossary", ""),
    ("references", ""),
    ("search", "?q=forget gate"),
    ("search", "?q=遗忘门"),
    ("404", ""),
]


def turn(page, scheme):
    page.emulate_media(color_scheme=scheme)
    page.wait_for_function(f"document.documentElement.dataset.theme === '{scheme}'")


def violations(page, views):
    """What axe-core finds, by view and colours."""
    page.evaluate(AXE)
    page.evaluate(OPEN_ALL)
    found = {}
    for view in views:
        if page.evaluate(VIEW) != view:
            page.evaluate(CHOOSE, view)
        page.evaluate(LIGHTEN, TOKENS)
        found[view] = page.evaluate(RUN, OF_COLOURS)
        for scheme in ("light", "dark"):
            turn(page, scheme)
            found[view, scheme] = page.evaluate(RUN_ON_NEW_LOOKS, OF_COLOURS)
    return {where: faults for where, faults in found.items() if faults}


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(visitor, name):
    """In each view; that in Chinese is the page's twin, where it has one."""
    page = visitor().open(name)
    found = violations(page, [v for v in ALL_FIRST if v != "zh" or f"zh/{name}" not in TWINS])
    assert found == {}


@pytest.mark.parametrize("name", TWINS)
def test_axe_finds_nothing_in_a_twin(visitor, name):
    page = visitor().open(name)
    found = violations(page, ["zh"])
    assert found == {}


@pytest.mark.parametrize("name, query", KINDS)
def test_axe_finds_nothing_on_a_phone(visitor, name, query):
    page = visitor(viewport=PHONE).open(name, query)
    if query:
        page.wait_for_selector("#search-results[data-done] > li")
    found = violations(page, ALL_FIRST)
    assert found == {}


# --- what a screen reader is told -----------------------------------------------------------------


def told(page):
    """How many formulas, and which words, the browser tells of a page to a screen reader."""
    page.wait_for_function(
        "(({ drawn, view }) => drawn === view)(document.documentElement.dataset)"
    )
    nodes = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    said = [node for node in nodes if not node["ignored"]]
    formulas = [node for node in said if node["role"]["value"] == "MathMLMath"]
    return len(formulas), " ".join(node.get("name", {}).get("value", "") for node in said)


def test_formulas_and_code_are_told_in_each_view(visitor):
    page = visitor().open(LONGEST)
    page.evaluate(OPEN_ALL)
    for view in VIEWS:
        page.evaluate(CHOOSE, view)
        formulas, words = told(page)
        shown = "[...document.querySelectorAll('.katex')].filter((one) => one.checkVisibility())"
        assert formulas == page.evaluate(f"{shown}.length") > 100
        code = page.locator(".cell_input pre").all_text_contents()
        assert {*re.findall(r"\w+", " ".join(code))} <= {*re.findall(r"\w+", words)}


# --- the keyboard ---------------------------------------------------------------------------------

FOCUS = "(selector) => document.activeElement.matches(selector)"


def tab_to(page, selector, most):
    """Press Tab until the focus is there, and see that it shows."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate(FOCUS, selector):
            break
    assert page.evaluate(FOCUS, selector), f"{most} times Tab did not lead to {selector}"
    ring = "(({outlineStyle, boxShadow}) => [outlineStyle, boxShadow])"
    assert page.evaluate(f"{ring}(getComputedStyle(document.activeElement))") != ["none", "none"]


@pytest.mark.parametrize("window", [WIDE, PHONE], ids=["wide", "phone"])
def test_tab_leads_to_the_switch_and_keys_work_it(visitor, window):
    page = visitor(viewport=window).open("chapters/gru")
    tab_to(page, ".language-switch [value=en]", 40)
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert page.evaluate(VIEW) == "zh"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate(VIEW) == "both"


def test_the_first_tab_skips_to_the_text(visitor):
    page = visitor().open("chapters/gru")
    tab_to(page, "#pst-skip-link a", 1)
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main, #main-content') !== null")


def test_keys_search(visitor):
    page = visitor().open("chapters/gru")
    page.keyboard.press("Control+k")
    assert page.locator("#pst-search-dialog").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#pst-search-dialog").is_visible()
    page.keyboard.press("Control+k")
    page.keyboard.type("forget gate")
    page.keyboard.press("Enter")
    page.wait_for_selector("#search-results[data-done] > li")
    assert page.locator("#search-results > li > a").first.is_visible()


def test_keys_open_and_close_the_menu_of_a_phone(visitor):
    page = visitor(viewport=PHONE).open("chapters/gru")
    chapter = page.locator(".bd-links a[href$='lstm.html']:visible")
    assert chapter.count() == 0
    tab_to(page, ".primary-toggle", 10)
    page.keyboard.press("Enter")
    chapter.first.wait_for()
    assert chapter.first.bounding_box()["x"] >= 0
    page.keyboard.press("Escape")
    chapter.first.wait_for(state="hidden")
    assert page.evaluate(FOCUS, ".primary-toggle")


def test_keys_enlarge_a_figure(visitor):
    page = visitor().open("chapters/gru")
    figure = page.locator("a.figure").first
    figure.focus()
    small = figure.locator("img").bounding_box()
    page.keyboard.press("Enter")
    large = page.locator("dialog.enlarged[open] img")
    assert large.bounding_box()["width"] > small["width"]
    assert large.get_attribute("alt") == figure.locator("img").get_attribute("alt")
    page.keyboard.press("Escape")
    assert not page.locator("dialog.enlarged").is_visible()
    assert page.evaluate(FOCUS, "a.figure")


def test_keys_open_a_solution(visitor):
    page = visitor().open("chapters/gru")
    solution = page.locator("details.solution").first
    solution.locator("summary").focus()
    page.keyboard.press("Enter")
    assert solution.locator("p[lang=en]").first.is_visible()
    page.keyboard.press("Enter")
    assert not solution.locator("p[lang=en]").first.is_visible()
