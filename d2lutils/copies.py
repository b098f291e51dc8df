"""Several copies of one small network, trained side by side: seeds and variants in one run.

A step is a function of the book, written with the book's weights: `step(X, H, W_xz, …) -> H`.
Each weight has an axis for the copies in front, which the matrix product `@` carries along, so that
twenty networks cost little more than one.
"""

from collections.abc import Callable, Iterable, Mapping

import numpy as np
import tensorflow as tf


def start_copies(
    gates: str, copies: int, d: int, h: int, classes: int, seed: int = 0
) -> dict[str, np.ndarray]:
    """First weights: W_x· (copies, d, h), W_h· (copies, h, h), b_· (copies, 1, h), W_hq and b_q.

    Args:
        gates: one letter each, "zrh" for a GRU and "h" for a plain RNN.
        copies: how many networks, each with random numbers of its own.
        d, h, classes: width of the input, of the state, and of the output.
        seed: of the random numbers.
    """
    rng = np.random.default_rng(seed)
    reach = (6 / (d + h)) ** 0.5  # as glorot_uniform
    weights = {}
    for gate in gates:
        weights[f"W_x{gate}"] = rng.uniform(-reach, reach, (copies, d, h))
        weights[f"W_h{gate}"] = np.linalg.qr(rng.standard_normal((copies, h, h)))[0]
        weights[f"b_{gate}"] = np.zeros((copies, 1, h))
    weights["W_hq"] = rng.uniform(-1, 1, (copies, h, classes)) * (6 / (h + classes)) ** 0.5
    weights["b_q"] = np.zeros((copies, 1, classes))
    return {name: value.astype("float32") for name, value in weights.items()}


def read_copies(
    step: Callable, weights: Mapping, tokens, constants: Mapping | None = None
) -> tuple:
    """Read tokens (n, T) -> states (copies, n, T, h), logits (copies, n, T, classes), as arrays.

    `step`, `weights` and `constants` are those of `train_copies`.
    """
    fixed = {name: tf.constant(value) for name, value in weights.items()}
    states, logits = forward(step, fixed, tf.constant(tokens), constants or {})
    return states.numpy().transpose(1, 2, 0, 3), logits.numpy().transpose(1, 2, 0, 3)


def train_copies(
    step: Callable,
    weights: Mapping[str, np.ndarray],
    batches: Iterable,
    *,
    constants: Mapping | None = None,
    learning_rate: float = 1e-2,
    clip_norm: float = 1.0,
) -> dict[str, np.ndarray]:
    """Train every copy on the same batches with Adam -> the weights afterwards.

    The gradient of each copy is clipped to `clip_norm`; the learning rate falls to zero over the
    last third.

    Args:
        step: `step(X, H, **weights, **constants) -> H`, with X (n, d) one-hot, H (copies, n, h).
        weights: from `start_copies`.
        batches: (tokens (n, T), targets (n, T), share of the loss (n, T)) for each update.
        constants: further arguments of `step` that are not trained.
    """
    variables = {name: tf.Variable(value) for name, value in weights.items()}
    trained = list(variables.values())
    moments = [[tf.Variable(tf.zeros_like(v)) for v in trained] for _ in range(2)]
    constants = constants or {}

    @tf.function(reduce_retracing=True, autograph=False)
    def update(tokens, targets, share, rate, k):
        with tf.GradientTape() as tape:
            values = {name: variable.read_value() for name, variable in variables.items()}
            _, logits = forward(step, values, tokens, constants)
            labels = tf.broadcast_to(tf.transpose(targets)[:, None], tf.shape(logits)[:3])
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            share = tf.transpose(share)[:, None]
            total = tf.reduce_sum(losses * share) / tf.reduce_sum(share)  # copies do not interact
        gradients = tape.gradient(total, trained)
        norm = tf.sqrt(sum(tf.reduce_sum(g * g, (1, 2)) for g in gradients))
        scale = tf.minimum(1.0, clip_norm / (norm + 1e-9))[:, None, None]
        for v, g, m, s in zip(trained, gradients, *moments):
            m.assign(0.9 * m + 0.1 * scale * g)
            s.assign(0.99 * s + 0.01 * (scale * g) ** 2)
            mean, square = m / (1 - 0.9**k), s / (1 - 0.99**k)
            v.assign_sub(rate * mean / (tf.sqrt(square) + 1e-7))

    batches = list(batches)
    for k, (tokens, targets, share) in enumerate(batches):
        rate = learning_rate * min(1.0, 3 * (1 - k / len(batches)))
        numbers = tf.constant([rate, k + 1], tf.float32)
        update(tf.constant(tokens), tf.constant(targets), tf.constant(share), *tf.unstack(numbers))
    return {name: variable.numpy() for name, variable in variables.items()}


def forward(step, weights, tokens, constants) -> tuple:
    """States (T, copies, n, h) and logits (T, copies, n, classes) as tensors."""
    weights = dict(weights)
    W_hq, b_q = weights.pop("W_hq"), weights.pop("b_q")
    copies, h = W_hq.shape[:2]
    d = next(iter(weights.values())).shape[1]
    X = tf.one_hot(tf.transpose(tokens), d)  # (T, n, d)
    steps = tf.shape(X)[0]
    states = tf.TensorArray(tf.float32, steps, element_shape=(copies, None, h))

    def body(t, H, states):
        H = step(X[t], H, **weights, **constants)
        return t + 1, H, states.write(t, H)

    first = tf.zeros((copies, tf.shape(X)[1], h))
    *_, states = tf.while_loop(lambda t, *_: t < steps, body, (0, first, states))
    states = states.stack()
    return states, states @ W_hq + b_q
