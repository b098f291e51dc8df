"""Nothing from elsewhere, and nothing that fails: every page, and what a reader does on it."""

import re

import pytest
from lxml import html
from reader import CHOOSE, OPEN_ALL, PAGES, TWINS, VIEWS
from test_site import ADDRESS

# Figures are fetched when they are about to be seen; here, all at once.
BROKEN = """async () => {
  const broken = [];
  for (const image of document.images) {
    image.loading = "eager";
    await image.decode().catch(() => broken.push(image.src));
  }
  return broken;
}"""


def watch(context):
    """What goes wrong in the pages of a context, as it comes to pass."""
    troubles = []

    def check(response):
        if response.status >= 400:
            troubles.append(f"{response.status} {response.url}")

    def ask(request):
        if not request.url.startswith((ADDRESS, "data:", "blob:")):
            troubles.append(f"request to {request.url}")

    context.on("request", ask)
    context.on("response", check)
    context.on("requestfailed", lambda request: troubles.append(f"failed {request.url}"))
    context.on("weberror", lambda error: troubles.append(f"error {error.error}"))
    context.on(
        "console",
        lambda said: troubles.append(f"{said.type}: {said.text}") if said.type == "error" else None,
    )
    return troubles


@pytest.mark.parametrize("name", PAGES + TWINS)
def test_a_page_needs_nothing_from_elsewhere_and_nothing_fails(visitor, name):
    reader = visitor()
    troubles = watch(reader.context)
    page = reader.open(name)
    if name in PAGES:
        for view in VIEWS:
            page.evaluate(CHOOSE, view)
    page.evaluate(OPEN_ALL)
    broken = page.evaluate(BROKEN)
    page.wait_for_load_state("networkidle")
    assert broken == []
    assert not troubles


@pytest.mark.parametrize("query", ["forget gate", "遗忘门", "nothing of the sort"])
def test_search_needs_nothing_from_elsewhere(visitor, query):
    reader = visitor()
    troubles = watch(reader.context)
    page = reader.open("search", f"?q={query}")
    page.wait_for_selector("#search-results[data-done]", state="attached")
    assert not troubles


def test_an_unknown_address_shows_the_way_back(visitor):
    reader = visitor()
    troubles = watch(reader.context)
    page = reader.context.new_page()
    response = page.goto("chapters/old/no-such-page.html")
    page.wait_for_load_state("networkidle")
    assert response.status == 404
    gone = f"404 {ADDRESS}chapters/old/no-such-page.html"
    said = "error: Failed to load resource: the server responded with a status of 404 (Not Found)"
    assert [trouble for trouble in troubles if trouble != said] == [gone]
    page.click("main a[href$='intro.html'] >> visible=true >> nth=0")
    assert page.url.startswith(f"{ADDRESS}intro.html")


def test_no_list_of_pages_is_out_of_date(folder):
    built = {path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.html")}
    of_readers = {name for name in built if not name.startswith("_static/")}
    assert of_readers - {"index"} == {*PAGES, *TWINS}


LATENT = {
    ".css": r"""(?:url\(|@import)\s*["']?(?:https?:)?//[^)"']+""",
    ".js": r"""(?:\b(?:fetch|import|importScripts|Worker|open)\s*\(?|\.src\s*=|\.href\s*=)"""
    r"""\s*["'`](?:https?:)?//[^"'`]+""",
}


def test_no_file_could_fetch_from_elsewhere(folder):
    found = []
    for path in folder.rglob("*"):
        if path.suffix in LATENT:
            text = path.read_text("utf8")
            found += [f"{path.name}: {match}" for match in re.findall(LATENT[path.suffix], text)]
        elif path.suffix == ".html":
            page = html.document_fromstring(path.read_bytes())
            fetched = page.xpath(
                "//script/@src | //img/@src | //iframe/@src | //source/@src"
                " | //link[not(@rel='canonical' or @rel='alternate')]/@href"
            )
            found += [
                f"{path.name}: {link}"
                for link in fetched
                if "//" in link and not link.startswith(ADDRESS)
            ]
            for kind, where in (".css", "//style/text() | //@style"), (".js", "//script/text()"):
                texts = " ".join(page.xpath(where))
                found += [f"{path.name}: {match}" for match in re.findall(LATENT[kind], texts)]
    assert not found
