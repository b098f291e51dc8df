"""A browser, and the built site on a host for it.

Playwright must not outlive a file of tests: while it runs, nothing else in the process can start an
event loop, as tests of notebooks do.
"""

import os
from urllib.parse import urlsplit

import host
import pytest
from playwright.sync_api import sync_playwright
from reader import WIDE
from test_site import ADDRESS, built  # noqa: F401 (a fixture)

import browser
from library import BookError

NAME, FOLDER = urlsplit(ADDRESS).netloc, urlsplit(ADDRESS).path


@pytest.fixture(scope="module")
def folder(built):  # noqa: F811
    """Where the built pages lie."""
    return built[0]


@pytest.fixture(scope="module")
def chromium(folder):
    """The browser; it finds the site at ADDRESS, and no other host."""
    try:
        program = browser.find()
    except BookError as error:
        pytest.fail(str(error), pytrace=False)
    with host.serving(folder, FOLDER) as port, sync_playwright() as playwright:
        known = f"MAP {NAME}:80 127.0.0.1:{port}, MAP * ~NOTFOUND"
        yield playwright.chromium.launch(
            executable_path=program,
            args=[*browser.FLAGS, f"--host-resolver-rules={known}"],
            chromium_sandbox=os.geteuid() != 0,
        )


class Visitor:
    """Somebody who comes to the site for the first time, with a browser set up in their way."""

    def __init__(self, chromium, **settings):
        settings = {"viewport": WIDE, "locale": "en-US", "color_scheme": "light"} | settings
        self.context = chromium.new_context(base_url=ADDRESS, **settings)

    def open(self, name, query=""):
        """A page by its name, as chapters/gru, in a tab of its own."""
        page = self.context.new_page()
        page.goto(f"{name}.html{query}", wait_until="load")
        return page


@pytest.fixture
def visitor(chromium):
    """Makes visitors, who leave when the test ends."""
    visitors = []

    def come(**settings):
        visitors.append(Visitor(chromium, **settings))
        return visitors[-1]

    yield come
    for one in visitors:
        one.context.close()
