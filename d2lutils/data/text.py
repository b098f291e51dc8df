"""Any text of the reader's own, by path or by URL."""

import hashlib
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlparse

import keras

SCHEMES = ("http", "https", "ftp", "file")


def load_text(source: str | Path, sha256: str | None = None, cache_dir: str | None = None) -> str:
    """Read a UTF-8 text from a path or a URL; line ends become newlines.

    A URL is fetched once by `keras.utils.get_file` and kept; a path is read where it lies.

    Args:
        source: path of a file, or a URL (http, https, ftp, file).
        sha256: checksum in hexadecimal digits that the file must have. Give it for a URL whose
            text results depend on.
        cache_dir: where a fetched file is kept, by default where Keras keeps its data.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the checksum differs, the file is not UTF-8, or it holds no text.
    """
    path = fetch(str(source), sha256, cache_dir) if is_url(source) else Path(source)
    if not path.is_file():
        raise FileNotFoundError(
            f"`source` must be the path of a file or a URL that begins with one of {SCHEMES}. "
            f"Received: source={str(source)!r}"
        )
    data = path.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if sha256 is not None and found != sha256.lower():
        raise ValueError(f"`sha256` of {str(source)!r} must be {sha256!r}. The file has: {found!r}")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"`source` must hold UTF-8 text. {str(source)!r}: {error}") from error
    if not text.strip():
        raise ValueError(f"`source` must hold some text. Received an empty one: {str(source)!r}")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def is_url(source: str | Path) -> bool:
    return isinstance(source, str) and urlparse(source).scheme.lower() in SCHEMES


def fetch(url: str, sha256: str | None, cache_dir: str | None) -> Path:
    """The file behind a URL. Two URLs that end alike are kept apart by a digest of the URL."""
    name = PurePosixPath(unquote(urlparse(url).path)).name or "text"
    name = f"{hashlib.sha256(url.encode()).hexdigest()[:12]}-{name}"
    kept = keras.utils.get_file(
        name, origin=url, file_hash=sha256, hash_algorithm="sha256", cache_dir=cache_dir
    )
    return Path(kept)
