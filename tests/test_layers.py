"""What must hold of every layer whatever Hypothesis draws, and the faults that must be caught.

tests/test_conformance.py draws the examples on which layers equal Keras'. Weights and biases are
random (`match` sees to it): equal or zero ones would hide swapped gates.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as K

import d2lutils as ours
from d2lutils import match

EVERYTHING = {"return_sequences": True, "return_state": True, "dtype": "float64"}
KINDS = {
    "SimpleRNN": {},
    "GRU": {"reset_after": True},
    "GRU, reset before": {"reset_after": False},
    "LSTM": {},
}


def pair(kind: str, units: int, **options):
    """Our layer and Keras' of one kind."""
    name = kind.split(",")[0]
    options = KINDS[kind] | options
    return getattr(ours, name)(units, **options), getattr(K, name)(units, **options)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sizes", [(1, 1, 1, 1), (2, 1, 3, 1), (1, 9, 1, 2), (32, 40, 30, 64)])
def test_smallest_and_larger_sizes(kind, sizes):
    *x, units = sizes
    mine, theirs = pair(kind, units, **EVERYTHING)
    match(mine, theirs, tuple(x))


@pytest.mark.parametrize("kind", KINDS)
def test_float32_to_1e5(kind):
    mine, theirs = pair(kind, 16, return_sequences=True, return_state=True)
    x = np.random.default_rng(0).standard_normal((4, 12, 8)).astype("float32")
    match(mine, theirs, x, tolerance=1e-5)


@pytest.mark.parametrize("name", ["RNNCell", "GRUCell", "LSTMCell"])
def test_cells_and_loops_exchange(name):
    """Our cell in Keras' loop, Keras' cell in our loop: the same numbers."""
    theirs = "SimpleRNNCell" if name == "RNNCell" else name
    keras_cell, our_cell = getattr(K, theirs), getattr(ours, name)
    plain = K.RNN(keras_cell(5, dtype="float64"), **EVERYTHING)
    match(K.RNN(our_cell(5, dtype="float64"), **EVERYTHING), plain, (3, 4, 2))
    match(ours.Recurrent(keras_cell(5, dtype="float64"), **EVERYTHING), plain, (3, 4, 2))


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_eager_graph_and_xla_agree(kind, bidirectional):
    layer, _ = pair(kind, 5, **EVERYTHING)
    layer = ours.Bidirectional(layer) if bidirectional else layer
    rng = np.random.default_rng(0)
    x = tf.constant(rng.standard_normal((3, 6, 4)))
    mask = tf.constant(rng.random((3, 6)) < 0.7)
    layer(x)
    layer.set_weights([rng.standard_normal(w.shape) for w in layer.weights])

    def everything(x, mask):
        weights = [w.value for w in layer.trainable_weights]
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = layer(x, mask=mask)
            total = sum(tf.reduce_sum(y**2) for y in outputs)
        return [*outputs, *tape.gradient(total, [x, *weights])]

    eager = everything(x, mask)
    for compiled in (tf.function(everything), tf.function(everything, jit_compile=True)):
        for a, b in zip(eager, compiled(x, mask), strict=True):
            assert np.max(np.abs(a - b)) <= 1e-10 * np.max(np.abs(a))


def test_unknown_batch_and_steps():
    model = keras.Sequential([keras.Input((None, 3)), ours.Bidirectional(ours.LSTM(4))])
    assert model.output_shape == (None, 8)
    for shape in [(2, 5, 3), (7, 1, 3)]:
        assert model.predict(np.zeros(shape), verbose=0).shape == (shape[0], 8)


# --- axes -------------------------------------------------------------------------------------


def sequence_layer(direction: str, kind: str):
    layer, _ = pair(kind, 4, return_sequences=True, dtype="float64")
    return layer if direction == "one" else ours.Bidirectional(layer)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("direction", ["one", "two"])
