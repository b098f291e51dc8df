"""The language switch: its buttons, and the view that is set before anything is drawn."""

from pathlib import Path

from lxml import html

HERE = Path(__file__).parent
BUTTONS = """
<div class="language-switch pst-js-only" role="group" aria-label="Language · 语言">
  <button type="button" value="en" aria-pressed="false" lang="en" class="keep">EN</button>
  <button type="button" value="zh" aria-pressed="false" lang="zh-CN" class="keep">中文</button>
  <button type="button" value="both" aria-pressed="false"
    title="Both languages · 两种语言">EN+中</button>
</div>
"""


def touch(page):
    head = page.find("//head")[0]
    script = html.Element("script")
    script.text = (HERE / "view.js").read_text(encoding="utf-8")
    head.insert(1, script)  # after the character set, before all styles
    for bar in page.find("//div[@class='article-header-buttons']"):
        bar.insert(0, html.fragment_fromstring(BUTTONS))
