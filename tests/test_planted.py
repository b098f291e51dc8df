"""Faults that were planted by tools/mutants.py and that no other test had seen."""

import dataclasses
import inspect
import json
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as K

import d2lutils as ours
from d2lutils import match
from d2lutils.match import Match, Row, difference

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
    layer = ours.LSTM(4, return_sequences=True, return_state=True, dropout=0.5, **F64)
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


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("unit_forget_bias", [False, True])
def test_fresh_biases_of_an_lstm_are_keras(unit_forget_bias, dtype):
    options = {"unit_forget_bias": unit_forget_bias, "dtype": dtype}
    fresh = []
    for home in (ours, K):
        draw = keras.initializers.RandomNormal(seed=3)
        layer = home.LSTM(4, bias_initializer=draw, **options)
        layer.build((None, None, 2))
        fresh.append(layer.cell.bias.numpy())
    np.testing.assert_array_equal(*fresh)
    assert (fresh[0][4:8] == 1).all() == unit_forget_bias


@pytest.mark.parametrize("method", ["build", "call", "compute_output_shape", "get_initial_state"])
def test_what_may_be_left_out_of_a_call_is_what_it_is_in_keras(method):
    """Where one says None and the other False, both mean no."""
    for mine, theirs in (
        (ours.Recurrent, K.RNN),
        (ours.StackedCells, K.StackedRNNCells),
        (ours.Bidirectional, K.Bidirectional),
        (ours.LSTMCell, K.LSTMCell),
    ):
        if method in vars(theirs):
            left_out, expected = (
                {p.name: p.default or None for p in inspect.signature(f).parameters.values()}
                for f in (getattr(mine, method), getattr(theirs, method))
            )
            assert left_out.items() <= expected.items()


# --- cells ------------------------------------------------------------------------------------


CELLS = {"RNNCell": "SimpleRNNCell", "GRUCell": "GRUCell", "LSTMCell": "LSTMCell"}


def test_a_cell_takes_its_options_in_the_order_of_keras():
    """Up to the rates; then come those that only some cells have."""
    names = [[*inspect.signature(cell).parameters][:15] for cell in (ours.Cell, K.GRUCell)]
    assert names[0] == names[1] and names[0][-1] == "recurrent_dropout"


def both_cells(name: str, units: int, **options) -> list:
    """Our cell and Keras', built for X and with the same random weights."""
    cells = [home(units, **options) for home in (getattr(ours, name), getattr(K, CELLS[name]))]
    for cell in cells:
        cell.build(X.shape)
        cell.set_weights([np.cos(np.arange(w.size).reshape(w.shape)) for w in cell.get_weights()])
    return cells


@pytest.mark.parametrize("name", CELLS)
def test_weights_begin_and_are_held_as_in_keras(name):
    options = OPTIONS | {"use_bias": True, **F64}
    options["bias_initializer"] = keras.initializers.RandomNormal(seed=2)
    mine, theirs = (
        home(3, name="a", **options) for home in (getattr(ours, name), getattr(K, CELLS[name]))
    )
    mine.build((None, 2)), theirs.build((None, 2))
    for a, b in zip(mine.weights, theirs.weights, strict=True):
        assert a.path == b.path
        np.testing.assert_array_equal(a, b)
        some = tf.constant(np.random.default_rng(1).standard_normal(a.shape))
        np.testing.assert_array_equal(a.regularizer(some), b.regularizer(some))
        np.testing.assert_array_equal(a.constraint(some), b.constraint(some))


@pytest.mark.parametrize("policy", ["float64", "mixed_float16"])
@pytest.mark.parametrize("name", CELLS)
def test_a_cell_has_the_sizes_and_the_first_states_of_keras(name, policy):
    class Minimal(keras.layers.Layer):
        state_size = 2

    mine, theirs = both_cells(name, 4, dtype=policy)
    assert mine.output_size == theirs.output_size
    assert [mine.state_size] * 2 in ([theirs.state_size] * 2, [theirs.state_size, [4]])
    assert [w.shape for w in mine.weights] == [w.shape for w in theirs.weights]
    mine = ours.StackedCells([mine, Minimal(dtype=policy)])
    theirs = K.StackedRNNCells([theirs, Minimal(dtype=policy)], dtype=policy)
    forms = [
        [(s.shape, s.dtype) for s in keras.tree.flatten(cell.get_initial_state(batch_size=3))]
        for cell in (mine, theirs)
    ]
    assert forms[0] == forms[1]


