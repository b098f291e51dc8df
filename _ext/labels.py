"""Words outside the chapters' text, in two languages: the theme's own, and titles `English · 中文`.

A text `English · 中文` becomes two spans, each with its language; switch.js does the same, when the
reader chooses, for attributes and for the window's title, which cannot hold an element.
"""

import re
from html import escape

from lxml import html

from languages import HAN

SEPARATOR = " · "
TITLE = re.compile(
    # what no language owns: a number or an icon before, an anchor's link behind
    r"(?P<before>\s*(?:<span class=\"section-number\">.*?</span>|\d+\.\s|<svg.*?</svg>\s*)?)"
    rf"(?P<en>.*?){SEPARATOR}(?P<zh>.*?)"
    r"(?P<behind>(?:<a class=\"headerlink\".*)?\s*)",
    re.DOTALL,
)
BOTH = (
    '{before}<span lang="en">{en}</span>'
    f'<span class="separator">{SEPARATOR}</span>'
    '<span lang="zh-CN">{zh}</span>{behind}'
)
THEME = {
    "Skip to main content": "跳到正文",
    "Back to top": "回到顶部",
    "Search": "搜索",
    "Main": "全书目录",
    "Contents": "本页目录",
    "previous": "上一页",
    "next": "下一页",
    "previous page": "上一页",
    "next page": "下一页",
    "Toggle primary sidebar": "打开或收起全书目录",
    "Toggle secondary sidebar": "打开或收起本页目录",
    "Download this page": "下载本页",
    "Download source file": "下载源文件",
    "Print to PDF": "打印为 PDF",
    "Fullscreen mode": "全屏",
    "Color mode": "明暗模式",
    "Version warning": "版本提示",
    "Link to this heading": "到此标题的链接",
}
ATTRIBUTES = "title", "aria-label", "placeholder", "data-bs-title"
CHROME = "//body//*[not(ancestor-or-self::article or self::script or self::style)]"
TITLES = (
    "//article//*[self::h1 or self::h2 or self::h3 or self::h4 or ancestor::summary]"
    "[not(@class='separator')]"
)


def touch(page):
    for name in ATTRIBUTES:
        for element in page.find(f"//body//*[@{name}]"):
            element.set(name, in_both(element.get(name)))
    for element in page.find("//summary[@aria-label]"):
        del element.attrib["aria-label"]  # what it shows says it better
    for element in page.find(CHROME):
        element.text, *tails = map(in_both, texts(element))
        for child, tail in zip(element, tails):
            child.tail = tail
    for element in [*page.find(CHROME), *page.find(TITLES)]:
        if any(SEPARATOR in (text or "") for text in texts(element)):
            split(element)


def texts(element):
    """Its own text, and what follows each of its children."""
    return [element.text, *(child.tail for child in element)]


def in_both(text):
    words = (text or "").strip()
    return text.replace(words, f"{words}{SEPARATOR}{THEME[words]}") if words in THEME else text


def split(element):
    """Give each half of `English · 中文` its span; a half may hold other elements."""
    inner = escape(element.text or "") + "".join(
        html.tostring(child, encoding="unicode") for child in element
    )
    title = TITLE.fullmatch(inner)
    if title is None or not (HAN.search(title["zh"]) or title["en"] == title["zh"]):
        return
    new = html.fragment_fromstring(BOTH.format(**title.groupdict()), "div")
    element[:] = new[:]
    element.text = new.text
