"""How fast the layers train, beside Keras', PyTorch's and the parts of their own work.

    python bench/speed.py            measure, print, write d2lutils/weights/speed.json
    python bench/speed.py --quick    the first two shapes only, few repetitions, nothing written
    python bench/speed.py --growth   only what is measured by processes of their own, again

Contestants run in turn in one process, after a warm-up; a figure is the median of its repetitions.
PyTorch takes part where it is installed (it is not among this project's packages). The gradient is
that with respect to all weights and to the input. The parts of the work take their turns among the
contestants: the products of the chain, each by the fastest of the libraries at hand and with next
to nothing between them; a large product, for the rate at which the others could be had; and our own
compiled run with all products taken out. The first two make a floor: a program that multiplies by
these libraries can hardly be faster.
"""

import argparse
import functools
import gc
import os
import platform
import resource
import subprocess
import sys
import time
from datetime import date
from importlib.metadata import version

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

import d2lutils as ours
from d2lutils.data.stored import read_figures, write_figures
from d2lutils.pretrained import WEIGHTS

try:
    import torch
except ImportError:
    torch = None

SHAPES = (  # batch, steps, inputs, units
    (1024, 32, 28, 32),
    (64, 64, 128, 256),
    (32, 256, 64, 128),
    (1, 512, 64, 256),
    (16, 1024, 32, 64),
)
GATES = {"LSTM": 4, "GRU": 3}  # the candidate counted
KINDS = tuple(GATES)
FORMS = "two layers", "bidirectional", "masked"
BASE = (32, 128, 32, 64)
GROWTH = {"steps": (64, 512, 4096), "batch": (1, 16, 256), "units": (16, 256)}
GROWING = "fast", "fast + XLA", "Keras", "PyTorch"
OURS = "literal loop", "fast", "fast + XLA"
PEERS = "Keras", "Keras + XLA", "PyTorch"
# glibc hands large arrays back to the system when they are freed, but not so:
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": "4000000000", "MALLOC_TRIM_THRESHOLD_": "8000000000"}
SQUARE = 1024  # rows and columns of a large product
PAUSE = 0.02  # seconds: threads of the contestant before go to sleep


def medians(contestants: dict, repetitions: int) -> dict:
    """Milliseconds of each, in turn, after three calls that do not count."""
    for run in contestants.values():
        for _ in range(3):
            run()
    seconds = {name: [] for name in contestants}
    for _ in range(repetitions):
        for name, run in contestants.items():
            time.sleep(PAUSE)
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return {name: round(1000 * float(np.median(found)), 3) for name, found in seconds.items()}


# --- the contestants ------------------------------------------------------------------------------


def layers(home, kind: str, units: int, form: str, **options) -> list:
    """The layers of one contestant, ours or Keras'."""
    one = lambda: getattr(home, kind)(units, return_sequences=True, **options)
    if form == "bidirectional":
        return [home.Bidirectional(one())]
    return [one(), one()] if form == "two layers" else [one()]


def in_tensorflow(stack: list, x, d_y, mask, backward: bool, **how):
    """A graph function over the stack: outputs, and gradients where `backward`."""

    def forward(x):
        for layer in stack:
            x = layer(x, mask=mask)
        return x

    def both(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = forward(x)
        weights = [weight.value for layer in stack for weight in layer.trainable_weights]
        return y, tape.gradient(y, [x, *weights], output_gradients=d_y)

    mask, whole = None if mask is None else mask[:1, :1], mask
    forward(x[:1, :1])  # makes the weights
    mask = whole
    run = tf.function(both if backward else forward, **how)
    return lambda: tf.nest.map_structure(lambda tensor: tensor.numpy(), run(x))


def in_torch(kind: str, shape: tuple, form: str, x, d_y, backward: bool):
    batch, steps, width, units = shape
    layer = getattr(torch.nn, kind)(
        width,
        units,
        num_layers=2 if form == "two layers" else 1,
        bidirectional=form == "bidirectional",
        batch_first=True,
    )
    x, d_y = torch.tensor(x, requires_grad=backward), torch.tensor(d_y)

    def forward():
        with torch.no_grad():
            layer(x)

    def both():
        x.grad = None
        layer.zero_grad()
        layer(x)[0].backward(d_y)

    return both if backward else forward


def contestants(kind: str, shape: tuple, form: str = "one layer", backward: bool = True) -> dict:
    """What to call for each, by name."""
    return {name: make() for name, make in makers(kind, shape, form, backward).items()}


def makers(kind: str, shape: tuple, form: str = "one layer", backward: bool = True) -> dict:
    batch, steps, width, units = shape
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, steps, width)).astype("float32")
    wide = 2 * units if form == "bidirectional" else units
    d_y = rng.standard_normal((batch, steps, wide)).astype("float32")
    mask = None
    if form == "masked":
        mask = tf.constant(np.arange(steps) < rng.integers(1, steps + 1, (batch, 1)))
    arguments = tf.constant(x), tf.constant(d_y), mask, backward
    xla = {"jit_compile": True}
    ways = {
        "literal loop": (ours, {"fast": False}, {}),
        "fast": (ours, {}, {}),
        "fast + XLA": (ours, {"fast": "xla"}, {}),
        "Keras": (keras.layers, {}, {}),
        "Keras + XLA": (keras.layers, {}, xla),
    }
    make = lambda home, options, how: in_tensorflow(
        layers(home, kind, units, form, **options), *arguments, **how
    )
    found = {name: functools.partial(make, *way) for name, way in ways.items()}
    if torch is not None and form != "masked":  # which has packed sequences in place of masks
        found["PyTorch"] = lambda: in_torch(kind, shape, form, x, d_y, backward)
    return found