@pytest.mark.parametrize("rates", [{}, {"dropout": 0.5}, {"recurrent_dropout": 0.5}])
def test_a_projection_is_the_same_in_parts(rates):
    """Of a sequence step by step, of a state gate by gate: with the same masks, if any."""
    h = X[:, 0] @ np.ones((2, 3))
    for name in CELLS:
        cell, _ = both_cells(name, 3, **rates, **F64)
        kernel, recurrent_kernel, bias = map(np.array, cell.get_weights())
        of_input, of_state = bias if bias.ndim == 2 else (bias, 0)
        np.testing.assert_allclose(cell.project_input(X), X @ kernel + of_input, rtol=1e-12)
        np.testing.assert_allclose(cell.project_state(h), h @ recurrent_kernel + of_state)
        cell.dropping = True
        whole = cell.project_input(X)
        for t in range(5):
            np.testing.assert_allclose(cell.project_input(X[:, t]), whole[:, t], rtol=1e-12)
        whole = cell.split(cell.project_state(h))
        for k, gate in enumerate(cell.gates):
            np.testing.assert_allclose(cell.project_state(h, gate), whole[k], rtol=1e-12)
            pair = cell.project_state(h, *cell.gates[k : k + 2])
            np.testing.assert_allclose(pair, np.concatenate(whole[k : k + 2], -1), rtol=1e-12)


@pytest.mark.parametrize("name", ["RNNCell", "GRUCell"])
def test_only_several_gates_have_several_masks(name):
    cell, _ = both_cells(name, 3, dropout=0.5, recurrent_dropout=0.5)
    masks = [
        cell.get_dropout_mask(tf.ones((2, 4))),
        cell.get_recurrent_dropout_mask(tf.ones((2, 3))),
    ]
    several = [isinstance(mask, list) and len(mask) for mask in masks]
    assert several == ([3, 3] if name == "GRUCell" else [False, False])


@pytest.mark.parametrize("stacked", [False, True])
@pytest.mark.parametrize("rates", [(0.5, 0.0), (0.0, 0.5), (0.5, 0.5)])
@pytest.mark.parametrize("steps", [1, 4])
def test_a_graph_draws_the_masks_of_keras(steps, rates, stacked):
    """As many as Keras draws, and no more: what is drawn next is the same, too."""
    options = {"dropout": rates[0], "recurrent_dropout": rates[1], "seed": 3, **F64}
    mine = [ours.RNNCell(n, **options) for n in (3, 4)]
    theirs = [K.SimpleRNNCell(n, **options) for n in (3, 4)]
    if stacked:
        layers = ours.Recurrent(mine), K.RNN(K.StackedRNNCells(theirs, **F64), **F64)
    else:
        layers = ours.Recurrent(mine[0]), K.RNN(theirs[0], **F64)
    match(*layers, X[:, :steps], training=True, mode="graph")
    for a, b in list(zip(mine, theirs))[: 1 + stacked]:
        np.testing.assert_array_equal(a.seed_generator.state, b.seed_generator.state)


def test_a_rate_may_be_a_whole_number():
    x = tf.ones((2, 4))
    assert ours.GRUCell(3, dropout=0).get_dropout_mask(x) is None
    assert not np.any(ours.GRUCell(3, dropout=1).get_dropout_mask(x))


def test_a_cell_that_drops_nothing_draws_nothing():
    assert ours.GRUCell(3).variables == []


def test_a_cell_without_gates_says_what_it_lacks():
    with pytest.raises(NotImplementedError, match=r"Cell must define step\(x, states\)"):
        ours.Recurrent(ours.Cell(3))(X)


class Narrowed(keras.layers.Layer):
    """A cell of a reader's own whose output is narrower than its state."""

    state_size, output_size = 4, 2

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1] + 4, 4), name="kernel")
        self.narrow = self.add_weight(shape=(4, 2), name="narrow")

    def call(self, x, states):
        h = tf.tanh(tf.concat([x, states[0]], -1) @ self.kernel)
        return h @ self.narrow, [h]


