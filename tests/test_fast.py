"""The fast run: the numbers of the literal loop wherever it applies, and elsewhere not used."""

import re
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as K

import d2lutils as ours
from d2lutils import fast, match

F64 = {"dtype": "float64"}
KINDS = {
    "SimpleRNN": {},
    "GRU": {},
    "GRU, reset before": {"reset_after": False},
    "GRU, no bias": {"use_bias": False},
    "LSTM": {},
    "LSTM, no bias": {"use_bias": False},
}
MASK = np.array([[1, 1, 1, 0, 1], [0, 0, 1, 1, 0], [0, 0, 0, 0, 0], [1, 0, 1, 1, 1]], bool)


def layer(kind: str, units: int = 4, **options):
    return getattr(ours, kind.split(",")[0])(units, **KINDS[kind] | F64 | options)


def used(monkeypatch) -> list:
    """The cells that run fast from now on."""
    cells, run = [], fast.run
    monkeypatch.setattr(fast, "run", lambda cell, *rest: cells.append(cell) or run(cell, *rest))
    return cells


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", [True, "xla"])
@pytest.mark.parametrize("masked", [False, True])
def test_fast_and_literal_run_agree(kind, how, masked, monkeypatch):
    cells = used(monkeypatch)
    options = {"return_sequences": True, "return_state": True, "go_backwards": masked}
    one, other = layer(kind, fast=how, **options), layer(kind, fast=False, **options)
    states = [np.random.default_rng(1).standard_normal((4, 4)) for _ in one.cell.states]
    call = {"mask": MASK if masked else None, "initial_state": states}
    match(one, other, (4, 5, 3), **call)
    assert cells and set(cells) == {one.cell}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [1, 2, 7])
def test_parts_of_a_batch_are_the_batch(kind, rows):
    """One row is not cut in two, and seven not into equal parts."""
    for how in (True, "xla")[: 1 if "no bias" in kind else 2]:
        match(layer(kind, 6, fast=how), layer(kind, 6, fast=False), (rows, 4, 3))


@pytest.mark.parametrize("kind", KINDS)
def test_many_rows_add_up_their_gradients_step_by_step(kind, monkeypatch):
    collected, collect = [], fast.products
    monkeypatch.setattr(
        fast, "products", lambda *given: collected.append(given[1].shape[0]) or collect(*given)
    )
    rows = 2 * (3 + 4) + 2  # a part has one more than inputs and units together
    mask = np.random.default_rng(2).random((rows, 5)) < 0.7
    fast.Passes.cache_clear()
    match(layer(kind, fast="xla"), layer(kind, fast=False), (rows, 5, 3), mask=mask)
    assert collected and set(collected) == {1}


@pytest.mark.parametrize("mode", ["graph", "xla"])
@pytest.mark.parametrize("kind", KINDS)
def test_inside_a_graph_and_under_xla(kind, mode):
    options = {"return_sequences": True, "return_state": True}
    other = layer(kind, fast=False, **options)
    match(layer(kind, **options), other, (4, 5, 3), mask=MASK, mode=mode)


def test_a_graph_that_knows_neither_batch_nor_steps():
    one, other = (layer("LSTM", fast=how) for how in ("xla", False))
    one.build((None, None, 3)), other.build((None, None, 3))
    other.set_weights(one.get_weights())
    signature = [tf.TensorSpec((None, None, 3))]
    run = tf.function(lambda x: (one(x), other(x)), input_signature=signature)
    for rows, steps in [(1, 4), (2, 1), (5, 6)]:
        fast_one, literal = run(tf.random.stateless_normal((rows, steps, 3), (rows, steps)))
        np.testing.assert_allclose(fast_one, literal, rtol=1e-10, atol=1e-14)


def test_batches_and_lengths_are_traced_once():
    one = layer("GRU")
    one(np.ones((2, 3, 5)))
    functions = fast.Passes.cache_info().currsize
    for rows, steps in [(3, 4), (8, 2), (5, 9)]:
        one(np.ones((rows, steps, 5)))
    assert fast.Passes.cache_info().currsize == functions


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "mixed_float16", "mixed_bfloat16"])
def test_half_precision(dtype):
    options = {"dtype": dtype, "recurrent_initializer": "glorot_uniform"}  # bfloat16 has no QR
    one, other = (ours.LSTM(8, fast=how, **options) for how in (True, False))
    x = np.random.default_rng(0).standard_normal((4, 6, 3))
    one(x), other(x)
    other.set_weights(one.get_weights())
    assert one(x).dtype == other(x).dtype
    difference = tf.cast(one(x), "float32") - tf.cast(other(x), "float32")
    spacing = 2.0**-7 if "b" in dtype else 2.0**-10  # of numbers near one
    assert np.abs(difference).max() <= 2 * spacing


