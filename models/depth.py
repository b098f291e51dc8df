"""The measurements of the chapter on depth: `make models`, or `python models/depth.py [part …]`.

    sweep   how well deep plain networks learn, by depth, learning rate, clipping, first weights
    equal   one layer of gated recurrent units against three, with equally many parameters
    scales  which layer knows which of a series' two movements, and how long it remembers

All figures go to d2lutils/weights/depth.json, progress to the terminal and to models/depth.log.
It took 28 minutes on two busy cores.
"""

import functools
import math
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from d2lutils import depth
from d2lutils.compose import StackedCells
from d2lutils.data.keras_source import keras_source
from d2lutils.data.regimes import best_reader, regimes
from d2lutils.data.stored import write_figures
from d2lutils.gru import GRUCell
from d2lutils.recurrent import Recurrent

LOG = Path(__file__).with_suffix(".log")
SETTINGS = {
    "orthogonal, clipped": {"scheme": "orthogonal", "clip": 1.0},
    "orthogonal, not clipped": {"scheme": "orthogonal", "clip": math.inf},
    "tiny, clipped": {"scheme": "tiny", "clip": 1.0},
}
UNITS = {1: 122, 3: 64}  # units of a layer: equally many parameters, to a quarter of a per cent
LEARNING_RATES = 0.003, 0.01
WIDTHS = 6, 16


def say(line: str) -> None:
    print(line, flush=True)
    with LOG.open("a", encoding="utf-8") as log:
        log.write(line + "\n")


def sweep(text) -> dict:
    """setting -> depth -> bits (rates, seeds)."""
    found = {}
    for name, options in SETTINGS.items():
        found[name] = {}
        for layers in (1, 2, 3, 4):
            bits = depth.sweep_point(text, layers, depth.RATES, **options)
            found[name][str(layers)] = bits.round(4).tolist()
            means = "  ".join(f"{m:6.2f}" for m in bits.mean(1))
            say(f"sweep   {name:24}  {layers} layers  bits by rate: {means}")
    return {"rates": depth.RATES, "bits": found}


def equal(text) -> dict:
    """number of layers -> units, parameters, and by learning rate the bits of each seed."""
    found = {}
    for layers, units in UNITS.items():
        record = {"units": units, "validation": {}, "held_out": {}}
        for rate in LEARNING_RATES:
            runs = []
            for seed in range(3):
                model, bits = depth.train_characters(
                    functools.partial(deep_gru, layers, units), text, learning_rate=rate, seed=seed
                )
                runs.append(bits)
            for part in ("validation", "held_out"):
                record[part][str(rate)] = [round(bits[part], 4) for bits in runs]
            say(f"equal   {layers} layers of {units}, rate {rate}: {record['held_out'][str(rate)]}")
        found[str(layers)] = record | {"parameters": model.count_params()}
    return found


def deep_gru(layers: int, units: int, **options) -> Recurrent:
    return Recurrent(StackedCells([GRUCell(units) for _ in range(layers)]), **options)


def scales(text) -> dict:
    """width -> "untrained" or "trained" -> one record of `who_knows` for each seed."""
    found = {}
    for width in WIDTHS:
        found[str(width)] = {"untrained": [], "trained": [], "mse": [], "best": []}
        for seed in range(depth.SEEDS):
            model, cells = depth.regime_network(width, seed)
            found[str(width)]["untrained"].append(rounded(depth.who_knows(cells, seed)))
            depth.train_on_regimes(model, seed)
            found[str(width)]["trained"].append(rounded(depth.who_knows(cells, seed)))
            mse, best = errors(model, seed)
            found[str(width)]["mse"].append(mse)
            found[str(width)]["best"].append(best)
            say(f"scales  width {width}, seed {seed}: mse {mse} (best possible {best})")
            for stage in ("untrained", "trained"):
                say(f"        {stage:9} {found[str(width)][stage][-1]}")
    return found


def errors(model, seed: int) -> tuple[float, float]:
    """Mean squared error of the next return, held out: the network's and the best reader's."""
    returns = regimes(200, 100, "held_out", seed + 1000).returns
    ours, best = model(returns[..., None]).numpy()[..., 0], best_reader(returns)[1]
    return tuple(
        round(float(np.mean((p[:, 20:-1] - returns[:, 21:]) ** 2)), 4) for p in (ours, best)
    )


def rounded(record: dict) -> dict:
    return {name: [round(value, 4) for value in values] for name, values in record.items()}


def main() -> None:
    tf.config.experimental.enable_op_determinism()
    parts = {"sweep": sweep, "equal": equal, "scales": scales}
    text = keras_source()
    for name in sys.argv[1:] or parts:
        start = time.perf_counter()
        result = parts[name](text)
        known = depth.figures() if depth.FIGURES.is_file() else {}
        known |= {
            name: result,
            "versions": {"keras": keras.__version__, "tensorflow": tf.__version__},
        }
        write_figures(depth.FIGURES, known)
        say(f"{name}: {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
