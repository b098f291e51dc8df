"""Icons: what the theme draws by 1.5 MB of Font Awesome becomes inline SVG, from that same file."""

import functools
import re
from pathlib import Path

import pydata_sphinx_theme
from lxml import etree
from sphinx.errors import ExtensionError

THEME = Path(pydata_sphinx_theme.__file__).parent / "theme" / "pydata_sphinx_theme"
SOURCE = THEME / "static" / "scripts" / "fontawesome.js"
ICON = (
    r'[{,]"?(?P<name>[a-z0-9-]+)"?:'
    r'\[(?P<width>\d+),(?P<height>\d+),\[(?P<also>[^]]*)\],"[0-9a-f]+","(?P<path>[^"]+)"\]'
)
STYLES = {"fa", "fas", "fab", "far", "fa-solid", "fa-brands", "fa-regular", "fa-lg", "fa-fw"}


@functools.cache
def icons():
    """(width, height, path) by name; where a name has several styles, the solid one."""
    found = {}
    for icon in re.finditer(ICON, SOURCE.read_text(encoding="utf-8")):
        for name in [icon["name"], *re.findall(r'"([a-z0-9-]+)"', icon["also"])]:
            found[name] = icon["width"], icon["height"], icon["path"]  # solid is the last style
    return found


def touch(page):
    for element in page.find("//i[contains(@class, 'fa-')] | //span[contains(@class, 'fa-')]"):
        classes = element.get("class").split()
        names = [c.removeprefix("fa-") for c in classes if c.startswith("fa-") and c not in STYLES]
        if len(names) != 1 or names[0] not in icons():
            raise ExtensionError(f"{page.name}: no icon for class={element.get('class')!r}")
        draw(element, *icons()[names[0]])


def draw(element, width, height, path):
    """The element becomes the drawing; its classes and data stay, for the theme's styles."""
    element.tag = "svg"
    element.set("class", f"{element.get('class')} icon")
    element.set("viewBox", f"0 0 {width} {height}")
    element.set("aria-hidden", "true")
    element.attrib.pop("title", None)
    etree.SubElement(element, "path", d=path)