def test_a_cells_output_may_be_narrower_than_its_state():
    options = {"return_sequences": True, "return_state": True, **F64}
    mine, theirs = ours.Recurrent(Narrowed(**F64), **options), K.RNN(Narrowed(**F64), **options)
    assert mine.compute_output_shape(X.shape) == theirs.compute_output_shape(X.shape)
    match(mine, theirs, X)
    stack = lambda: [Narrowed(**F64), K.LSTMCell(3, **F64)]
    match(ours.Recurrent(stack()), K.RNN(K.StackedRNNCells(stack(), **F64), **F64), X)


# --- stacks -----------------------------------------------------------------------------------


def test_a_stack_has_the_configuration_of_keras_and_is_made_again_from_it():
    cells = [ours.LSTMCell(3, **F64), K.GRUCell(2, **F64)]
    mine, theirs = (
        stack(cells, name="a", **F64) for stack in (ours.StackedCells, K.StackedRNNCells)
    )
    config = json.loads(json.dumps(mine.get_config()))
    assert config == theirs.get_config()
    copy = ours.StackedCells.from_config(json.loads(json.dumps(config)))
    assert copy.get_config() == config
    match(ours.Recurrent(copy), ours.Recurrent(mine), X)


def test_a_stack_called_by_hand_does_not_drop_and_wants_all_its_states():
    cells = lambda: [K.GRUCell(3, dropout=0.5, **F64), K.LSTMCell(4, dropout=0.5, **F64)]
    mine, theirs = ours.StackedCells(cells()), K.StackedRNNCells(cells(), **F64)
    states = mine.get_initial_state(batch_size=3)
    mine(X[:, 0], states), theirs(X[:, 0], states)
    mine.set_weights(theirs.get_weights())
    np.testing.assert_allclose(mine(X[:, 0], states)[0], theirs(X[:, 0], states)[0], rtol=1e-12)
    with pytest.raises(ValueError, match="shorter"):
        mine(X[:, 0], states[:1])


@pytest.mark.parametrize("form", [lambda h: h, lambda h: [h]], ids=["bare", "in a list"])
def test_a_stack_begins_with_the_states_of_its_cells(form):
    class Warm(K.GRUCell):
        def get_initial_state(self, batch_size=None):
            return form(tf.ones((batch_size, self.units), self.compute_dtype))

    cells = lambda: [Warm(3, **F64), K.LSTMCell(4, **F64)]
    match(ours.Recurrent(cells()), K.RNN(K.StackedRNNCells(cells(), **F64), **F64), X)


# --- two directions ---------------------------------------------------------------------------


MASK = np.array([[1, 1, 0, 1, 0], [0, 1, 1, 1, 1], [1, 0, 0, 1, 1]], bool)
LOOPS = {
    "last": {},
    "last, states": {"return_state": True},
    "sequences": {"return_sequences": True, "zero_output_for_mask": True},
    "sequences, states": {"return_sequences": True, "return_state": True},
}


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("merge_mode", ["concat", "sum", "ave", "mul", None])
def test_two_directions_are_joined_and_named_as_keras_does(merge_mode, loop):
    options = {**LOOPS[loop], "name": "one", **F64}
    mine, theirs = (
        home.Bidirectional(home.LSTM(4, **options), merge_mode, name="two", **F64)
        for home in (ours, K)
    )
    assert [*mine.compute_output_shape(X.shape)] == [*theirs.compute_output_shape(X.shape)]
    match(mine, theirs, X, mask=MASK)
    assert [np.shape(y) for y in mine(X)] == [np.shape(y) for y in theirs(X)]
    assert [w.path for w in mine.weights] == [w.path for w in theirs.weights]


@pytest.mark.parametrize("home", [ours, K], ids=["ours", "Keras"])
def test_a_direction_that_is_built_keeps_its_states(home):
    backward = home.GRU(4, go_backwards=True, stateful=True)
    backward.build(X.shape)
    backward.states[0].assign(tf.ones((3, 4)))
    layer = home.Bidirectional(home.GRU(4, stateful=True), backward_layer=backward)
    layer.build(X.shape)
    assert layer.stateful
    np.testing.assert_array_equal(backward.states[0], np.ones((3, 4)))


