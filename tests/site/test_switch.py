"""The language switch: what decides at first, what it keeps, and that nothing flashes."""

import pytest
from reader import CHOOSE, LONGEST, PHONE, VIEW, WIDE

PRESSED = (
    "[...document.querySelectorAll('.language-switch [aria-pressed=true]')].map((b) => b.value)"
)


def check(page, view):
    assert page.evaluate(VIEW) == view
    assert page.evaluate(PRESSED) == [view]
    language = "zh-CN" if view == "zh" else "en"
    page.wait_for_function(f"document.documentElement.lang === '{language}'")  # once it is drawn


# --- what decides ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "locale, view", [("en-US", "en"), ("zh-CN", "zh"), ("zh-TW", "zh"), ("fr", "en")]
)
def test_at_first_the_language_of_the_browser_decides(visitor, locale, view):
    check(visitor(locale=locale).open("intro"), view)


def test_a_choice_survives_a_reload_and_follows_a_link(visitor):
    page = visitor().open("intro")
    page.click(".language-switch [value=zh]")
    check(page, "zh")
    page.reload()
    check(page, "zh")
    page.click("article table:visible a[href*='chapters/gru']")
    page.wait_for_url("**/chapters/gru.html*")
    check(page, "zh")


def test_a_choice_is_remembered_in_another_tab(visitor):
    reader = visitor()
    reader.open("intro").click(".language-switch [value=both]")
    check(reader.open("chapters/gru"), "both")


def test_the_address_wins_over_what_is_remembered(visitor):
    reader = visitor()
    reader.open("intro").click(".language-switch [value=both]")
    check(reader.open("chapters/gru", "?lang=zh"), "zh")
    check(reader.open("chapters/gru", "?lang=klingon"), "zh")


def test_a_choice_wins_over_the_address(visitor):
    page = visitor().open("chapters/gru", "?lang=zh#references")
    page.click(".language-switch [value=en]")
    page.reload()
    check(page, "en")
    assert page.url.endswith("#references")


def test_without_storage_the_switch_still_works(visitor):
    reader = visitor()
    reader.context.add_init_script(
        "Object.defineProperty(window, 'localStorage', { get() { throw new Error('forbidden'); } })"
    )
    page = reader.open("chapters/gru")
    page.click(".language-switch [value=zh]")
    check(page, "zh")


def test_a_twin_leads_to_the_page_with_both(visitor):
    page = visitor().open("zh/chapters/gru")
    check(page, "zh")
    page.click(".language-switch [value=both]")
    page.wait_for_url("**/book/chapters/gru.html?lang=both")
    check(page, "both")


# --- no flash -------------------------------------------------------------------------------------


@pytest.mark.parametrize("locale, view", [("en-US", "en"), ("zh-CN", "zh")])
def test_the_view_is_set_before_anything_can_be_drawn(visitor, locale, view):
    reader = visitor(locale=locale)
    # the view as each child of <head>, and then <body>, comes into the document
    reader.context.add_init_script(
        """window.seen = [];
        new MutationObserver((changes) => {
          for (const { addedNodes } of changes)
            for (const { localName, rel } of addedNodes)
              window.seen.push([localName, rel, document.documentElement.dataset.view]);
        }).observe(document, { childList: true, subtree: true });"""
    )
    page = reader.open(LONGEST)
    came = page.evaluate("window.seen")
    drawn = [seen for name, rel, seen in came if name == "body" or rel == "stylesheet"]
    assert len(drawn) >= 2 and {*drawn} == {view}


# --- the place ------------------------------------------------------------------------------------

# Each paragraph of a pair of cells knows its twin: the first of one language that of the other.
PAIRS = """() => {
  const pairs = [];
  const language = (element) => element.matches("span") ? "" : element.lang;
  for (const section of document.querySelectorAll("article section")) {
    const children = [...section.children].filter((child) => child.localName !== "hr");
    for (let i = 0; i < children.length; ) {
      const run = (code) => {
        const found = [];
        while (i < children.length && language(children[i]) === code) found.push(children[i++]);
        return found;
      };
      const english = run("en"), chinese = run("zh-CN");
      if (english.length === chinese.length)
        english.forEach((block, k) => pairs.push({ en: block, zh: chinese[k] }));
      if (!english.length && !chinese.length) i++;
    }
  }
  return pairs;
}"""
FOLLOW = f"""async ([at, from, to]) => {{
  const pairs = ({PAIRS})();
  const pair = pairs[Math.floor(at * pairs.length)];
  const shown = (view, last) => view === "both" ? last : pair[view];
  const eye = document.querySelector(".bd-header-article").getBoundingClientRect().bottom;
  const before = shown(from, pair.en), after = shown(to, before);
  const top = (block) => block.getBoundingClientRect().top;
  scrollBy({{ top: top(before) - eye - 3, behavior: "instant" }});
  const old = top(before);
  document.querySelector(`.language-switch [value=${{to}}]`).click();
  await new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn)));
  return [top(after) - old, before.innerText.slice(0, 60), after.innerText.slice(0, 60)];
}}"""


@pytest.mark.parametrize("window", [WIDE, PHONE], ids=["wide", "phone"])
@pytest.mark.parametrize("start, end", [("en", "zh"), ("zh", "both"), ("both", "en"), ("zh", "en")])
def test_the_paragraph_under_the_eye_stays(visitor, window, start, end):
    page = visitor(viewport=window).open(LONGEST, f"?lang={start}")
    moved = {}
    for at in (0.1, 0.25, 0.4, 0.6, 0.75, 0.9):
        page.evaluate(CHOOSE, start)
        moved[at] = page.evaluate(FOLLOW, [at, start, end])
    lost = {at: where for at, where in moved.items() if abs(where[0]) > 4}
    assert lost == {}


def test_a_chinese_paragraph_under_the_eye_becomes_its_english_one(visitor):
    page = visitor().open(LONGEST, "?lang=both")
    chinese = FOLLOW.replace("shown(from, pair.en)", "pair.zh")
    lost = {}
    for at in (0.1, 0.25, 0.4, 0.6, 0.75, 0.9):
        page.evaluate(CHOOSE, "both")
        where = page.evaluate(chinese, [at, "both", "en"])
        if abs(where[0]) > 4:
            lost[at] = where
    assert lost == {}
