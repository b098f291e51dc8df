"""match: two layers side by side, outputs, states and gradients, as a table and a verdict."""

from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

MODES = {
    "eager": lambda function: function,
    "graph": tf.function,
    "xla": tf.function(jit_compile=True),
}


@dataclass(frozen=True)
class Row:
    """One compared tensor: largest difference, relative to the tensor's largest magnitude."""

    name: str
    shape: tuple[int, ...]
    difference: float


@dataclass(frozen=True)
class Match:
    """What `match` found; `str()` of it is the table. `digits` shows the differences."""

    rows: tuple[Row, ...]
    tolerance: float
    digits: bool = False

    @property
    def largest(self) -> float:
        """The largest relative difference of all rows; NaN if any row is NaN."""
        return float(np.max([row.difference for row in self.rows]))

    @property
    def equal(self) -> bool:
        return self.largest < self.tolerance

    def verdict(self, difference: float) -> str:
        bound = f"{self.tolerance:.0e}".replace("e-0", "e-")
        below = f"< {bound}" if difference < self.tolerance else f"NOT below {bound}"
        return f"{difference:.1e}  {below}" if self.digits else below

    def __str__(self) -> str:
        wide = max(len(row.name) for row in self.rows)
        lines = [
            f"{row.name:{wide}}  {row.shape!s:14}  {self.verdict(row.difference)}"
            for row in self.rows
        ]
        good = sum(row.difference < self.tolerance for row in self.rows)
        word = "equal" if self.equal else "DIFFERENT"
        return "\n".join([*lines, f"{word}: {good} of {len(self.rows)} tensors match"])

    def _repr_pretty_(self, printer, cycle):
        printer.text(str(self))


def match(
    ours,
    theirs,
    x,
    *,
    initial_state=None,
    mask=None,
    training: bool | None = None,
    mode: str = "eager",
    tolerance: float = 1e-10,
    seed: int = 0,
    digits: bool = False,
) -> Match:
    """Compare two layers (or models) on the same numbers: outputs, states, and all gradients.

    `theirs` gets random weights *and biases* (equal or zero ones would hide swapped gates),
    `ours` gets the same by `set_weights`. Gradients are those of a random linear function of all
    outputs, with respect to the input, the initial states and every weight.

    Args:
        ours, theirs: two layers or models with the same weight shapes in the same order.
        x: input (batch, steps, d), or its shape, for which standard normal numbers are drawn.
        initial_state: list of arrays, as the layers take it.
        mask: booleans (batch, steps).
        training: as the layers take it. With True, both draw the same dropout masks, provided that
            they draw as many in the same order, and not in mode "xla": XLA draws other numbers.
        mode: how `ours` is computed: "eager", "graph" (`tf.function`) or "xla" (compiled by XLA).
            `theirs` is always computed eagerly.
        tolerance: bound on each difference, relative to the tensor's largest magnitude.
            1e-10 needs layers made with dtype="float64".
        seed: of the random numbers.
        digits: show the differences; they vary from one processor to the next.

    Raises:
        ValueError: the layers' weights do not fit together, or an unknown mode.
        AssertionError: some tensor differs by `tolerance` or more; the message is the table.
    """
    if mode not in MODES:
        raise ValueError(f"`mode` must be one of {list(MODES)}. Received: mode={mode!r}")
    rng = np.random.default_rng(seed)
    if isinstance(x, tuple):
        x = rng.standard_normal(x)
    arguments = {"initial_state": initial_state, "mask": mask, "training": training}
    arguments = {name: value for name, value in arguments.items() if value is not None}
    for layer in (theirs, ours):
        if not layer.built:
            layer(x, **arguments)
    share_random_weights(ours, theirs, rng)
    share_seeds(ours, theirs)

    expected = run(theirs, x, arguments, seed)
    actual = run(ours, x, arguments, seed, MODES[mode])
    if actual.keys() != expected.keys():
        raise ValueError(
            "`ours` and `theirs` give different things. "
            f"Received: {list(actual)} against {list(expected)}"
        )
    rows = tuple(
        Row(name, np.shape(value), difference(actual[name], value))
        for name, value in expected.items()
    )
    result = Match(rows, tolerance, digits)
    if not result.equal:
        raise AssertionError("the two layers differ:\n" + str(Match(rows, tolerance, digits=True)))
    return result


def share_random_weights(ours, theirs, rng):
    """Give two built layers the same random weights and biases."""
    shapes, other = ([tuple(w.shape) for w in layer.weights] for layer in (theirs, ours))
    if shapes != other:
        raise ValueError(
            "`ours` must have the weight shapes of `theirs` in the same order. "
            f"Received: {other}, expected: {shapes}"
        )
    weights = [rng.standard_normal(s) / max(1, s[0]) ** 0.5 for s in shapes]
    theirs.set_weights(weights)
    ours.set_weights(theirs.get_weights())


def share_seeds(ours, theirs):
    """Let both layers draw the same dropout masks next."""
    generators = [
        [part.seed_generator for part in layer._flatten_layers() if hasattr(part, "seed_generator")]
        for layer in (ours, theirs)
    ]
    for mine, other in zip(*generators):
        if mine is not None and other is not None:
            mine.state.assign(other.state)


def run(layer, x, arguments: dict, seed: int, compiled=MODES["eager"]) -> dict:
    """Outputs, states and gradients of one layer, by name."""
    x = tf.convert_to_tensor(x)
    inputs = {"input": x} if x.dtype.is_floating else {}
    initial = keras.tree.map_structure(tf.convert_to_tensor, arguments.get("initial_state", []))
    for k, state in enumerate(keras.tree.flatten(initial), 1):
        inputs[f"initial state {k}"] = state
    if initial:
        arguments = arguments | {"initial_state": initial}
    names = [weight.path.rpartition("/")[2] for weight in layer.trainable_weights]
    for k, (name, weight) in enumerate(zip(names, layer.trainable_weights, strict=True)):
        number = f" {names[: k + 1].count(name)}" if names.count(name) > 1 else ""
        inputs[name + number] = weight.value

    @compiled
    def outputs_and_gradients():
        rng = np.random.default_rng(seed)
        with tf.GradientTape() as tape:
            tape.watch(list(inputs.values()))
            outputs = keras.tree.flatten(layer(x, **arguments))
            total = sum(
                tf.reduce_sum(y * tf.cast(rng.standard_normal(y.shape), y.dtype)) for y in outputs
            )
        return outputs, tape.gradient(total, inputs)

    outputs, gradients = outputs_and_gradients()
    found = {f"state {k}" if k else "output": y.numpy() for k, y in enumerate(outputs)}
    for name, gradient in gradients.items():
        if gradient is None:
            raise ValueError(f"{layer.name} does not depend on its {name}: there is no gradient")
        found[f"gradient of {name}"] = tf.convert_to_tensor(gradient).numpy()
    return found


def difference(actual, expected) -> float:
    """Largest absolute difference over the largest magnitude of `expected` (NaN counts)."""
    if np.shape(actual) != np.shape(expected):
        return float("inf")
    scale = np.max(np.abs(expected), initial=0.0)
    return float(np.max(np.abs(actual - expected), initial=0.0) / (scale or 1.0))
