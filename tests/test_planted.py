"""Faults that were planted by tools/mutants.py and that no other test had seen."""

import json
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as K

import d2lutils as ours
from d2lutils import match

X = np.random.default_rng(0).standard_normal((3, 5, 2))
F64 = {"dtype": "float64"}


@pytest.mark.parametrize("activation", ["relu", "linear"])
@pytest.mark.parametrize("use_bias", [False, True])
def test_a_plain_cell_takes_its_options_by_position_as_keras_does(activation, use_bias):
    """It has no recurrent_activation, which comes third in the others."""
    mine, theirs = (
        cell(4, activation, use_bias, **F64) for cell in (ours.RNNCell, K.SimpleRNNCell)
    )
    match(ours.Recurrent(mine), K.RNN(theirs, **F64), X)


OPTIONS = {
    "activation": "relu",
    "kernel_initializer": keras.initializers.RandomNormal(seed=1),
    "recurrent_initializer": "zeros",
    "bias_initializer": "ones",
    "kernel_regularizer": keras.regularizers.L1(1e-3),
    "recurrent_regularizer": "l2",
    "bias_regularizer": "l1",
    "kernel_constraint": keras.constraints.MaxNorm(0.8),
    "recurrent_constraint": "unit_norm",
    "bias_constraint": "non_neg",
    "dropout": 0.25,
    "recurrent_dropout": 0.5,
    "use_bias": False,
}


@pytest.mark.parametrize("name", ["RNNCell", "GRUCell", "LSTMCell", "SimpleRNN", "GRU", "LSTM"])
def test_a_configuration_holds_the_plain_values_that_keras_has(name):
    mine = getattr(ours, name)(3, name="a", **OPTIONS)
    theirs = getattr(K, name.replace("RNNCell", "SimpleRNNCell"))(3, name="a", **OPTIONS)
    config, expected = mine.get_config(), theirs.get_config()
    assert json.loads(json.dumps(config)) == config
    assert {k: config[k] for k in expected} == expected


@pytest.mark.parametrize("both_ways", [False, True])
@pytest.mark.parametrize("graph", [False, True])
def test_states_may_come_as_a_tuple(graph, both_ways):
    """With a mask, too, where new states are put beside the old ones."""
    layer = ours.LSTM(4, return_state=True, **F64)
    layer = ours.Bidirectional(layer) if both_ways else layer
    states = np.random.default_rng(1).standard_normal((4 if both_ways else 2, 3, 4))
    mask = np.array([[1, 1, 0, 1, 1]] * 3, bool)
    call = tf.function(layer) if graph else layer
    expected = layer(X, initial_state=list(states), mask=mask)
    for a, b in zip(call(X, initial_state=tuple(states), mask=mask), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


@pytest.mark.parametrize("graph", [False, True])
def test_a_sequence_without_steps_has_no_outputs_and_leaves_the_states(graph):
    layer = ours.LSTM(4, return_sequences=True, return_state=True, **F64)
    states = list(np.random.default_rng(1).standard_normal((2, 3, 4)))
    call = tf.function(layer) if graph else layer
    outputs, *after = call(X[:, :0], initial_state=states)
    assert outputs.shape == (3, 0, 4) and outputs.dtype == "float64"
    np.testing.assert_array_equal(after, states)


@pytest.mark.parametrize("known", [(None, 5), (3, None), (None, None)])
def test_what_a_graph_does_not_know_of_a_mask_is_not_held_against_it(known):
    layer = ours.GRU(4, **F64)
    valid = np.array([[1, 1, 0, 1, 0]] * 3, bool)
    expected = layer(X, mask=valid)
    for of_mask, of_x in ((known, (3, 5)), ((3, 5), known)):
        signature = [tf.TensorSpec((*of_x, 2), "float64"), tf.TensorSpec(of_mask, "bool")]
        graph = tf.function(lambda x, mask: layer(x, mask=mask), input_signature=signature)
        np.testing.assert_allclose(graph(X, valid), expected, rtol=1e-12)


def test_what_has_states_but_cannot_be_called_is_no_cell():
    thing = SimpleNamespace(state_size=3)
    with pytest.raises(ValueError, match="`cells` must hold cells.*state_size=3"):
        ours.StackedCells([thing])
    with pytest.raises(ValueError, match="`cell` must be a layer.*state_size=3"):
        ours.Recurrent(thing)


def test_a_stack_has_the_dtype_of_its_first_cell_or_its_own():
    cells = [ours.GRUCell(3, **F64), ours.GRUCell(4)]
    assert ours.StackedCells(cells).compute_dtype == "float64"
    assert ours.StackedCells(cells, dtype="float32").compute_dtype == "float32"


@pytest.mark.parametrize("wrap", [lambda cell: [cell, ours.GRUCell(2, **F64)], lambda cell: cell])
def test_a_cell_that_is_built_keeps_its_weights(wrap):
    cell = ours.GRUCell(4, **F64)
    cell.build((None, 2))
    before = list(cell.weights)
    layer = ours.Recurrent(wrap(cell))
    layer(X)
    assert [id(w) for w in cell.weights] == [id(w) for w in before]


@pytest.mark.parametrize("unit_forget_bias", [False, True])
def test_fresh_biases_of_an_lstm_are_keras(unit_forget_bias):
    fresh = []
    for home in (ours, K):
        draw = keras.initializers.RandomNormal(seed=3)
        layer = home.LSTM(4, unit_forget_bias=unit_forget_bias, bias_initializer=draw)
        layer.build((None, None, 2))
        fresh.append(layer.cell.bias.numpy())
    np.testing.assert_array_equal(*fresh)
    assert (fresh[0][4:8] == 1).all() == unit_forget_bias
