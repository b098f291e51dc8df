"""What the chapter on depth and `models/depth.py` share: many networks at once, and probes."""

import math
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from d2lutils.compose import StackedCells
from d2lutils.data.keras_source import TextSplit
from d2lutils.data.regimes import regimes
from d2lutils.data.stored import read_figures
from d2lutils.gru import GRUCell
from d2lutils.language import (
    LanguageModel,
    NGram,
    Vocabulary,
    bits_per_character,
    train_language_model,
)
from d2lutils.recurrent import Recurrent
from d2lutils.train import fit

FIGURES = Path(__file__).parent / "weights" / "depth.json"
SCHEMES = ("orthogonal", "tiny")
RATES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
SEEDS = 5


def figures() -> dict:
    """What `models/depth.py` measured: "sweep", "equal", "scales"."""
    return read_figures(FIGURES)


# --- deep plain networks, one or many --------------------------------------------------------


def deep_rnn(X, layers, phi=tf.tanh):
    """L layers over T steps: X is T matrices (n, d), layers L triples W_xh, W_hh, b_h."""
    H = [tf.zeros_like(b_h) for _, _, b_h in layers]  # one row of zeros serves all rows
    top = []
    for X_t in X:  # depth in time
        below = X_t
        for l, (W_xh, W_hh, b_h) in enumerate(layers):  # depth from input to output
            H[l] = phi(below @ W_xh + H[l] @ W_hh + b_h)
            below = H[l]
        top.append(below)
    return top, H


def first_weights(
    depth: int, d: int, h: int, q: int, seeds: Sequence[int], scheme: str = "orthogonal"
) -> list[tf.Variable]:
    """Weights of one deep network for each seed, side by side along a leading axis.

    Args:
        scheme: "orthogonal": orthogonal W_hh, the other matrices uniform by Glorot's rule, as
            Keras does it; "tiny": every matrix normal with standard deviation 0.01.

    Returns:
        W_xh, W_hh, b_h of each layer, then W_hq, b_q: matrices (seeds, rows, columns).
    """
    if scheme not in SCHEMES:
        raise ValueError(f"`scheme` must be one of {SCHEMES}. Received: scheme={scheme!r}")

    def matrix(chance, rows, columns, recurrent=False):
        if scheme == "tiny":
            return 0.01 * chance.standard_normal((rows, columns))
        if recurrent:
            q_, r = np.linalg.qr(chance.standard_normal((rows, columns)))
            return q_ * np.sign(np.diag(r))
        return chance.uniform(-1, 1, (rows, columns)) * math.sqrt(6 / (rows + columns))

    networks = []
    for seed in seeds:
        chance = np.random.default_rng([seed, depth])
        network = []
        for below in [d] + [h] * (depth - 1):
            network += [matrix(chance, below, h), matrix(chance, h, h, True), np.zeros((1, h))]
        networks.append([*network, matrix(chance, h, q), np.zeros((1, q))])
    return [tf.Variable(np.stack(w), dtype="float32") for w in zip(*networks, strict=True)]


def bits_of_each(weights, X, Y):
    """X (T, n, d), next tokens Y (T, n) -> bits per token of each network (networks,)."""
    *layers, W_hq, b_q = weights
    top, _ = deep_rnn(tf.unstack(X), list(zip(*[iter(layers)] * 3, strict=True)))
    logits = tf.concat(top, axis=-2) @ W_hq + b_q
    labels = tf.broadcast_to(tf.reshape(Y, [-1]), tf.shape(logits)[:-1])
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    return tf.reduce_mean(losses, axis=-1) / math.log(2)


