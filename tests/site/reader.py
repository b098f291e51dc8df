"""What a reader opens, and what is then to be seen: shared by the tests in this folder."""

from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text("utf8"))
PARTS = [[entry["file"] for entry in part["chapters"]] for part in TOC["parts"]]
WRITTEN = [TOC["root"], *sum(PARTS, [])]
NUMBERED = sum((names for names, part in zip(PARTS, TOC["parts"]) if "numbered" in part), [])
CHAPTERS = [name for name in WRITTEN if name.startswith("chapters/")]
LONGEST = max(CHAPTERS, key=lambda name: (ROOT / "text" / f"{Path(name).name}.md").stat().st_size)
PAGES = [*WRITTEN, "search", "404"]
TWINS = [f"zh/{name}" for name in WRITTEN]

VIEWS = "en", "zh", "both"
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 740}

OPEN_ALL = "document.querySelectorAll('details').forEach((box) => (box.open = true))"
CHOOSE = "(view) => document.querySelector(`.language-switch [value=${view}]`).click()"
VIEW = "document.documentElement.dataset.view"

# What is in neither language or, as an entry of the glossary, in both.
NO_PROSE = (
    "script, style, pre, code, kbd, .cell_output, .katex, table.terms, #references > ul,"
    " a.external, .language-switch, .keep"
)
# Visible text, a line for each block; what is no prose leaves a gap that no pattern reaches across.
TEXT = """(noProse) => {
  const block = (element) => {
    while (getComputedStyle(element).display.startsWith("inline")) element = element.parentElement;
    return element;
  };
  const lines = [];
  let last = null;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const { parentElement: element, data } = walker.currentNode;
    if (!data.trim() && last === null) continue;
    if (!element.checkVisibility({ visibilityProperty: true })) continue;
    const at = block(element);
    if (at !== last) lines.push("");
    last = at;
    lines[lines.length - 1] += element.closest(noProse) ? " ¤ " : data.replace(/\\s+/g, " ");
  }
  return lines.filter((line) => line.trim()).join("\\n");
}"""


def prose(page) -> str:
    """The visible words of an open page, boxes opened, without code, output and formulas."""
    page.evaluate(OPEN_ALL)
    return page.evaluate(TEXT, NO_PROSE)
