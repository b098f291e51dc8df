"""Copies trained side by side are what each would have become alone."""

import numpy as np
import pytest
import tensorflow as tf

from d2lutils import GRUCell, Recurrent
from d2lutils.copies import read_copies, start_copies, train_copies


def gru_step(X, H, W_xz, W_hz, b_z, W_xr, W_hr, b_r, W_xh, W_hh, b_h):
    R = tf.sigmoid(X @ W_xr + H @ W_hr + b_r)
    Z = tf.sigmoid(X @ W_xz + H @ W_hz + b_z)
    return Z * H + (1 - Z) * tf.tanh(X @ W_xh + (R * H) @ W_hh + b_h)


def scaled_step(X, H, scale, W_xh, W_hh, b_h):
    return scale * tf.tanh(X @ W_xh + H @ W_hh + b_h)


ONE = {"scale": 1.0}


def batches(updates, n=6, steps=5, d=4):
    rng = np.random.default_rng(1)
    for _ in range(updates):
        tokens = rng.integers(0, d, (n, steps)).astype("int32")
        share = (rng.random((n, steps)) < 0.5).astype("float32")
        share[0, 0] = 1
        yield tokens, np.roll(tokens, 1, axis=1), share


def test_reading_equals_the_layer():
    weights = start_copies("zrh", copies=3, d=4, h=5, classes=2)
    weights = {name: w + 0.1 for name, w in weights.items()}
    tokens = next(batches(1))[0]
    states, logits = read_copies(gru_step, weights, tokens)
    assert states.shape == (3, 6, 5, 5) and logits.shape == (3, 6, 5, 2)
    for k in range(3):
        layer = Recurrent(GRUCell(5, reset_after=False), return_sequences=True)
        layer.build((None, None, 4))
        packed = [
            np.concatenate([weights[f"{name}{gate}"][k] for gate in "zrh"], axis=-1)
            for name in ("W_x", "W_h", "b_")
        ]
        layer.set_weights([packed[0], packed[1], packed[2][0]])
        np.testing.assert_allclose(layer(np.eye(4, dtype="float32")[tokens]), states[k], atol=1e-5)
        expected = states[k] @ weights["W_hq"][k] + weights["b_q"][k]
        np.testing.assert_allclose(logits[k], expected, atol=1e-5)


def test_copies_do_not_see_each_other():
    weights = start_copies("h", copies=2, d=4, h=5, classes=4)
    scale = np.float32([1.0, 0.5])[:, None, None]
    together = train_copies(scaled_step, weights, batches(8), constants={"scale": scale})
    for k in range(2):
        one = {name: w[k : k + 1] for name, w in weights.items()}
        alone = train_copies(scaled_step, one, batches(8), constants={"scale": scale[k : k + 1]})
        for name, value in alone.items():
            np.testing.assert_allclose(together[name][k : k + 1], value, atol=1e-5)
            assert np.abs(value - one[name]).max() > 1e-4  # it did learn


def test_training_is_adam_with_clipping():
    """Against Keras' own optimizer, the rate falling over the last third."""
    import keras

    weights = start_copies("h", copies=1, d=4, h=3, classes=4, seed=2)
    ours = train_copies(
        scaled_step,
        weights,
        batches(9),
        constants={"scale": 1.0},
        learning_rate=0.02,
        clip_norm=0.3,
    )
    variables = {name: tf.Variable(w[0]) for name, w in weights.items()}
    adam = keras.optimizers.Adam(0.02, beta_2=0.99, global_clipnorm=0.3)
    for k, (tokens, targets, share) in enumerate(batches(9)):
        adam.learning_rate = 0.02 * min(1.0, 3 * (1 - k / 9))
        with tf.GradientTape() as tape:
            H, logits = tf.zeros((6, 3)), []
            for x in tf.unstack(tf.one_hot(tokens, 4), axis=1):
                H = tf.tanh(x @ variables["W_xh"] + H @ variables["W_hh"] + variables["b_h"])
                logits.append(H @ variables["W_hq"] + variables["b_q"])
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, tf.stack(logits, 1))
            loss = tf.reduce_sum(losses * share) / share.sum()
        adam.apply_gradients(zip(tape.gradient(loss, list(variables.values())), variables.values()))
    for name, value in variables.items():
        np.testing.assert_allclose(ours[name][0], value.numpy(), atol=2e-4)


@pytest.mark.parametrize("gates", ["h", "zrh", "fh"])
def test_first_weights(gates):
    weights = start_copies(gates, copies=2, d=7, h=5, classes=3, seed=4)
    assert set(weights) == {f"{p}{g}" for p in ("W_x", "W_h", "b_") for g in gates} | {
        "W_hq",
        "b_q",
    }
    for gate in gates:
        for W in weights[f"W_h{gate}"]:
            np.testing.assert_allclose(W @ W.T, np.eye(5), atol=1e-5)