def train_side_by_side(weights, batches, held_out, rates, clip: float = math.inf) -> np.ndarray:
    """Gradient descent on many networks at once -> bits per token held out (networks,).

    Args:
        weights: variables (networks, …) as `first_weights` gives them; trained in place.
        batches: pairs X (T, n) of tokens and Y, the tokens that follow.
        held_out: such a pair.
        rates: learning rate of each network (networks,).
        clip: longest gradient of a network, all its weights together.
    """
    width = weights[0].shape[-2]
    rates = tf.constant(rates, "float32")

    @tf.function
    def update(X, Y):
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(bits_of_each(weights, tf.one_hot(X, width), Y))
        gradients = [tf.convert_to_tensor(g) for g in tape.gradient(total, weights)]
        norm = tf.sqrt(sum(tf.reduce_sum(g**2, axis=(1, 2)) for g in gradients))
        step = (rates * tf.minimum(1.0, clip / norm))[:, None, None]
        for weight, gradient in zip(weights, gradients, strict=True):
            weight.assign_sub(step * gradient)

    for X, Y in batches:
        update(tf.constant(X), tf.constant(Y))
    X, Y = held_out
    return bits_of_each(weights, tf.one_hot(X, width), tf.constant(Y)).numpy()


def windows(tokens: np.ndarray, count: int, batch: int, steps: int, seed: int | None = 0) -> list:
    """`count` batches of windows, X (steps, batch) and the tokens one step on, as pairs.

    Their places are drawn by `seed`, or, with None, lie at equal distances.
    """
    last = len(tokens) - steps - 1
    if seed is None:
        starts = np.linspace(0, last, count * batch).astype(int).reshape(count, batch)
    else:
        starts = np.random.default_rng(seed).integers(0, last, (count, batch))
    rows = np.arange(steps)[:, None]
    return [(tokens[s + rows], tokens[s + rows + 1]) for s in starts]


def sweep_point(
    text, depth, rates, *, scheme="orthogonal", clip=math.inf, seeds=range(SEEDS), updates=200
) -> np.ndarray:
    """Train rates × seeds small deep networks on characters -> held-out bits (rates, seeds).

    text: `keras_source()`. The networks have 32 units a layer; a batch is 16 windows of 32
    characters, the same for all. Held out: 64 windows of the validation text.
    """
    vocabulary = Vocabulary(text.train)
    seeds = list(seeds)
    one = first_weights(depth, len(vocabulary), 32, len(vocabulary), seeds, scheme)
    weights = [tf.Variable(tf.tile(w, (len(rates), 1, 1))) for w in one]
    batches = windows(vocabulary.encode(text.train), updates, 16, 32)
    (held_out,) = windows(vocabulary.encode(text.validation), 1, 64, 32, seed=None)
    bits = train_side_by_side(weights, batches, held_out, np.repeat(rates, len(seeds)), clip)
    return bits.reshape(len(rates), len(seeds))


# --- a deep network of gated recurrent units that reads a text --------------------------------


def train_characters(
    recurrent, text: TextSplit, *, learning_rate: float, seed: int, updates: int = 200
) -> tuple[LanguageModel, dict[str, float]]:
    """Train a character model on `keras_source()` -> model, bits per character of three parts.

    Args:
        recurrent: makes the recurrent layer out of the options it is given.
        updates: number of batches of 64 windows of 32 characters.

    The scores: "validation" and "held_out", each on eight stretches of 2 560 characters that the
    network reads side by side, and "frequencies", the held-out score of character frequencies.
    """
    vocabulary = Vocabulary(text.train)
    numbers = vocabulary.encode(text.train)
    model = train_language_model(
        recurrent,
        numbers,
        len(vocabulary),
        updates=updates,
        batch_size=64,
        steps=32,
        learning_rate=learning_rate,
        seed=seed,
    )
    parts = {
        name: vocabulary.encode(stretches(getattr(text, name)))
        for name in ("validation", "held_out")
    }
    bits = {name: bits_per_character(model, part, streams=8) for name, part in parts.items()}
    counted = NGram(numbers, 1, len(vocabulary))
    return model, bits | {"frequencies": bits_per_character(counted, parts["held_out"])}


def stretches(text: str, count: int = 8, length: int = 2560) -> str:
    """`count` pieces of `length` characters at equal distances."""
    starts = np.linspace(0, len(text) - length, count).astype(int)
    return "".join(text[start : start + length] for start in starts)


