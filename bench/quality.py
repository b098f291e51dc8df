"""How well small language models learn under a published budget, and how honest that figure is.

    python bench/quality.py path/to/time-machine.txt    prints, writes d2lutils/weights/quality.json

The text is not part of this repository: any plain text can be given by its path. Three tables:

published  The protocol of Dive into Deep Learning (Zhang et al., 2023, chapters 9 and 10) for The
           Time Machine: letters in lower case, windows of 32 characters that begin at every
           character, the first 10,000 to learn from and the next 5,000 to validate, batches of
           1,024, 32 units, SGD, gradients of a norm of at most 1. Perplexity of the validation
           windows, each of which begins with an empty state.
improved   The same windows, units and number of updates, but Adam, whose rate climbs and falls, and
           dropout: of a tenth of the characters read, and of a fifth of what the output reads.
honest     The last fifth of the text is held out and read once from its beginning to its end. Bits
           per character, beside n-grams.
"""

import argparse
import functools
import os
import re
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from speed import machine

from d2lutils import GRU, LSTM, GRUCell, Recurrent, SimpleRNN
from d2lutils.data.stored import write_figures
from d2lutils.language import NGram, Vocabulary, bits_per_character, train_language_model
from d2lutils.pretrained import WEIGHTS

WINDOW, TRAINING, VALIDATION, BATCH, UNITS = 32, 10_000, 5_000, 1024, 32
SEEDS, ORDERS, HELD_OUT = (0, 1, 2), (1, 2, 3, 4, 5, 6), 0.2
PUBLISHED = {"RNN": 7.19, "GRU": 6.55, "LSTM": 6.69, "two-layer GRU": 6.11}  # with PyTorch
PUBLISHED_TENSORFLOW = {"GRU": 9.74}  # it runs over the wrong axis
BUDGET = {"RNN": (1, 100), "GRU": (4, 50), "LSTM": (4, 50), "two-layer GRU": (2, 100)}
LAYERS = {"RNN": [SimpleRNN], "GRU": [GRU], "LSTM": [LSTM], "two-layer GRU": [GRU, GRU]}


def say(table: str, name: str, values: list, also: str = "") -> None:
    mean, spread = np.mean(values), np.ptp(values) / 2
    print(f"{table:10} {name:14} {mean:6.3f} ± {spread:.3f}  {also}", flush=True)


def windows(tokens: np.ndarray, size: int) -> list:
    """One-hot inputs (count, 32, size) and targets (count, 32), to learn from and to validate."""
    every = np.lib.stride_tricks.sliding_window_view(tokens, WINDOW + 1)
    parts = every[:TRAINING], every[TRAINING : TRAINING + VALIDATION]
    return [(np.eye(size, dtype="float32")[part[:, :-1]], part[:, 1:]) for part in parts]


def published(name: str, size: int) -> tuple:
    """Layers and optimizer."""
    recurrent = [layer(UNITS, return_sequences=True, fast="xla") for layer in LAYERS[name]]
    optimizer = keras.optimizers.SGD(float(BUDGET[name][0]), global_clipnorm=1.0)
    return [*recurrent, keras.layers.Dense(size)], optimizer


def improved(name: str, size: int) -> tuple:
    """Layers and optimizer."""
    (*recurrent, dense), _ = published(name, size)
    characters = keras.layers.Dropout(0.1, noise_shape=(None, None, 1))
    between = [one for layer in recurrent for one in (layer, keras.layers.Dropout(0.2))]
    updates = BUDGET[name][1] * -(-TRAINING // BATCH)
    rate = keras.optimizers.schedules.CosineDecay(
        1e-3, updates - updates // 20, alpha=0.01, warmup_target=2e-2, warmup_steps=updates // 20
    )
    return [characters, *between, dense], keras.optimizers.Adam(rate, global_clipnorm=1.0)


def perplexity(protocol, name: str, training: tuple, validation: tuple, seed: int) -> float:
    """Of the validation windows, after the published number of epochs."""
    keras.utils.set_random_seed(seed)
    size = training[0].shape[-1]
    layers, optimizer = protocol(name, size)
    model = keras.Sequential([keras.Input((WINDOW, size)), *layers])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, jit_compile=False)  # the layers are compiled by themselves
    model.fit(*training, batch_size=BATCH, epochs=BUDGET[name][1], verbose=0)
    return float(np.exp(model.evaluate(*validation, batch_size=1000, verbose=0)))


def held_out_bits(name: str, vocabulary, training, held_out, seed: int) -> float:
    """Bits per character of the held-out text, after the published number of updates."""
    makers = {kind: functools.partial(layers[0], UNITS) for kind, layers in LAYERS.items()}
    makers["two-layer GRU"] = lambda **options: Recurrent(
        [GRUCell(UNITS), GRUCell(UNITS)], **options
    )
    updates = BUDGET[name][1] * -(-TRAINING // BATCH)
    model = train_language_model(
        makers[name],
        training,
        len(vocabulary),
        updates=updates,
        embedding=UNITS,
        learning_rate=1e-2,
        steps=WINDOW,
        seed=seed,
    )
    return bits_per_character(model, held_out)


def main(path: Path) -> None:
    text = re.sub("[^a-z]+", " ", path.read_text(encoding="utf-8").lower())
    vocabulary = Vocabulary(text)
    tokens = vocabulary.encode(text)
    cut = round(len(tokens) * (1 - HELD_OUT))
    found = {"machine": machine(), "text": path.name, "characters": len(tokens), "seeds": SEEDS}
    found |= {"in the book": PUBLISHED, "in the book, with TensorFlow": PUBLISHED_TENSORFLOW}
    found |= {"published": {}, "improved": {}, "honest": {}, "n-grams": {}}
    print(found["machine"], f"{len(tokens)} characters, {len(vocabulary)} different ones")
    parts = windows(tokens, len(vocabulary))
    for protocol in (published, improved):
        table = protocol.__name__
        for name in BUDGET:
            values = [perplexity(protocol, name, *parts, seed) for seed in SEEDS]
            found[table][name] = values
            write_figures(WEIGHTS / "quality.json", found)  # after each: it is a matter of minutes
            say(table, name, values, f"perplexity; published {PUBLISHED[name]}")
    for order in ORDERS:
        model = NGram(tokens[:cut], order, len(vocabulary))
        found["n-grams"][order] = bits_per_character(model, tokens[cut:])
        say("honest", f"{order}-gram", [found["n-grams"][order]], "bits per character")
    for name in BUDGET:
        values = [
            held_out_bits(name, vocabulary, tokens[:cut], tokens[cut:], seed) for seed in SEEDS
        ]
        found["honest"][name] = values
        write_figures(WEIGHTS / "quality.json", found)
        say("honest", name, values, "bits per character")


if __name__ == "__main__":
    tf.config.experimental.enable_op_determinism()
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("text", type=Path)
    main(parser.parse_args().text)
