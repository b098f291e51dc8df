"""The address at which the site will stand, for what must be absolute: hreflang, sitemap, 404 page.

BOOK_SITE_URL says it; else it is that of GitHub Pages, where the repository is GitHub's. Where
neither is known, the site has no such addresses, and works from anywhere all the same.
"""

import os
import re
import sys
from pathlib import Path
from urllib.parse import urlsplit

sys.path.append(str(Path(__file__).resolve().parents[1] / "tools"))  # as repository.py does

import origin


def of_site(repository, environment=os.environ):
    """https://owner.github.io/name/, with its last slash; empty where nobody knows it."""
    if said := environment.get("BOOK_SITE_URL"):
        return said.rstrip("/") + "/"
    address = urlsplit(repository.url if repository else "")
    if address.hostname != "github.com":
        return ""
    owner, name = address.path.strip("/").split("/")[:2]
    host = f"{owner.lower()}.github.io"
    return f"https://{host}/" if name.lower() == host else f"https://{host}/{name}/"


def touch(page):
    """A host shows the 404 page in the place of any other, so that its links must be absolute."""
    if page.name == "404":
        for element, attribute, address, _ in [*page.tree.iterlinks()]:
            if not re.match(r"#|[a-z]+:", address):
                element.set(attribute, f"{page.baseurl or '/'}{address}")


def set_address(app, config):
    config.html_baseurl = of_site(origin.find(Path(app.srcdir)))
    config.html_additional_pages["404"] = "404.html"


def setup(app):
    app.connect("config-inited", set_address)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