def test_permuting_the_batch_permutes_the_outputs(kind, direction):
    layer = sequence_layer(direction, kind)
    x = np.random.default_rng(0).standard_normal((5, 6, 3))
    order = np.array([3, 0, 4, 1, 2])
    np.testing.assert_allclose(layer(x).numpy()[order], layer(x[order]).numpy(), rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("direction", ["one", "two"])
def test_an_input_reaches_the_steps_it_should(kind, direction):
    """Changing x_3 changes no earlier output in one direction, and every one in two."""
    layer = sequence_layer(direction, kind)
    x = np.random.default_rng(0).standard_normal((2, 6, 3))
    other = x.copy()
    other[:, 3] += 1
    moved = np.max(np.abs(layer(x).numpy() - layer(other).numpy()), axis=(0, 2)) > 0
    assert moved[3:].all()
    assert moved[:3].all() if direction == "two" else not moved[:3].any()


# --- faults that must be caught ---------------------------------------------------------------


class SwappedGates(ours.LSTMCell):
    def step(self, x, states):
        i, f, c, o = self.split(x)
        return super().step(tf.concat([f, i, c, o], -1), states)


class SwappedUpdateGate(ours.GRUCell):
    def step(self, x, states):
        (h,) = states
        new, _ = super().step(x, states)
        z = self.recurrent_activation(self.split(x + self.project_state(h))[0])
        candidate = (new - z * h) / (1 - z)
        h = (1 - z) * h + z * candidate
        return h, [h]


class TransposedKernel(ours.RNNCell):
    def project_state(self, h, *gates):
        return tf.matmul(h, self.recurrent_kernel, transpose_b=True)


class LostBias(ours.GRUCell):
    def project_state(self, h, *gates):
        return super().project_state(h, *gates) - self.bias[1]


class WrongStateOut(ours.LSTMCell):
    def step(self, x, states):
        h, (_, c) = super().step(x, states)
        return h, [c, c]


FAULTS = {
    SwappedGates: "LSTMCell",
    SwappedUpdateGate: "GRUCell",
    TransposedKernel: "SimpleRNNCell",
    LostBias: "GRUCell",
    WrongStateOut: "LSTMCell",
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_faults_in_a_cell_are_caught(fault):
    theirs = K.RNN(getattr(K, FAULTS[fault])(4, dtype="float64"), **EVERYTHING)
    with pytest.raises(AssertionError, match="NOT below 1e-10"):
        match(ours.Recurrent(fault(4, dtype="float64"), **EVERYTHING), theirs, (3, 5, 2))


class LostMask(ours.LSTM):
    def call(self, sequences, initial_state=None, mask=None, training=False):
        return super().call(sequences, initial_state, None, training)


class OtherDirection(ours.LSTM):
    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.go_backwards = not self.go_backwards


class WrongAxis(ours.LSTM):
    """Runs over the batch, not over time."""

    def call(self, sequences, initial_state=None, mask=None, training=False):
        y = super().call(tf.transpose(sequences, (1, 0, 2)))
        return tf.transpose(y, (1, 0, 2)) if self.return_sequences else y


class StoppedGradient(ours.LSTM):
    def call(self, sequences, initial_state=None, mask=None, training=False):
        return super().call(tf.stop_gradient(sequences) + sequences, initial_state, mask) / 2


@pytest.mark.parametrize("fault", [LostMask, OtherDirection, WrongAxis, StoppedGradient])
def test_faults_in_a_loop_are_caught(fault):
    options = {"return_sequences": True, "dtype": "float64"}
    mask = np.array([[1, 1, 1, 0], [0, 1, 1, 1], [1, 0, 1, 1], [1, 1, 1, 1]], bool)
    with pytest.raises(AssertionError, match="NOT below 1e-10"):
        match(fault(4, **options), K.LSTM(4, **options), (4, 4, 2), mask=mask)


def test_an_unreversed_backward_pass_is_caught():
    class Unreversed(ours.Bidirectional):
        def call(self, sequences, initial_state=None, mask=None, training=False):
            forward = self.forward_layer(sequences, mask=mask)
            return tf.concat([forward, self.backward_layer(sequences, mask=mask)], -1)

    options = {"return_sequences": True, "dtype": "float64"}
    with pytest.raises(AssertionError, match="NOT below 1e-10"):
        match(
            Unreversed(ours.LSTM(4, **options)),
            K.Bidirectional(K.LSTM(4, **options), dtype="float64"),
            (3, 5, 2),
        )
