"""Train the character models of Keras' source: plain RNN, GRU and LSTM with equal parameters.

    python models/characters.py            all three, and the n-grams: log, weights
    python models/characters.py gru lstm   these alone; the log is continued
    python models/characters.py --score    no training: score the stored weights again

35 minutes of processor time (the log says how much for each). Writes
`models/characters.log` and, after each of the reports,
`d2lutils/weights/characters-<kind>.npz` and `.json`. The held-out families are read once, when
a model is finished; everything that is chosen is chosen by the validation family.
"""

import argparse
import functools
import hashlib
import platform
import sys
import time
from datetime import date
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from d2lutils.data import TextSplit, keras_source
from d2lutils.language import NGram, Vocabulary, bits_per_character, train_language_model
from d2lutils.pretrained import (
    LAYERS,
    held_out_bits,
    held_out_sample,
    load_characters,
    save_characters,
)

UNITS = {"lstm": 256, "gru": 296, "rnn": 520}  # about 361 000 parameters each
RECIPE = {"embedding": 64, "batch_size": 64, "steps": 96, "clip_norm": 1.0, "seed": 0}
RATES = 1e-3, 2e-3, 4e-3  # the highest learning rate: chosen for each kind after a short run
SHORT, PASSES, REPORTS = 100, 4, 8  # updates of a short run; readings of the text; reports
ORDERS = 1, 2, 3, 4, 5, 6, 7, 8
SCORED = "validation", "held_out", "held_out_whole"  # parts of the text: see `TextSplit`
STREAMS = 16  # pieces of a part read side by side when scoring
LOG = Path(__file__).with_suffix(".log")


def say(*words: object) -> None:
    """One line, to the terminal and to the log."""
    line = " ".join(str(word) for word in words)
    print(line, flush=True)
    with LOG.open("a", encoding="utf-8") as log:
        log.write(line + "\n")


def main(kinds: list[str], score_only: bool) -> None:
    if set(kinds) == set(UNITS) and not score_only:
        LOG.unlink(missing_ok=True)
    text = keras_source()
    vocabulary = Vocabulary(text.train)
    parts = {name: vocabulary.encode(getattr(text, name)) for name in ("train", *SCORED)}
    corpus = {
        "source": text.source,
        "keras": text.version,
        "families": {name: sorted(files) for name, files in text.families.items()},
        "characters": {name: len(tokens) for name, tokens in parts.items()},
        "held_out_sha256": hashlib.sha256(text.held_out.encode()).hexdigest(),
        "tokens": len(vocabulary),
    }
    versions = {
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
    }
    say(f"\n== Characters of {text.source}, {date.today()}")
    say("versions", versions)
    say("corpus  ", {name: corpus[name] for name in ("characters", "tokens", "held_out_sha256")})
    say("families", corpus["families"])
    parts["sample"] = vocabulary.encode(held_out_sample(text))
    common = {"corpus": corpus, "versions": versions, "n_grams": n_grams(parts, len(vocabulary))}
    for kind in kinds:
        if not score_only:
            train(kind, vocabulary, parts, common)
        score(kind, text, parts, common)


def n_grams(parts: dict[str, np.ndarray], size: int) -> dict[str, dict[str, float]]:
    """Interpolated n-grams of every order on the same split: part -> order -> bits a character."""
    model = NGram(parts["train"], max(ORDERS), size)
    say("\nn-grams, Witten–Bell: bits per character")
    say(f"{'order':>14}", *(f"{n:>7}" for n in ORDERS))
    table = {}
    for part in (*SCORED, "sample"):
        bits = [bits_per_character(model, parts[part], order=n) for n in ORDERS]
        say(f"{part:>14}", *(f"{b:7.3f}" for b in bits))
        table[part] = {str(n): round(b, 4) for n, b in zip(ORDERS, bits, strict=True)}
    return table


def train(kind: str, vocabulary: Vocabulary, parts: dict[str, np.ndarray], common: dict) -> None:
    """Choose the learning rate, train, and keep the weights at each report."""
    learn = functools.partial(
        train_language_model,
        functools.partial(LAYERS[kind], UNITS[kind]),
        parts["train"],
        len(vocabulary),
        **RECIPE,
    )
    updates = PASSES * len(parts["train"]) // (RECIPE["batch_size"] * RECIPE["steps"])
    say(f"\n{kind}, {UNITS[kind]} units, {RECIPE}, {updates} updates")
    begun, cpu = time.time(), time.process_time()

    short = {}
    for rate in RATES:
        short[rate] = scored(learn(updates=SHORT, learning_rate=rate), parts["validation"])
        say(f"  rate {rate:g}: {short[rate]:.3f} on validation after {SHORT} updates")
    rate = min(short, key=lambda r: np.nan_to_num(short[r], nan=np.inf))
    curve = []

    def report(model, done, training_bits):
        curve.append([done, round(training_bits, 4), scored(model, parts["validation"])])
        say(
            f"  update {done:5d} of {updates}: training {curve[-1][1]:.3f},"
            f" validation {curve[-1][2]:.3f}, {time.time() - begun:5.0f} s"
        )
        figures = {
            "kind": kind,
            "units": UNITS[kind],
            "embedding": RECIPE["embedding"],
            "parameters": model.count_params(),
            "finished": done == updates,
            "training": {
                **RECIPE,
                "learning_rate": rate,
                "short_runs": {f"{r:g}": bits for r, bits in short.items()},
                "updates": done,
                "curve": curve,
                "seconds": round(time.time() - begun),
                "cpu_seconds": round(time.process_time() - cpu),
            },
        }
        save_characters(kind, model, vocabulary, {**figures, **common})

    learn(updates=updates, learning_rate=rate, reports=REPORTS, report=report)


def score(kind: str, text: TextSplit, parts: dict[str, np.ndarray], common: dict) -> None:
    """Score the weights as they are stored, in float16, and keep the figures beside them."""
    model, vocabulary, figures = load_characters(kind)
    if figures["corpus"]["held_out_sha256"] != common["corpus"]["held_out_sha256"]:
        sys.exit(f"{kind} was trained beside another held-out text: train it again to score it")
    bits = {name: scored(model, parts[name]) for name in SCORED}
    bits["sample"] = round(held_out_bits(model, vocabulary, text), 4)
    figures |= {"n_grams": common["n_grams"], "bits_per_character": bits}
    save_characters(kind, model, vocabulary, figures)
    training = figures["training"]
    say(
        f"\n{kind}: {figures['parameters']} parameters, {training['updates']} updates,"
        f" {training['seconds']} s ({training['cpu_seconds']} s of processor time)"
    )
    say("  bits per character", bits)
    say("  best n-gram       ", {name: min(common["n_grams"][name].values()) for name in bits})


def scored(model, tokens: np.ndarray) -> float:
    """Bits per character, to four digits."""
    return round(bits_per_character(model, tokens, streams=STREAMS), 4)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kinds", nargs="*", help=f"among {list(UNITS)}; none: all")
    parser.add_argument("--score", action="store_true", help="score the stored weights again")
    given = parser.parse_args()
    if strange := set(given.kinds) - set(UNITS):
        parser.error(f"kinds must be among {list(UNITS)}. Received: {sorted(strange)}")
    return given


if __name__ == "__main__":
    given = arguments()
    main(given.kinds or list(UNITS), given.score)
