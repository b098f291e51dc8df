"""Keras' own source code as text: the installed files of `keras.src.layers`, split by families.

Source   the Python files of `keras/src/layers` of the Keras that is installed, tests included
Licence  Apache 2.0 (c) the Keras authors
Size     2.65 million characters in Keras 3.15.1; another version is another corpus
Split    by families of files, a family being one directory with its tests: the recurrent layers
         are held out, the normalisation layers validate, all the others train
"""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

HELD_OUT = ("rnn",)
VALIDATION = ("normalization",)
LONG = 30  # characters: a longer line that stands in training too was copied, not predicted


@dataclass(frozen=True)
class TextSplit:
    """A text in three parts that share no file and no line of more than 30 characters.

    train: the text to learn from.
    validation, held_out: the text to choose by, and the text to report on, without the lines of
        more than 30 characters (white space at both ends apart) that stand in `train`.
    validation_whole, held_out_whole: the same before those lines were dropped.
    families: name of the part -> name of the family -> its files in the order of the text.
    source, version: what the text is, and of which release.
    """

    train: str
    validation: str
    held_out: str
    validation_whole: str
    held_out_whole: str
    families: dict[str, dict[str, tuple[str, ...]]]
    source: str = ""
    version: str = ""


def keras_source(
    held_out: tuple[str, ...] = HELD_OUT, validation: tuple[str, ...] = VALIDATION
) -> TextSplit:
    """Keras' layers as text, split by families of files. No chance and no network is involved.

    A family is a directory of `keras/src/layers`: `convolutional` holds the convolutions of one,
    two and three dimensions, `pooling` all pooling, `rnn` all recurrent layers, each with the
    tests of its files. The files beside the directories are the family `layer`.

    Files of a family resemble one another, and a split by files at random would put near copies
    on both sides. Families still share lines (licences of arguments, say): see `TextSplit`.

    Args:
        held_out: names of the families to report on.
        validation: names of the families to choose by.

    Raises:
        TypeError: a name alone, without a tuple around it.
        ValueError: an unknown family, or one that is named twice.
        FileNotFoundError: the installed Keras keeps its layers elsewhere.
    """
    for argument, names in (("held_out", held_out), ("validation", validation)):
        if isinstance(names, str):
            raise TypeError(f"`{argument}` must be a tuple of names. Received: {names!r}")
    version, texts = read_families()
    taken = (*held_out, *validation)
    unknown = [name for name in taken if name not in texts]
    if unknown or len(set(taken)) < len(taken):
        raise ValueError(
            f"`held_out` and `validation` must name different families of {sorted(texts)}. "
            f"Received: held_out={held_out}, validation={validation}"
        )
    parts = {
        "train": tuple(name for name in texts if name not in taken),
        "validation": tuple(validation),
        "held_out": tuple(held_out),
    }
    joined = {
        part: "".join("".join(texts[name].values()) for name in names)
        for part, names in parts.items()
    }
    return TextSplit(
        train=joined["train"],
        validation=drop_copied_lines(joined["validation"], joined["train"]),
        held_out=drop_copied_lines(joined["held_out"], joined["train"]),
        validation_whole=joined["validation"],
        held_out_whole=joined["held_out"],
        families={
            part: {name: tuple(texts[name]) for name in names} for part, names in parts.items()
        },
        source="keras.src.layers (Apache 2.0)",
        version=version,
    )


def drop_copied_lines(text: str, train: str, longer_than: int = LONG) -> str:
    """`text` without its lines of more than `longer_than` characters that `train` contains.

    White space at both ends of a line does not count, neither in its length nor in comparing.
    """
    seen = {line.strip() for line in train.splitlines()}

    def copied(line: str) -> bool:
        return len(line.strip()) > longer_than and line.strip() in seen

    return "".join(line for line in text.splitlines(keepends=True) if not copied(line))


def read_families() -> tuple[str, dict[str, dict[str, str]]]:
    """Version of Keras; family -> file -> text, in the order of the names, without empty files."""
    import keras

    spec = importlib.util.find_spec("keras")
    folder = Path(spec.submodule_search_locations[0]) / "src" / "layers"
    if not folder.is_dir():
        raise FileNotFoundError(
            f"Keras {keras.__version__} has no folder {folder}: bring another text with `load_text`"
        )
    families: dict[str, dict[str, str]] = {}
    for path in sorted(folder.rglob("*.py"), key=lambda path: path.relative_to(folder).parts):
        name = path.relative_to(folder)
        text = path.read_text(encoding="utf-8")
        if text.strip():
            family = name.parts[0] if len(name.parts) > 1 else "layer"
            families.setdefault(family, {})[name.as_posix()] = text
    return keras.__version__, dict(sorted(families.items()))
