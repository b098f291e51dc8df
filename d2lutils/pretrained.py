"""Character models of Keras' source: the trained ones, and the small one a chapter trains live.

`models/characters.py` trains and `d2lutils/weights` holds, one pair of files each:

    characters-rnn.npz,  characters-rnn.json      `load_characters("rnn")`
    characters-gru.npz,  characters-gru.json      `load_characters("gru")`
    characters-lstm.npz, characters-lstm.json     `load_characters("lstm")`

The `.npz` holds float16 arrays named `<part>-<number>` (part: embedding, recurrent, head; in the
order of `get_weights`), the `.json` the configuration, the vocabulary, the figures of the training
log, and checksums of both files. Nothing in them depends on a release of Keras, and loading them
runs no code.
"""

import hashlib
import io
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from d2lutils.data.keras_source import TextSplit
from d2lutils.data.stored import read_bytes, read_figures, write_figures, write_whole
from d2lutils.language import (
    LanguageModel,
    Vocabulary,
    bits_per_character,
    train_language_model,
)
from d2lutils.layers import GRU, LSTM, SimpleRNN

WEIGHTS = Path(__file__).parent / "weights"
LAYERS = {"rnn": SimpleRNN, "gru": GRU, "lstm": LSTM}
PARTS = "embedding", "recurrent", "head"


def load_characters(
    kind: str, folder: str | Path = WEIGHTS
) -> tuple[LanguageModel, Vocabulary, dict]:
    """A trained character model of Keras' source -> model, its vocabulary, its figures.

    The vocabulary is the one that the model was trained with: another version of Keras may bring
    characters that it lacks, and they become `<unk>`.

    Args:
        kind: "rnn", "gru" or "lstm".
        folder: where the two files lie.

    Returns:
        model: `LanguageModel` with `model.recurrent` one of this book's layers.
        vocabulary: for `encode` and `decode`.
        figures: what the `.json` says: "units", "parameters", "training", "bits_per_character",
            "n_grams", "corpus", "versions".

    Raises:
        ValueError: an unknown kind, or a file that was cut short or altered.
        FileNotFoundError: one of the two files is not there.
    """
    check(kind)
    path = Path(folder) / f"characters-{kind}.json"
    figures = read_figures(path)
    weights = read_bytes(path.with_suffix(".npz"), figures.pop("npz_sha256"))
    vocabulary = Vocabulary.from_tokens(figures.pop("vocabulary"))
    layer = LAYERS[kind](figures["units"], return_sequences=True, return_state=True)
    model = LanguageModel(layer, len(vocabulary), figures["embedding"])
    model.build((None, None))
    with np.load(io.BytesIO(weights), allow_pickle=False) as arrays:
        for part in PARTS:
            names = sorted(name for name in arrays.files if name.startswith(f"{part}-"))
            getattr(model, part).set_weights([arrays[name].astype("float32") for name in names])
    return model, vocabulary, figures


def save_characters(
    kind: str, model: LanguageModel, vocabulary: Vocabulary, figures: dict, folder: Path = WEIGHTS
) -> None:
    """Write the two files that `load_characters` reads; see the head of this file."""
    check(kind)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"characters-{kind}.json"
    arrays = {
        f"{part}-{number}": weight.astype("float16")
        for part in PARTS
        for number, weight in enumerate(getattr(model, part).get_weights())
    }
    np.savez_compressed(weights := io.BytesIO(), **arrays)
    sums = {"npz_sha256": hashlib.sha256(weights.getvalue()).hexdigest()}
    write_whole(path.with_suffix(".npz"), weights.getvalue())
    write_figures(path, {**figures, **sums, "vocabulary": list(vocabulary.tokens)})


def check(kind: str) -> None:
    if kind not in LAYERS:
        raise ValueError(f"`kind` must be one of {list(LAYERS)}. Received: {kind!r}")


def train_small_characters(
    recurrent: Callable[..., keras.Layer], text: TextSplit, *, updates: int = 400, seed: int = 0
) -> tuple[LanguageModel, Vocabulary]:
    """The small model that a chapter trains live, on the same text and split as the large ones.

    With about 115 000 parameters (256 units of an RNN, 148 of a GRU, 128 of an LSTM) it takes
    some 20 seconds of processor time, half of that on two idle cores.

    Args:
        recurrent: makes the layer: `functools.partial(GRU, 148)`, or
            `lambda **options: Recurrent(GRUCell(148), **options)` with a chapter's own class.
        text: `keras_source()`.
        updates: number of batches of 64 windows of 32 characters.

    Returns:
        model, vocabulary: that of the training text.
    """
    vocabulary = Vocabulary(text.train)
    model = train_language_model(
        recurrent,
        vocabulary.encode(text.train),
        len(vocabulary),
        updates=updates,
        batch_size=64,
        steps=32,
        learning_rate=1e-2,
        seed=seed,
    )
    return model, vocabulary


def held_out_bits(model, vocabulary: Vocabulary, text: TextSplit, pieces: int = 8) -> float:
    """Bits per character on a sample of the held-out text, small enough for a chapter.

    The sample is `pieces` stretches of 2 560 characters at equal distances. A network reads them
    side by side, each from a state of zeros; an `NGram` reads one after the other.
    """
    sample = held_out_sample(text, pieces)
    options = {"streams": pieces} if isinstance(model, LanguageModel) else {}
    return bits_per_character(model, vocabulary.encode(sample), **options)


def held_out_sample(text: TextSplit, pieces: int = 8, length: int = 2560) -> str:
    """`pieces` stretches of `length` characters of the held-out text, at equal distances."""
    if pieces < 1 or length > len(text.held_out):
        raise ValueError(
            f"`pieces` must be at least 1, and `text.held_out` hold {length} characters or more. "
            f"Received: pieces={pieces}, {len(text.held_out)} characters"
        )
    starts = np.arange(pieces) * (len(text.held_out) - length) // max(1, pieces - 1)
    return "".join(text.held_out[start : start + length] for start in starts)