@pytest.mark.parametrize("name", ["reset_state", "reset_states"])
def test_two_directions_refuse_an_empty_list_of_states(name):
    layer = ours.Bidirectional(ours.GRU(4, stateful=True))
    with pytest.raises(ValueError, match=r"`states`.*Received: 0 state"):
        getattr(layer, name)([])


class Sums(keras.layers.Layer):
    """A loop of a reader's own, with as little as Keras asks for."""

    return_sequences, return_state, stateful = True, False, False

    def __init__(self, go_backwards=False, **kwargs):
        super().__init__(**kwargs)
        self.go_backwards = go_backwards

    def call(self, sequences, initial_state=None, mask=None, training=False):
        return tf.cumsum(sequences[:, ::-1] if self.go_backwards else sequences, axis=1)

    def get_config(self):
        return {**super().get_config(), "go_backwards": self.go_backwards}


def test_a_loop_of_a_readers_own_has_two_directions():
    with keras.saving.custom_object_scope({"Sums": Sums}):
        match(ours.Bidirectional(Sums(**F64)), K.Bidirectional(Sums(**F64), **F64), X)


def test_two_directions_are_made_again_from_their_configuration():
    backward = ours.GRU(3, dropout=0.5, go_backwards=True, name="back", **F64)
    layer = ours.Bidirectional(ours.GRU(3, name="one", **F64), "sum", backward_layer=backward)
    config = json.loads(json.dumps(layer.get_config()))
    assert {*config} == {*K.Bidirectional(K.GRU(3)).get_config()}
    copy = ours.Bidirectional.from_config(json.loads(json.dumps(config)))
    assert copy.get_config() == config
    assert (copy.forward_layer.dropout, copy.backward_layer.dropout) == (0.0, 0.5)


def test_a_direction_has_one_prefix():
    layer = ours.Bidirectional(ours.GRU(3, name="backward_one"))
    assert (layer.forward_layer.name, layer.backward_layer.name) == ("forward_one", "backward_one")


@pytest.mark.parametrize("option", ["return_sequences", "return_state", "stateful"])
def test_directions_must_agree(option):
    backward = ours.GRU(3, go_backwards=True, **{option: True})
    with pytest.raises(ValueError, match=f"agree on `{option}`. Received: False and True"):
        ours.Bidirectional(ours.GRU(3), backward_layer=backward)


# --- the loop ---------------------------------------------------------------------------------


WRAPPED = {
    "one direction": lambda layer: layer,
    "two, joined": ours.Bidirectional,
    "two, apart": lambda layer: ours.Bidirectional(layer, None),
}


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("wrapped", WRAPPED)
def test_each_sequence_has_the_mask_and_all_else_none(wrapped, loop):
    layer = WRAPPED[wrapped](ours.LSTM(4, **LOOPS[loop]))
    outputs = layer(X)
    for call in ({}, {"mask": MASK}):
        masks = layer.compute_mask(X, **call)
        several = isinstance(outputs, tuple)
        pairs = zip(masks, outputs, strict=True) if several else [(masks, outputs)]
        for mask, output in pairs:
            assert mask is (call.get("mask") if len(output.shape) == 3 else None)


def test_a_mask_is_turned_round_in_time_alone():
    layer = ours.LSTM(4, go_backwards=True, return_sequences=True)
    np.testing.assert_array_equal(layer.compute_mask(X, MASK), MASK[:, ::-1])


@pytest.mark.parametrize("loop", LOOPS)
def test_shapes_are_known_before_the_call_as_in_keras(loop):
    mine, theirs = (home.LSTM(4, **LOOPS[loop]) for home in (ours, K))
    assert [*mine.compute_output_shape(X.shape)] == [*theirs.compute_output_shape(X.shape)]


@pytest.mark.parametrize(
    "option",
    [
        "return_sequences",
        "return_state",
        "go_backwards",
        "stateful",
        "unroll",
        "zero_output_for_mask",
    ],
)
def test_a_loop_has_the_configuration_of_keras_and_is_made_again_from_it(option):
    options = {option: True, "name": "a", "activity_regularizer": "l2", **F64}
    cell = K.GRUCell(3, **F64)
    config = ours.Recurrent(cell, **options).get_config()
    expected = K.RNN(cell, **options).get_config()
    assert {k: config[k] for k in expected} == expected
    text = json.dumps(config)
    assert ours.Recurrent.from_config(json.loads(text)).get_config() == json.loads(text)