def eager(kind: str) -> dict:
    """One call of a layer outside any graph, as a reader meets it in a notebook."""
    x = tf.random.stateless_normal((32, 32, 28), (0, 0))
    call = lambda layer: lambda: layer(x).numpy()
    return {"ours": call(getattr(ours, kind)(32)), "Keras": call(getattr(keras.layers, kind)(32))}


# --- one step of thought at a time ----------------------------------------------------------------


class EightProducts(ours.LSTMCell):
    """Each gate multiplies the input and the state by itself."""

    def project_input(self, x):
        return tf.concat([x @ W for W in tf.split(self.kernel.value, 4, 1)], -1) + self.bias

    def project_state(self, h, *gates):
        return tf.concat([h @ W for W in tf.split(self.recurrent_kernel.value, 4, 1)], -1)


class StepByStep(keras.layers.Layer):
    """A cell whose input nobody projects for all steps at once."""

    def __init__(self, cell):
        super().__init__()
        self.cell, self.state_size, self.output_size = cell, cell.state_size, cell.units

    def build(self, shape):
        self.cell.build(shape)

    def call(self, x, states):
        return self.cell.call(x, states)


def ladder(shape: tuple, repetitions: int) -> dict:
    """Milliseconds of forward and backward pass of an LSTM, each rung with one idea more."""
    batch, steps, width, units = shape
    rng = np.random.default_rng(0)
    normal = lambda *shape: tf.constant(rng.standard_normal(shape), "float32")
    arguments = normal(batch, steps, width), normal(batch, steps, units), None, True
    loop = lambda cell, **options: ours.Recurrent(cell, return_sequences=True, **options)
    never = float("inf")
    rungs = {
        "eight products": (loop(StepByStep(EightProducts(units))), 1, never),
        "gates fused": (loop(StepByStep(ours.LSTMCell(units))), 1, never),
        "input hoisted": (loop(ours.LSTMCell(units), fast=False), 1, never),
        "derived": (loop(ours.LSTMCell(units)), 1, never),
        "derived, XLA": (loop(ours.LSTMCell(units), fast="xla"), 1, never),
        "halves": (loop(ours.LSTMCell(units), fast="xla"), 2, never),
        "added up": (loop(ours.LSTMCell(units), fast="xla"), 2, 0),
    }
    runs = {}
    for name, (layer, ours.fast.PARTS, ours.fast.MANY) in rungs.items():
        runs[name] = in_tensorflow([layer], *arguments)
        runs[name]()  # is traced now, with its own settings
    ours.fast.PARTS, ours.fast.MANY = 2, 1
    return medians(runs, repetitions)


# --- the floor, and the rest ----------------------------------------------------------------------


def parts_of_the_work(kind: str, shape: tuple) -> dict:
    """What to call for each part of both passes, by the part's name and the way it is done."""
    batch, _, _, units = shape
    wide = GATES[kind] * units
    parts = {
        "forward": in_a_chain(batch, units, wide, shape[1]),
        "back": in_a_chain(batch, wide, units, shape[1]),
        "square": of_large_squares(),
        "equations": {"XLA": equations(kind, shape)},
    }
    return {(part, way): run for part, ways in parts.items() for way, run in ways.items()}


def profile(kind: str, shape: tuple, ms: dict) -> dict:
    """Milliseconds of each part by its fastest way, from those of `parts_of_the_work`.

    chain: the products with the state, each of which needs the one before
    all steps: the others, as fast as this machine multiplies large squares
    equations: what our compiled run does beside its products
    """
    batch, steps, width, units = shape
    least = lambda part: min(spent for (name, _), spent in ms.items() if name == part)
    wide = GATES[kind] * units
    squares = batch * steps * wide * (3 * width + units) / SQUARE**3
    found = {"chain": least("forward") + least("back"), "all steps": squares * least("square")}
    found["equations"] = least("equations")
    return {part: round(spent, 3) for part, spent in found.items()}