def test_no_step_at_all():
    one = layer("LSTM", return_sequences=True, return_state=True)
    states = [np.ones((2, 4)), np.full((2, 4), 2.0)]
    outputs, *last = one(np.ones((2, 0, 3)), initial_state=states)
    assert outputs.shape == (2, 0, 4)
    np.testing.assert_array_equal(last, states)


def test_gradients_are_asked_for_twice_and_by_rows():
    one = layer("GRU")
    x = tf.constant(np.random.default_rng(0).standard_normal((2, 3, 4)))
    one(x)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = one(x)
    first, again = tape.gradient(y, x), tape.gradient(y, x)
    np.testing.assert_array_equal(first, again)
    rows = tape.jacobian(y, x)
    np.testing.assert_allclose(tf.reduce_sum(rows, (0, 1)), first, rtol=1e-12)


def test_second_derivatives_have_a_clear_error_and_a_way_out():
    def second(one, x):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                y = one(x)
            slope = inner.gradient(y, x)
        return outer.gradient(slope, x)

    x = tf.constant(np.random.default_rng(0).standard_normal((2, 3, 4)))
    with pytest.raises(NotImplementedError, match="first derivatives only.*fast=False"):
        second(layer("LSTM"), x)
    assert np.abs(second(layer("LSTM", fast=False), x)).max() > 0


class Changed(ours.LSTMCell):
    """A reader's own: the memory forgets nothing."""

    def step(self, x, states):
        h, c = states
        i, _, c_tilde, o = self.split(x + self.project_state(h))
        c = c + self.recurrent_activation(i) * self.activation(c_tilde)
        h = self.recurrent_activation(o) * self.activation(c)
        return h, [h, c]


@pytest.mark.parametrize(
    "make, training",
    [
        (lambda: ours.Recurrent(Changed(4)), False),
        (lambda: ours.Recurrent(K.LSTMCell(4)), False),
        (lambda: ours.Recurrent(ours.StackedCells([ours.GRUCell(4), ours.GRUCell(4)])), False),
        (lambda: ours.Recurrent(ours.LSTMCell(4, dtype="float32"), dtype="float64"), False),
        (lambda: ours.LSTM(4, activation="relu"), False),
        (lambda: ours.GRU(4, recurrent_activation="hard_sigmoid"), False),
        (lambda: ours.LSTM(4, dropout=0.5), True),
        (lambda: ours.LSTM(4, recurrent_dropout=0.5), True),
        (lambda: ours.LSTM(4, unroll=True), False),
        (lambda: ours.LSTM(4, fast=False), False),
    ],
)
def test_where_the_equations_are_others_the_cell_itself_runs(make, training, monkeypatch):
    cells = used(monkeypatch)
    make()(np.ones((2, 3, 4), "float32"), training=training)
    assert not cells


def test_what_it_does_run(monkeypatch):
    cells = used(monkeypatch)
    for one in (ours.SimpleRNN(4), ours.GRU(4), ours.LSTM(4), ours.LSTM(4, dropout=0.5)):
        one(np.ones((2, 3, 4), "float32"))
    assert len(cells) == 4


def test_the_choice_is_kept_in_copies_and_is_not_in_keras_configuration():
    assert "fast" not in ours.GRU(3).get_config()
    assert ours.GRU.from_config(ours.GRU(3, fast="xla").get_config()).fast == "xla"
    both = ours.Bidirectional(ours.GRU(3, fast=False))
    assert both.forward_layer.fast is both.backward_layer.fast is False


def test_every_equation_named_in_the_code_stands_in_a_chapter():
    named = set(re.findall(r"\(([a-z]+-[a-z-]+)\)", Path(fast.__file__).read_text()))
    text = "".join(page.read_text() for page in Path(__file__).parents[1].glob("text/*.md"))
    assert named and named <= set(re.findall(r"\\label\{eq:([a-z-]+)\}", text))


def test_a_layer_of_keras_own_wrappers_runs_fast_too(monkeypatch):
    cells = used(monkeypatch)
    x = np.ones((2, 3, 4), "float32")
    keras.layers.Bidirectional(ours.LSTM(3))(x)
    assert len(cells) == 2
