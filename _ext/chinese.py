"""A Chinese twin for each page, `zh/….html`, with nothing else on it: for search engines above all.

Readers of a page with both languages switch between them; a search engine needs an address for
each.
"""

import copy

import meta
from labels import SEPARATOR

ENGLISH = "//body//*[@lang='en' and not(contains(@class, 'keep'))]"
LINKS = (("a", "href"), ("link", "href"), ("script", "src"), ("img", "src"), ("form", "action"))
SHARED = ("_static/", "_images/", "_sources/", "search.html")


def twin(page):
    """The page without its English, one folder deeper."""
    page = copy.copy(page)
    page.tree = copy.deepcopy(page.tree)
    page.tree.set("lang", "zh-CN")
    page.tree.set("data-view", "zh")  # view.js leaves it so
    page.tree.set("data-both", f"{page.root}../{page.name}.html")
    page.tree.set("data-content_root", f"{page.root}../")
    for element in page.find(f"{ENGLISH} | //body//span[@class='separator']"):
        element.drop_tree()
    for element in page.find("//body//*[@title or @aria-label or @placeholder or @alt]"):
        for name in ("title", "aria-label", "placeholder", "alt", "data-bs-title"):
            if SEPARATOR in element.get(name, ""):
                element.set(name, element.get(name).split(SEPARATOR, 1)[1])
    title = page.find("//title")[0]
    title.text = " — ".join(
        part.split(SEPARATOR, 1)[-1].strip() for part in title.text.strip().split(" — ")
    )
    for tag, name in LINKS:
        for element in page.find(f"//{tag}[@{name}]"):
            element.set(name, deeper(page, element.get(name)))
    meta.of_twin(page)
    return page


def deeper(page, address):
    """What all languages share lies one folder further up; pages have their twins beside them."""
    inside = address.removeprefix(page.root)
    return f"{page.root}../{inside}" if inside.startswith(SHARED) else address
