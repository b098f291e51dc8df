"""The browser that prints the book and that opens the site's pages in tests: Chromium, or Chrome.

`BROWSER_PATH` names it. Otherwise it is the first on PATH, or the one that `playwright install
chromium` left, or, on a Debian whose administrator runs this, the one that is installed now, with
Chinese fonts beside it.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from library import BookError

NAMES = "chromium", "chromium-browser", "google-chrome"
PACKAGES = "chromium", "fonts-noto-cjk"
FLAGS = [  # nothing here needs a graphics card, nor the network
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Run in a process of its own: Playwright starts but once in each, and the caller is about to.
ASK = """
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    print(playwright.chromium.executable_path, end="")
"""


@contextmanager
def opened() -> Iterator[Browser]:
    """The browser, running without a window until the `with` block ends."""
    program, administrator = find(), os.geteuid() == 0
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=program,
            args=FLAGS,
            chromium_sandbox=not administrator,  # which refuses to work for one
        )
        try:
            yield chromium
        finally:
            chromium.close()


def find() -> Path:
    """The browser's program; BookError says what to do where there is none."""
    if named := os.environ.get("BROWSER_PATH"):
        if not os.access(named, os.X_OK) or not Path(named).is_file():
            raise BookError(f"BROWSER_PATH={named!r}: expected the path of a program")
        return Path(named)
    return on_path() or playwrights_own() or installed() or none()


def on_path() -> Path | None:
    return next((Path(found) for name in NAMES if (found := shutil.which(name))), None)


def playwrights_own() -> Path | None:
    run = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=True)
    return Path(run.stdout) if Path(run.stdout).is_file() else None


def installed() -> Path | None:
    """From Debian's packages, where this process may install them."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return None
    print(f"No browser is here; apt-get installs {' and '.join(PACKAGES)}.", file=sys.stderr)
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "--yes", "--no-install-recommends", *PACKAGES]):
        subprocess.run(["apt-get", "--quiet=2", *command], env=quiet, stdout=sys.stderr)
    return on_path()


def none() -> Path:
    raise BookError(
        "no browser was found: install Chromium or Chrome (on Debian: apt install "
        f"{' '.join(PACKAGES)}; anywhere: .venv/bin/playwright install chromium), "
        "or name one with BROWSER_PATH=/path/to/chromium"
    )
