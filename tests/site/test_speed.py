"""Speed: the switch between languages, the first sight of a page, and that nothing moves.

Times are those that a reader would take with a watch. Whatever else the machine does can only add
to them, never take away: so a time over its bound is taken anew, and the least median counts, which
was disturbed least. (The processor time of the browser's main thread is no better a measure: it
grows with what shares the core, and includes work that no reader waits for.)
"""

from statistics import median

import pytest
from reader import LONGEST, PAGES, PHONE, VIEW, VIEWS, WIDE

SWITCH = 100  # milliseconds
PAINT, SHIFT = 2000, 0.02  # milliseconds; share of the window that moves
TRIES, TIMES = 4, 5
SLOW = {"offline": False, "latency": 150, "downloadThroughput": 200_000, "uploadThroughput": 94_000}

CHOOSE_AND_DRAW = """async (view) => {
  await new Promise(requestIdleCallback); // what the last choice left to do is done
  const button = document.querySelector(`.language-switch [value=${view}]`);
  const start = performance.now();
  button.click();
  await new Promise(requestAnimationFrame);
  await new Promise((drawn) => setTimeout(drawn)); // the frame before it is on its way
  return performance.now() - start;
}"""
OBSERVE = """
  window.paint = window.shift = 0;
  new PerformanceObserver((list) => (window.paint = list.getEntries().at(-1).startTime))
    .observe({ type: "largest-contentful-paint", buffered: true });
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
  }).observe({ type: "layout-shift", buffered: true });
"""


@pytest.mark.parametrize("window", [WIDE, PHONE], ids=["wide", "phone"])
def test_the_switch_is_at_once(visitor, window, record_property):
    page = visitor(viewport=window).open(LONGEST)
    page.evaluate("scrollTo({ top: document.body.scrollHeight / 2, behavior: 'instant' })")
    page.evaluate(CHOOSE_AND_DRAW, "both")
    least = dict.fromkeys(VIEWS, float("inf"))
    for _ in range(TRIES):
        times = {view: [] for view in VIEWS}
        for _ in range(TIMES):
            for view in VIEWS:
                page.wait_for_function(f"document.documentElement.dataset.drawn === {VIEW}")
                times[view].append(page.evaluate(CHOOSE_AND_DRAW, view))
        least = {view: min(least[view], median(times[view])) for view in VIEWS}
        if max(least.values()) <= SWITCH:
            break
    record_property("milliseconds", least)
    assert max(least.values()) <= SWITCH, least


def load_slowly(visitor, name):
    """Largest contentful paint in milliseconds, and layout shift, of a first visit."""
    reader = visitor(viewport=PHONE, device_scale_factor=2)
    reader.context.add_init_script(OBSERVE)
    page = reader.context.new_page()
    session = reader.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.emulateNetworkConditions", SLOW)
    session.send("Emulation.setCPUThrottlingRate", {"rate": 4})
    page.goto(f"{name}.html", wait_until="networkidle")
    page.wait_for_function("window.paint > 0")
    paint, shift = page.evaluate("[window.paint, window.shift]")
    reader.context.close()
    return paint, shift


@pytest.mark.parametrize("name", PAGES)
def test_a_slow_device_shows_the_page_soon_and_nothing_moves(visitor, name, record_property):
    least = float("inf")
    for _ in range(TRIES):
        loads = [load_slowly(visitor, name) for _ in range(TIMES if name == LONGEST else 1)]
        least = min(least, median(paint for paint, _ in loads))
        assert max(shift for _, shift in loads) <= SHIFT, loads
        if least <= PAINT:
            break
    record_property("milliseconds", least)
    assert least <= PAINT