MASK_FORMS = {
    "booleans": MASK,
    "integers": MASK.astype("int32"),
    "rank 3": MASK[..., None],
}


@pytest.mark.parametrize("go_backwards", [False, True])
@pytest.mark.parametrize("mode", ["eager", "graph"])
@pytest.mark.parametrize("form", MASK_FORMS)
def test_a_mask_has_any_form_and_any_direction(form, mode, go_backwards):
    options = {"return_sequences": True, "return_state": True, "go_backwards": go_backwards, **F64}
    mine, theirs = ours.GRU(4, **options), K.GRU(4, **options)
    match(mine, theirs, X, mask=MASK_FORMS[form], mode=mode)


def test_a_compiled_loop_has_gradients():
    match(ours.GRU(4, **F64), K.GRU(4, **F64), X, mode="xla")


@pytest.mark.parametrize("known", [(None, 5), (3, None), (None, None), (3, 5)])
@pytest.mark.parametrize("loop", ["last, states", "sequences, states"])
def test_a_graph_knows_what_can_be_known_of_shapes(loop, known):
    layer = ours.LSTM(4, **LOOPS[loop], **F64)
    states = list(np.random.default_rng(1).standard_normal((2, 3, 4)))
    expected = layer(X, initial_state=states)
    for of_x, batch in ((known, 3), ((3, 5), known[0]), (known, known[0])):
        signature = [
            tf.TensorSpec((*of_x, 2), "float64"),
            *[tf.TensorSpec((batch, 4), "float64")] * 2,
        ]
        graph = tf.function(
            lambda x, h, c: layer(x, initial_state=[h, c]), input_signature=signature
        )
        for a, b in zip(graph(X, *states), expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12)
    graph = tf.function(lambda x: layer(x), input_signature=signature[:1])
    found = graph.get_concrete_function().structured_outputs
    shapes = [tuple(y.shape) for y in found]
    assert shapes == [*layer.compute_output_shape((*known, 2))]


def test_a_stateful_layer_takes_a_batch_whose_size_a_graph_does_not_know():
    layer = ours.GRU(4, stateful=True, **F64)
    layer.build((3, None, 2))
    graph = tf.function(
        lambda x: layer(x), input_signature=[tf.TensorSpec((None, 5, 2), "float64")]
    )
    first = graph(X)
    layer.reset_state()
    np.testing.assert_allclose(first, layer(X), rtol=1e-12)
    other = tf.function(
        lambda x: layer(x), input_signature=[tf.TensorSpec((4, None, 2), "float64")]
    )
    with pytest.raises(ValueError, match="`sequences` must keep the batch size 3"):
        other.get_concrete_function()


@pytest.mark.parametrize("policy", ["float64", "mixed_float16"])
def test_kept_states_are_variables_as_in_keras(policy):
    mine, theirs = (home.LSTM(4, stateful=True, dtype=policy) for home in (ours, K))
    mine.build(X.shape), theirs.build(X.shape)
    forms = [[(s.shape, s.dtype, s.trainable) for s in layer.states] for layer in (mine, theirs)]
    assert forms[0] == forms[1]
    assert mine.cell.built and theirs.cell.built
    mine(X), mine(X)
    assert all(np.any(state) for state in mine.states)


def test_the_states_of_a_stack_are_set_and_refused():
    layer = ours.Recurrent((ours.LSTMCell(3, **F64), ours.GRUCell(4, **F64)), stateful=True)
    layer(X)
    h, c, g = (np.random.default_rng(1).standard_normal((3, n)) for n in (3, 3, 4))
    layer.reset_state([[h, c], g])
    np.testing.assert_array_equal(layer(X), layer(X, initial_state=[[h, c], g]))
    with pytest.raises(ValueError, match="`states` must hold 2 state.*Received: 2"):
        layer.reset_state([h, g])


