"""Files that longer trainings left: whole and as they were written, or refused by name.

Figures are a JSON object whose `sha256` is taken of all the rest of it.
"""

import hashlib
import json
import os
from pathlib import Path


def read_figures(path: Path) -> dict:
    """The figures in a JSON file that `write_figures` wrote, without their checksum.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file was cut short or altered.
    """
    content = read(path)
    try:
        figures = json.loads(content)
    except ValueError as error:
        raise damaged(path, error) from error
    if not isinstance(figures, dict) or figures.pop("sha256", None) != checksum(figures):
        raise damaged(path, "its contents have another checksum than its `sha256`")
    return figures


def write_figures(path: Path, figures: dict) -> None:
    """Figures to a JSON file, with their checksum."""
    figures = json.loads(json.dumps(figures))  # as they will be read: keys are strings
    content = json.dumps({"sha256": checksum(figures), **figures}, ensure_ascii=False, indent=1)
    write_whole(path, f"{content}\n".encode())


def checksum(figures: dict) -> str:
    """SHA-256 of the figures, however they are laid out."""
    return hashlib.sha256(json.dumps(figures, sort_keys=True).encode()).hexdigest()


def read_bytes(path: Path, sha256: str) -> bytes:
    """What a file holds; FileNotFoundError and ValueError as for `read_figures`."""
    content = read(path)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise damaged(path, "its contents have another checksum than those that were stored")
    return content


def read(path: Path) -> bytes:
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: {mend(path)}")
    return path.read_bytes()


def damaged(path: Path, why: object) -> ValueError:
    return ValueError(f"{path} is damaged ({why}): {mend(path)}")


def mend(path: Path) -> str:
    return (
        f"`git checkout -- {path.name}` in its folder or a new installation brings it back, "
        "`make models` trains it anew"
    )


def write_whole(path: Path, content: bytes) -> None:
    """All or nothing: whoever is stopped in the middle keeps the old file."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(content)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
