"""Any text of the reader's own, by path or by URL."""

import hashlib
import os
import re
import tempfile
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlparse

import keras

SCHEMES = ("http", "https", "ftp", "file")


def load_text(source: str | Path, sha256: str | None = None, cache_dir: str | None = None) -> str:
    """Read a UTF-8 text from a path or a URL; line ends become newlines.

    A URL is fetched once by `keras.utils.get_file` and kept when all of it has come; a path is
    read where it lies.

    Args:
        source: path of a file, or a URL (http, https, ftp, file).
        sha256: checksum in hexadecimal digits that the file must have. Give it for a URL whose
            text results depend on.
        cache_dir: where a fetched file is kept, by default where Keras keeps its data.

    Raises:
        TypeError: `source` is neither a string nor a path.
        FileNotFoundError: there is no such file.
        OSError: the URL could not be fetched.
        ValueError: the checksum is none or differs, the file is not UTF-8, or it holds no text.
    """
    if not isinstance(source, (str, Path)):
        raise TypeError(f"`source` must be a path or a URL. Received: source={source!r}")
    if sha256 is not None and not re.fullmatch("[0-9a-f]{64}", sha256 := str(sha256).lower()):
        raise ValueError(f"`sha256` must be 64 hexadecimal digits. Received: sha256={sha256!r}")
    path = fetch(source, sha256, cache_dir) if is_url(source) else Path(source)
    if not path.is_file():
        raise FileNotFoundError(
            f"`source` must be the path of a file or a URL that begins with one of {SCHEMES}. "
            f"Received: source={str(source)!r}"
        )
    return decode(source, path.read_bytes(), sha256)


def is_url(source: str | Path) -> bool:
    return isinstance(source, str) and urlparse(source).scheme.lower() in SCHEMES


def decode(source: str | Path, data: bytes, sha256: str | None) -> str:
    """The text that the bytes of `source` are, if they are one, and the one that was asked for."""
    found = hashlib.sha256(data).hexdigest()
    if sha256 is not None and found != sha256:
        raise ValueError(
            f"`sha256` of {str(source)!r} must be {sha256!r}. The hash of the file is: {found!r}"
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"`source` must hold UTF-8 text. {str(source)!r}: {error}") from error
    if not text.strip():
        raise ValueError(f"`source` must hold some text. Received an empty one: {str(source)!r}")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def fetch(url: str, sha256: str | None, cache_dir: str | None) -> Path:
    """The file behind a URL. Two URLs that end alike are kept apart by a digest of the URL.

    It is fetched into a folder of its own and moved when it is whole and what was asked for:
    whatever happens before leaves nothing that the next call would take for the file.
    """
    name = PurePosixPath(unquote(urlparse(url).path)).name or "text"
    name = f"{hashlib.sha256(url.encode()).hexdigest()[:12]}-{name}"
    home = Path(cache_dir or os.environ.get("KERAS_HOME") or "~/.keras").expanduser()
    kept = home / "datasets" / name
    if not kept.is_file() or sha256 not in (None, hashlib.sha256(kept.read_bytes()).hexdigest()):
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
            whole = download(url, name, folder)
            decode(url, whole.read_bytes(), sha256)
            os.replace(whole, kept)
    return kept


def download(url: str, name: str, folder: str) -> Path:
    try:
        return Path(keras.utils.get_file(name, url, cache_dir=folder, cache_subdir=""))
    except Exception as error:  # Keras raises a bare one for some, and passes others on
        raise OSError(
            f"`source` could not be fetched, and nothing of it was kept: {url!r}: {error}. "
            "Try again later, or fetch the file by other means and give its path"
        ) from error
