"""Readings of Chinese characters: one direction, the other, and both, at equal parameters.

    python models/readings.py

Trains 25 small taggers, five seeds each, in 14 minutes on two busy cores; the figures go to
models/readings.log and to d2lutils/weights/readings.json, from which the chapter reads them.
"""

import time
from pathlib import Path

import keras
import tensorflow as tf

from d2lutils import Bidirectional, LSTMCell, Recurrent
from d2lutils.data.pinyin import pinyin_readings
from d2lutils.data.stored import write_figures
from d2lutils.readings import FIGURES, Reversed, score, train_tagger, trained_parameters

ROOT = Path(__file__).resolve().parents[1]

SEEDS = range(5)
MEASURES = "accuracy", "bits"
ONE, BOTH = 55, 32  # units: so many that the two kinds have the same number of parameters
LAYERS = {
    "forward": lambda: Recurrent(LSTMCell(ONE), return_sequences=True),
    "backward": lambda: Reversed(
        Recurrent(LSTMCell(ONE), return_sequences=True, go_backwards=True)
    ),
    "both": lambda: Bidirectional(Recurrent(LSTMCell(BOTH), return_sequences=True)),
}
RUNS = [("strict", name) for name in LAYERS] + [("alike", "forward"), ("alike", "both")]


def main() -> None:
    tf.config.experimental.enable_op_determinism()
    splits = {"strict": pinyin_readings(), "alike": pinyin_readings(alike=True)}
    figures = {"versions": {"keras": keras.__version__, "tensorflow": tf.__version__}}
    for split, readings in splits.items():
        baseline = score(lambda x, prior=readings.log_prior: prior[x], readings, readings.held_out)
        figures[split] = {"commonest": dict(zip(MEASURES, baseline))}
    log = (ROOT / "models" / "readings.log").open("w", encoding="utf-8")
    for split, name in RUNS * len(SEEDS):
        readings, start = splits[split], time.perf_counter()
        results = figures[split].setdefault(name, {})
        seed = len(results.get("held_out accuracy", []))
        model = train_tagger(LAYERS[name], readings, seed=seed)
        results["parameters"] = trained_parameters(model)
        line = f"{split:6} {name:8} seed {seed} "
        for part in ("held_out", "validation"):
            for measure, value in zip(MEASURES, score(model, readings, getattr(readings, part))):
                results.setdefault(f"{part} {measure}", []).append(round(value, 4))
                line += f" {part} {measure} {value:.4f}"
        line += f"  {results['parameters']} parameters, {time.perf_counter() - start:.0f} s"
        print(line, flush=True)
        print(line, file=log, flush=True)
    write_figures(FIGURES, figures)


if __name__ == "__main__":
    main()
