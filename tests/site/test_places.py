"""Code that is not drawn yet has its place, so that nothing moves when it is."""

import pytest
from reader import CHAPTERS, OPEN_ALL, PHONE, WIDE

# How much higher or lower than code the place is that is kept for it at first, in pixels.
MISPLACED = """() => {
  const code = [...document.querySelectorAll(".cell_input div.highlight")];
  const heights = () => code.map((block) => block.getBoundingClientRect().height);
  const drawn = heights();
  document.documentElement.dataset.drawn = ""; // as at first
  return heights().map((height, k) => height - drawn[k]);
}"""


@pytest.mark.parametrize("window", [WIDE, PHONE], ids=["wide", "phone"])
@pytest.mark.parametrize("name", CHAPTERS)
def test_code_that_is_not_drawn_yet_has_its_place(visitor, window, name):
    page = visitor(viewport=window).open(name)
    page.evaluate(OPEN_ALL)
    misplaced = page.evaluate(MISPLACED)
    assert misplaced and max(map(abs, misplaced)) <= 4, misplaced
