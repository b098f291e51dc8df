"""The repository that this book lies in, for what leads readers back to it.

The site's buttons (_ext/repository.py) and the copies for Colab (colab.py) ask here, so that those
of a fork lead to the fork. Nothing here needs Sphinx or the network.
"""

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from library import BookError

# How a host writes the address at which one edits a file.
EDIT = {"github": "{url}/edit/{branch}/{path}", "gitlab": "{url}/-/edit/{branch}/{path}"}


@dataclass(frozen=True)
class Repository:
    """Where the book's files are to be had."""

    url: str  # https://github.com/owner/name; tests have file:///path
    branch: str = "main"
    commit: str = ""  # only where it is known to be published

    @property
    def on_the_web(self) -> bool:
        return not self.url.startswith("file:")

    @property
    def colab(self) -> str:
        """Where Colab opens the notebooks of the branch `colab`; empty where it cannot."""
        host, path = urlsplit(self.url).hostname, urlsplit(self.url).path
        if host != "github.com":
            return ""
        return f"https://colab.research.google.com/github{path}/blob/colab/chapters/"

    def edit(self, path: str) -> str:
        """Where one edits a file in the browser; empty where that is not known."""
        host = urlsplit(self.url).hostname or ""
        address = next((EDIT[kind] for kind in EDIT if kind in host), "")
        return address.format(url=self.url, branch=quote(self.branch), path=quote(path))


def find(root: Path, environment: Mapping[str, str] = os.environ) -> Repository | None:
    """What BOOK_REPOSITORY_URL says (empty: none), else GitHub's workflow, else git's `origin`."""
    branch, commit = environment.get("BOOK_REPOSITORY_BRANCH"), ""
    if "BOOK_REPOSITORY_URL" in environment:
        url = named(environment["BOOK_REPOSITORY_URL"])
    elif environment.get("GITHUB_REPOSITORY"):
        server = environment.get("GITHUB_SERVER_URL", "https://github.com")
        url = f"{server}/{environment['GITHUB_REPOSITORY']}"
        if not branch:
            branch, commit = environment.get("GITHUB_REF_NAME"), environment.get("GITHUB_SHA", "")
    else:
        url = web_address(remote(root))
    return Repository(url, branch or "main", commit) if url else None


def named(url: str) -> str:
    """An address that somebody gave on purpose."""
    address = url if url.startswith("file:///") else web_address(url)
    if url and not address:
        raise BookError(
            f"BOOK_REPOSITORY_URL={url!r}: expected an address such as "
            "https://github.com/OWNER/NAME (empty: no repository)"
        )
    return address


def remote(root: Path) -> str:
    """What git calls `origin`; empty without git, or where `root` is not itself a repository."""
    here = os.environ | {"GIT_CEILING_DIRECTORIES": str(root.resolve().parent)}
    command = ["git", "-C", str(root.resolve()), "remote", "get-url", "origin"]
    try:
        run = subprocess.run(command, env=here, capture_output=True, encoding="utf-8")
    except FileNotFoundError:
        return ""
    return run.stdout.strip()


def web_address(remote: str) -> str:
    """git@github.com:owner/name.git -> https://github.com/owner/name; empty for no web host's.

    A name or a password in the address stays out.
    """
    short = re.fullmatch(r"(?:[^@/:]+@)?([^@/:]+):(?!//)(.+)", remote)
    address = urlsplit(f"ssh://{short[1]}/{short[2]}" if short else remote)
    host = address.netloc.rpartition("@")[2]
    if address.scheme in ("ssh", "git"):
        host = host.partition(":")[0]  # the port is not that of the web
    elif address.scheme not in ("https", "http"):
        return ""
    path = address.path.strip("/").removesuffix(".git")
    if not path or not re.fullmatch(r"([\w-]+\.)+[a-z]{2,}(:\d+)?", host):
        return ""
    return f"{'http' if address.scheme == 'http' else 'https'}://{host}/{path}"
