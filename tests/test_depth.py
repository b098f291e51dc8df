"""Deep networks side by side, probes and time scales: against Keras, and against what is known."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from d2lutils import depth


def layers_of(weights):
    return list(zip(*[iter(weights[:-2])] * 3, strict=True))


def test_deep_rnn_equals_keras_layers_one_after_the_other():
    rng = np.random.default_rng(0)
    stack = [keras.layers.SimpleRNN(4, return_sequences=True, dtype="float64") for _ in range(3)]
    x = rng.standard_normal((2, 6, 3))
    y = x
    for layer in stack:
        layer.build(y.shape)
        layer.set_weights([rng.standard_normal(w.shape) for w in layer.weights])
        y = layer(y)
    layers = [(W_xh, W_hh, b[None]) for W_xh, W_hh, b in (layer.get_weights() for layer in stack)]
    top, states = depth.deep_rnn(tf.unstack(x, axis=1), layers)
    assert np.abs(tf.stack(top, 1) - y).max() < 1e-12
    assert np.array_equal(states[-1], top[-1])


def test_networks_side_by_side_learn_as_each_does_alone():
    rng = np.random.default_rng(1)
    tokens = rng.integers(0, 5, 400)
    batches, (held_out,) = depth.windows(tokens, 5, 3, 7), depth.windows(tokens, 1, 4, 7, seed=None)
    rates, clip = (0.1, 0.5), 0.3
    together = depth.train_side_by_side(
        depth.first_weights(2, 5, 4, 5, (3, 8)), batches, held_out, rates, clip
    )
    for k, (seed, rate) in enumerate(zip((3, 8), rates, strict=True)):
        alone = depth.train_side_by_side(
            depth.first_weights(2, 5, 4, 5, (seed,)), batches, held_out, (rate,), clip
        )
        assert abs(together[k] - alone[0]) < 1e-5
    assert abs(together[0] - together[1]) > 1e-3


def test_clipping_shortens_the_step_of_one_network():
    tokens = np.random.default_rng(2).integers(0, 5, 400)
    batches, (held_out,) = depth.windows(tokens, 1, 3, 7), depth.windows(tokens, 1, 4, 7, seed=None)
    moved = []
    for clip in (0.01, 0.02):
        weights = depth.first_weights(3, 5, 4, 5, (0,))
        before = [w.numpy() for w in weights]
        depth.train_side_by_side(weights, batches, held_out, (1.0,), clip)
        moved.append(sum(((w - b) ** 2).numpy().sum() for w, b in zip(weights, before)) ** 0.5)
    assert np.allclose(moved, [0.01, 0.02], rtol=1e-3)


def test_windows_hold_tokens_and_those_that_follow():
    tokens = np.arange(100)
    for seed in (0, None):
        for X, Y in depth.windows(tokens, 3, 4, 10, seed=seed):
            assert X.shape == Y.shape == (10, 4)
            assert np.array_equal(X + 1, Y) and np.array_equal(X[0] + 9, X[-1])


def test_first_weights():
    weights = depth.first_weights(2, 5, 4, 6, (0, 1))
    assert [tuple(w.shape) for w in weights] == [
        (2, 5, 4), (2, 4, 4), (2, 1, 4), (2, 4, 4), (2, 4, 4), (2, 1, 4), (2, 4, 6), (2, 1, 6),
    ]  # fmt: skip
    for _, W_hh, b_h in layers_of(weights):
        assert np.allclose(W_hh @ tf.linalg.matrix_transpose(W_hh), np.eye(4), atol=1e-6)
        assert not b_h.numpy().any()
    assert np.abs(depth.first_weights(2, 5, 4, 6, (0,), "tiny")[0]).max() < 0.05
    with pytest.raises(ValueError, match="`scheme`"):
        depth.first_weights(2, 5, 4, 6, (0,), "large")


def test_linear_probe_finds_what_is_linear_and_no_more():
    rng = np.random.default_rng(3)
    learn, held_out = rng.standard_normal((2, 2000, 5))
    slope = rng.standard_normal(5)
    probe = depth.linear_probe
    assert probe(learn, learn @ slope + 7, held_out, held_out @ slope + 7) > 1 - 1e-9
    noise = rng.standard_normal((2, 2000))
    assert abs(probe(learn, noise[0], held_out, noise[1])) < 0.02
    assert abs(probe(learn, learn[:, 0] ** 2, held_out, held_out[:, 0] ** 2)) < 0.05


def test_share_of_variance():
    rng = np.random.default_rng(4)
    cause, other = rng.standard_normal((2, 5000))
    states = np.stack([3 * cause, 4 * other], -1)
    assert abs(depth.share_of_variance(states, cause) - 9 / 25) < 0.03
    assert depth.share_of_variance(states[:, :1], cause) > 1 - 1e-9


@pytest.mark.parametrize("steps", [1, 5, 20])
def test_time_scale_of_a_first_order_series(steps):
    """x_t = a x_{t-1} + e_t has autocorrelation a^k, which is 1/e after -1 / log a steps."""
    rng = np.random.default_rng(5)
    a = np.exp(-1 / (steps - 0.5)) if steps > 1 else 0.0
    x = [rng.standard_normal((2000, 3)) / (1 - a * a) ** 0.5]
    for _ in range(79):
        x.append(a * x[-1] + rng.standard_normal((2000, 3)))
    assert depth.time_scale(np.stack(x, 1)) == steps


def test_layer_states_are_those_of_the_network():
    model, cells = depth.regime_network(width=4, seed=0)
    returns = np.random.default_rng(6).standard_normal((2, 9)).astype("float32")
    states = depth.layer_states(cells, returns)
    assert [s.shape for s in states] == [(2, 9, 4)] * 3
    assert np.allclose(model.layers[-1](states[-1]), model(returns[..., None]), atol=1e-5)