def normal(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype("float32")


def of_large_squares() -> dict:
    a = tf.constant(normal(SQUARE, SQUARE))
    compiled = tf.function(tf.matmul, jit_compile=True)
    ways = {"TensorFlow": lambda: (a @ a).numpy(), "XLA": lambda: compiled(a, a).numpy()}
    if torch is not None:
        b = torch.tensor(a.numpy())
        ways["PyTorch"] = lambda: b @ b
    return ways


def in_a_chain(rows: int, n: int, m: int, steps: int) -> dict:
    """`steps` products (rows, n) (n, m), each of which needs the one before; whole, in halves."""
    h, w = normal(rows, n), normal(n, m) / n

    def loop(times):
        def run(h, w):
            step = lambda t, h: (t + 1, resized(times(h, w), n))
            return tf.while_loop(lambda t, _: t < steps, step, (0, h), maximum_iterations=steps)[1]

        return run

    tensors = tf.constant(h), tf.constant(w)
    whole = tf.function(loop(tf.matmul), jit_compile=True)
    ways = {"XLA": lambda: whole(*tensors).numpy()}
    if rows == 1:
        halves = tf.stack(tf.split(tensors[1], 2, 1))
        times = lambda h, w: tf.reshape(tf.tile(h[None], (2, 1, 1)) @ w, (1, m))
        in_halves = tf.function(loop(times), jit_compile=True)
        ways["XLA, halves of W"] = lambda: in_halves(tensors[0], halves).numpy()
    else:
        parts = tf.function(lambda h, w: [whole(part, w) for part in tf.split(h, 2)])
        ways["XLA, halves of H"] = lambda: [part.numpy() for part in parts(*tensors)]
    if torch is not None:
        h_0, w_0 = torch.tensor(h), torch.tensor(w)
        follow = (lambda p: p[:, :n]) if m >= n else (lambda p: torch.cat([p] * (n // m), 1))

        def in_torch():
            h = h_0
            for _ in range(steps):
                h = follow(h @ w_0)

        ways["PyTorch"] = in_torch
    return ways


def resized(a, n: int):
    """(rows, m) -> (rows, n), with next to no work."""
    m = a.shape[1]
    return a[:, :n] if m >= n else tf.concat([a] * (n // m), 1)


class WithoutProducts:
    """A run that goes through all steps, and back, and multiplies no matrices on its way."""

    def times(self, W, bias=None):
        return lambda a: ours.fast.add(resized(a, W.shape[1]), bias)

    def collect(self, x, h, saved, d_a, kernel):
        _, *others = self.zeros_like_weights(kernel, tf.zeros((self.units, kernel.shape[1])))
        return x, tf.reduce_sum(d_a[0], 1), *others


def equations(kind: str, shape: tuple):
    """What to call for all that the compiled run does beside its products: both passes, its parts.

    An input of width one takes the place of the input's projection, and a slice that of a product.
    """
    batch, steps, _, units = shape
    cell = {"LSTM": ours.LSTMCell, "GRU": ours.GRUCell}[kind](units)
    run_class, states = ours.fast.RUNS[ours.fast.kind(cell)], len(cell.states)
    parts, one = ours.fast.PARTS, batch == 1
    run = type(kind, (WithoutProducts, run_class), {})(
        units,
        cell.has_state_bias,
        hoist=one,
        add_up=batch // parts > ours.fast.MANY * sum(shape[2:]),
    )
    wide = GATES[kind] * units
    bias = normal(2, wide) if cell.has_state_bias else normal(wide)
    kernels = tf.constant(normal(1, wide)), tf.constant(normal(units, wide))
    given = normal(batch, steps, 1), normal(batch, steps, units), [normal(batch, units)] * states
    given = tf.nest.map_structure(tf.constant, given)

    @tf.function(autograph=False, jit_compile=True)
    def there_and_back(x, d_y, states):
        history, saved = run.forward(x, None, states, *kernels, tf.constant(bias))
        gradients = run.backward(x, None, history, saved, d_y, states, *kernels)
        return ours.fast.by_time(history[0][1:]), gradients

    @tf.function(autograph=False)
    def whole():
        return [there_and_back(*part) for part in ours.fast.cut(1 if one else parts, *given)]

    return lambda: tf.nest.map_structure(lambda tensor: tensor.numpy(), whole())


# --- growth, each figure in a process of its own for its peak memory ------------------------------


def alone(kind: str, shape: tuple, name: str, **environment: str) -> dict:
    """Milliseconds and peak MiB of one contestant, measured by a process of its own."""
    command = [sys.executable, __file__, "--one", kind, name, *map(str, shape)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env=os.environ | environment
    )
    words = done.stdout.split()
    return {"ms": float(words[-2]), "MiB": float(words[-1])}


def one(kind: str, name: str, shape: tuple) -> None:
    contestant = makers(kind, shape)[name]()
    before = peak_memory()
    found = medians({name: contestant}, 9)[name]
    print(found, round(peak_memory() - before, 1))


def peak_memory() -> float:
    """MiB. (The system's `ru_maxrss` begins with that of the process which started this one.)"""
    try:
        with open("/proc/self/status") as status:
            peak = next(line.split()[1] for line in status if line.startswith("VmHWM"))
        return int(peak) / 2**10
    except OSError:
        unit = 2**20 if sys.platform == "darwin" else 2**10
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


# --- the run --------------------------------------------------------------------------------------


def ratio(times: dict) -> float:
    """Our best over the best of the others: below one we are faster."""
    least = lambda names: min(times[name] for name in names if name in times)
    return round(least(OURS[1:]) / least(PEERS), 3)


def machine() -> dict:
    try:
        with open("/proc/cpuinfo") as facts:
            names = [line.split(":")[1].strip() for line in facts if line.startswith("model name")]
    except OSError:
        names = []
    found = {"date": date.today().isoformat(), "processor": (names or [platform.processor()])[0]}
    found |= {"threads": os.cpu_count(), "system": platform.system()}
    found |= {name: version(name) for name in ("tensorflow", "keras", "numpy")}
    return found | {"torch": torch.__version__ if torch else None}


def say(title: str, times: dict) -> None:
    print(f"{title:46}", *(f"{name} {value:8.2f}" for name, value in times.items()), flush=True)


def main(quick: bool) -> None:
    shapes, repetitions = (SHAPES[:2], 5) if quick else (SHAPES, 15)
    found = {"machine": machine(), "repetitions": repetitions, "training": [], "forward": []}
    found |= {"ladder": [], "forms": [], "eager": []}
    print(found["machine"])
    for kind in KINDS:
        for shape in shapes:
            runs, parts = contestants(kind, shape), parts_of_the_work(kind, shape)
            ms = medians(runs | parts, repetitions)
            times = {name: ms.pop(name) for name in runs}
            found_here = {"ratio": ratio(times), "profile": profile(kind, shape, ms)}
            found["training"].append({"kind": kind, "shape": shape, "ms": times} | found_here)
            say(f"{kind} {shape} forward + backward", times | found_here["profile"])
            times = medians(contestants(kind, shape, backward=False), repetitions)
            found["forward"].append({"kind": kind, "shape": shape, "ms": times})
            say(f"{kind} {shape} forward", times)
            gc.collect()
    for shape in shapes:
        times = ladder(shape, repetitions)
        found["ladder"].append({"shape": shape, "ms": times})
        say(f"LSTM {shape}", times)
    for kind in KINDS:
        for form in FORMS:
            for shape in shapes[1:2] if quick else shapes[2:3]:
                times = medians(contestants(kind, shape, form), repetitions)
                row = {"kind": kind, "form": form, "shape": shape, "ms": times}
                found["forms"].append(row | {"ratio": ratio(times)})
                say(f"{kind} {shape} {form}", times | {"ratio": ratio(times)})
    for kind in KINDS:
        times = medians(eager(kind), 15)
        found["eager"].append({"kind": kind, "ms": times})
        say(f"{kind} (32, 32, 28, 32) one eager call", times)
    if not quick:
        write_figures(WEIGHTS / "speed.json", found)
        in_processes(found)


def in_processes(found: dict) -> None:
    """What is measured by processes of their own: growth, and what the allocator costs."""
    names = [name for name in GROWING if name in makers("LSTM", (1, 1, 1, 1))]
    found |= {"growth": [], "memory kept": {}}
    for axis, values in GROWTH.items():
        for value in values:
            shape = list(BASE)
            shape[{"batch": 0, "steps": 1, "units": 3}[axis]] = value
            costs = {name: alone("LSTM", tuple(shape), name) for name in names}
            found["growth"].append({"axis": axis, "value": value, "costs": costs})
            say(f"LSTM {axis} {value}, ms", {name: c["ms"] for name, c in costs.items()})
            say(f"LSTM {axis} {value}, MiB", {name: c["MiB"] for name, c in costs.items()})
    for name in names:
        ways = {}, KEEP_MEMORY
        found["memory kept"][name] = [alone("LSTM", SHAPES[0], name, **way)["ms"] for way in ways]
    print("LSTM", SHAPES[0], "as it is, and with memory kept", found["memory kept"])
    write_figures(WEIGHTS / "speed.json", found)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--growth", action="store_true")
    parser.add_argument("--one", nargs=6, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        one(*given.one[:2], tuple(map(int, given.one[2:])))
    elif given.growth:
        in_processes(read_figures(WEIGHTS / "speed.json"))
    else:
        main(given.quick)