@pytest.mark.parametrize("shape", [(4,), (3, 4, 1)])
def test_a_state_of_another_rank_is_refused(shape):
    with pytest.raises(ValueError, match=r"`initial_state` must hold states of shape \(3, 4\)"):
        ours.GRU(4, **F64)(X, initial_state=[np.zeros(shape)])


@pytest.mark.parametrize("graph", [False, True])
def test_a_loop_may_have_another_type_than_its_cell(graph):
    options = {"return_sequences": True, "return_state": True, "dtype": "float32"}
    mine = ours.Recurrent(ours.GRUCell(4, **F64), **options)
    theirs = K.RNN(K.GRUCell(4, **F64), **options)
    mine.build(X.shape), theirs.build(X.shape)
    mine.set_weights(theirs.get_weights())
    call = tf.function(mine) if graph else mine
    for a, b in zip(call(X), theirs(X), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, atol=1e-6)


# --- layers that replace those of Keras --------------------------------------------------------


@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize("name", ["GRU", "LSTM"])
def test_one_global_seed_gives_the_weights_and_the_masks_of_keras(name, dropout):
    fresh = []
    for home in (ours, K):
        keras.utils.set_random_seed(7)
        layers = [getattr(home, name)(3, dropout=dropout) for _ in range(2)]
        [layer.build((None, None, 2)) for layer in layers]
        fresh.append([w.numpy() for layer in layers for w in layer.variables])
    for a, b in zip(*fresh, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_layer_that_is_not_trained_has_a_cell_that_is_not_trained():
    mine, theirs = (home.GRU(3, trainable=False) for home in (ours, K))
    mine.build(X.shape), theirs.build(X.shape)
    assert mine.cell.trainable == theirs.cell.trainable
    assert [w.trainable for w in mine.weights] == [w.trainable for w in theirs.weights]
    assert mine.get_config()["trainable"] is False


def test_a_layer_has_the_options_of_its_cell_and_not_its_weights():
    layers = [home.GRU(3) for home in (ours, K)]
    for layer in layers:
        layer.build(X.shape)
        assert layer.reset_after and not hasattr(layer, "recurrent_kernel")
    with pytest.raises(AttributeError, match="has no attribute 'cell'"):
        ours.GRU.__new__(ours.GRU).units  # noqa: B018


# --- match ------------------------------------------------------------------------------------


TABLE = """
output             (3, 4)          1.0e-12  < 1e-6
gradient of input  (3, 5, 2)       1.0e-06  NOT below 1e-6
DIFFERENT: 1 of 2 tensors match
"""


def test_a_table_of_differences():
    rows = Row("output", (3, 4), 1e-12), Row("gradient of input", (3, 5, 2), 1e-6)
    found = Match(rows, 1e-6, digits=True)
    assert str(found) == TABLE.strip()
    assert str(Match(rows, 1e-6)) == TABLE.strip().replace("1.0e-12  ", "").replace("1.0e-06  ", "")
    assert str(Match(rows[:1], 1e-10)).endswith("< 1e-10\nequal: 1 of 1 tensors match")
    assert found.largest == 1e-6 and type(found.largest) is float and not found.equal
    assert np.isnan(Match((*rows, Row("state 1", (), np.nan)), 1e-6).largest)
    shown = []
    found._repr_pretty_(SimpleNamespace(text=shown.append), False)
    assert shown == [str(found)]
    for frozen in (found, rows[0]):
        with pytest.raises(dataclasses.FrozenInstanceError):
            frozen.digits = frozen.name = None


def test_a_difference_is_relative_to_the_largest_magnitude():
    assert difference(np.array([1.0, -4.0]), np.array([1.5, -5.0])) == 0.2
    assert difference(np.array([0.25]), np.zeros(1)) == 0.25
    assert difference(np.zeros(0), np.zeros(0)) == 0.0
    assert difference(np.zeros(2), np.zeros(3)) == np.inf
    assert np.isnan(difference(np.array([np.nan]), np.ones(1)))
    assert type(difference(np.ones(1), np.ones(1))) is float


def test_match_names_what_it_compares():
    mine, theirs = (
        home.Bidirectional(home.GRU(4, return_state=True, **F64), **F64) for home in (ours, K)
    )
    states = list(np.random.default_rng(1).standard_normal((2, 3, 4)))
    found = match(mine, theirs, (3, 5, 2), initial_state=states, tolerance=1e-5)
    of_weights = ("kernel", "recurrent_kernel", "bias")
    inputs = ["input", "initial state 1", "initial state 2"]
    inputs += [f"{name} {k}" for k in (1, 2) for name in of_weights]
    outputs = ["output", "state 1", "state 2"]
    assert [row.name for row in found.rows] == [*outputs, *(f"gradient of {n}" for n in inputs)]
    assert [row.shape for row in found.rows[:4]] == [(3, 8), (3, 4), (3, 4), (3, 5, 2)]
    assert found.equal and found.tolerance == 1e-5 and not found.digits
    plain = match(ours.GRU(4, **F64), K.GRU(4, **F64), X, digits=True)
    assert [row.name for row in plain.rows][2:] == [f"gradient of {name}" for name in of_weights]
    assert plain.digits and plain.tolerance == 1e-10


def test_match_takes_whole_models_on_integers():
    models = [
        keras.Sequential([keras.Input((5,), dtype="int32"), K.Embedding(9, 2), home.GRU(3)])
        for home in (ours, K)
    ]
    found = match(*models, np.arange(15).reshape(3, 5) % 9, tolerance=1e-4)
    assert "gradient of embeddings" in [row.name for row in found.rows]


def test_match_says_what_a_layer_does_not_depend_on():
    class Deaf(ours.GRU):
        def call(self, sequences, initial_state=None, mask=None, training=False):
            return super().call(sequences)

    with pytest.raises(ValueError, match="does not depend on its initial state 1"):
        match(Deaf(4, **F64), K.GRU(4, **F64), X, initial_state=[np.ones((3, 4))])


def test_match_sees_gradients_that_are_exchanged():
    @tf.custom_gradient
    def exchanged(y):
        return y, lambda gradient: tf.reverse(gradient, [-1])

    class Exchanged(ours.GRU):
        def call(self, sequences, initial_state=None, mask=None, training=False):
            return exchanged(super().call(sequences))

    with pytest.raises(AssertionError, match="output .* < 1e-10(?s:.*)input .*NOT below 1e-10"):
        match(Exchanged(4, **F64), K.GRU(4, **F64), X)


@pytest.mark.parametrize("rates", [{"dropout": 0.5}, {"recurrent_dropout": 0.5}])
@pytest.mark.parametrize("name", ["SimpleRNN", "GRU", "LSTM"])
def test_masks_of_call_after_call_are_those_of_keras(name, rates):
    """A mask that nobody asked for would take a number from the seeds, and move all later ones."""
    mine, theirs = (getattr(home, name)(5, **rates, seed=1, **F64) for home in (ours, K))
    mine.build(X.shape), theirs.build(X.shape)
    theirs.set_weights(mine.get_weights())
    for _ in range(3):
        np.testing.assert_allclose(mine(X, training=True), theirs(X, training=True), atol=1e-12)


@pytest.mark.parametrize("known", ["batch", "steps", "neither"])
@pytest.mark.parametrize("masked", [False, True])
def test_the_literal_loop_runs_in_a_graph_that_knows_one_size_alone(known, masked):
    one = ours.LSTM(4, return_sequences=True, fast=False, **F64)
    theirs = K.LSTM(4, return_sequences=True, **F64)
    mask = np.arange(5) < np.array([[5], [3], [1]]) if masked else None
    one.build(X.shape), theirs.build(X.shape)
    rng = np.random.default_rng(1)
    one.set_weights([rng.standard_normal(w.shape) for w in one.get_weights()])
    theirs.set_weights(one.get_weights())
    expected = theirs(X, mask=mask)
    batch, steps = 3 if known == "batch" else None, 5 if known == "steps" else None
    signature = [tf.TensorSpec((batch, steps, 2), "float64")]
    if masked:
        signature.append(tf.TensorSpec((batch, steps), "bool"))
    run = tf.function(lambda x, mask=None: one(x, mask=mask), input_signature=signature)
    given = [X] if mask is None else [X, mask]
    np.testing.assert_allclose(run(*given), expected, rtol=0, atol=1e-10)