# --- a deep network of gated recurrent units that reads a series -------------------------------


def regime_network(width: int, seed: int, depth: int = 3) -> tuple[keras.Model, list[GRUCell]]:
    """A stack of GRU cells and a linear layer that predicts the next return -> model, cells.

    returns (series, steps, 1) -> predictions (series, steps, 1).
    """
    keras.utils.set_random_seed(seed)
    cells = [GRUCell(width) for _ in range(depth)]
    stack = Recurrent(StackedCells(cells), return_sequences=True)
    return keras.Sequential([keras.Input((None, 1)), stack, keras.layers.Dense(1)]), cells


def train_on_regimes(model: keras.Model, seed: int, updates: int = 300) -> None:
    """`updates` batches of 32 new series of 100 steps, mean squared error, Adam."""
    returns = regimes(32 * updates, 100, seed=seed).returns[..., None]
    adam = keras.optimizers.Adam(0.01, clipnorm=1.0)
    fit(model, (returns[:, :-1], returns[:, 1:]), loss="mse", optimizer=adam, seed=seed)


def layer_states(cells, returns) -> list[np.ndarray]:
    """The states of every layer, (series, steps, h) each: the same cells, one after the other."""
    x, states = returns[..., None], []
    for cell in cells:
        x = Recurrent(cell, return_sequences=True)(x)
        states.append(x.numpy())
    return states


def who_knows(cells, seed: int, skip: int = 20) -> dict[str, list[float]]:
    """For each layer: R² of linear probes for regime and fast movement on held-out series, the
    share of the layer's variance that follows each of them, and the layer's time scale.

    Probes learn from 200 training series and are scored on 200 held-out ones of 100 steps, of
    which the first `skip` do not count.
    """
    learn, held_out = (regimes(200, 100, part, seed + 1000) for part in ("train", "held_out"))

    def flat(array):
        return array[:, skip:].reshape(-1, *array.shape[2:])

    found = {name: [] for name in ("bull", "fast", "share_bull", "share_fast", "steps")}
    pairs = zip(
        layer_states(cells, learn.returns), layer_states(cells, held_out.returns), strict=True
    )
    for ours, theirs in pairs:
        for name in ("bull", "fast"):
            y, y_held_out = (flat(getattr(d, name)).astype("float64") for d in (learn, held_out))
            found[name].append(linear_probe(flat(ours), y, flat(theirs), y_held_out))
            found["share_" + name].append(share_of_variance(flat(theirs), y_held_out))
        found["steps"].append(time_scale(theirs[:, skip:]))
    return found


# --- what a layer knows, and how long ----------------------------------------------------------


def linear_probe(states, target, held_out_states, held_out_target) -> float:
    """How much of a target a linear reader finds in states -> R² on the held-out ones.

    states (examples, h), target (examples,). Least squares on one part, scored on the other:
    1 is perfect, 0 is no better than the mean.
    """
    centre = states.mean(0)
    A, B = (np.c_[s - centre, np.ones(len(s))] for s in (states, held_out_states))
    w = np.linalg.lstsq(A, np.asarray(target, "float64"), rcond=None)[0]
    error = np.mean((held_out_target - B @ w) ** 2)
    return float(1 - error / np.mean((held_out_target - np.mean(target)) ** 2))


def share_of_variance(states, cause) -> float:
    """The share of the variance of states (examples, h) that follows a cause (examples,)."""
    states, cause = states - states.mean(0), cause - cause.mean()
    slope = cause @ states / (cause @ cause)
    return float((slope**2).sum() * (cause @ cause) / (states**2).sum())


def time_scale(states, longest: int = 60) -> float:
    """Steps until a layer's autocorrelation first falls below 1/e; `longest` if it does not.

    states (series, steps, h); the lagged products are summed over series and units.
    """
    states = states - states.mean((0, 1))
    variance = (states**2).mean()
    for lag in range(1, longest):
        if (states[:, lag:] * states[:, :-lag]).mean() < variance / math.e:
            return lag
    return longest
