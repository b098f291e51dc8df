"""Our layers live where Keras' do: models, saving, states, dtypes; and they refuse misuse."""

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as K

import d2lutils as ours

RNG = np.random.default_rng(0)
X = RNG.standard_normal((8, 6, 4)).astype("float32")
IDS = np.where(np.arange(6) < RNG.integers(1, 7, (8, 1)), RNG.integers(1, 10, (8, 6)), 0)
Y = RNG.standard_normal((8, 1)).astype("float32")

MIXTURES = {
    "our cell in Keras' RNN": lambda: K.RNN(ours.GRUCell(8)),
    "Keras' cell in Recurrent": lambda: ours.Recurrent(K.LSTMCell(8)),
    "our layer in Keras' Bidirectional": lambda: K.Bidirectional(ours.LSTM(8)),
    "our loop in Keras' Bidirectional": lambda: K.Bidirectional(ours.Recurrent(ours.GRUCell(8))),
    "Keras' layer in Bidirectional": lambda: ours.Bidirectional(K.LSTM(8)),
    "our Bidirectional": lambda: ours.Bidirectional(ours.GRU(8, reset_after=False), "sum"),
    "stacked cells": lambda: ours.Recurrent(
        ours.StackedCells([ours.LSTMCell(8), K.GRUCell(7), ours.RNNCell(6)])
    ),
    "SimpleRNN": lambda: ours.SimpleRNN(8),
    "LSTM": lambda: ours.LSTM(8, "relu", unit_forget_bias=False),
}


def model_on(inputs: str, layer) -> keras.Model:
    """A functional model: on vectors, or on an embedding whose zeros are padding."""
    if inputs == "vectors":
        sequence = first = keras.Input((None, 4))
    else:
        first = keras.Input((None,), dtype="int32")
        sequence = K.Embedding(10, 4, mask_zero=True)(first)
    return keras.Model(first, K.Dense(1)(layer(sequence)))


@pytest.mark.parametrize("inputs", ["vectors", "masked embedding"])
@pytest.mark.parametrize("mixture", MIXTURES)
def test_train_save_load(mixture, inputs, tmp_path):
    x = X if inputs == "vectors" else IDS
    model = model_on(inputs, MIXTURES[mixture]())
    before = [w.copy() for w in model.get_weights()]
    model.compile("adam", "mse")
    model.fit(x, Y, epochs=2, verbose=0)
    changed = [np.any(a != b) for a, b in zip(before, model.get_weights(), strict=True)]
    assert all(changed), "training must move every weight"

    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded.layers[-2]) is type(model.layers[-2])
    np.testing.assert_array_equal(model(x), loaded(x))


def test_padding_does_not_matter():
    """The mask of Embedding reaches our layers: more padding, the same prediction."""
    model = model_on("masked embedding", ours.Bidirectional(ours.LSTM(8)))
    longer = np.pad(IDS, ((0, 0), (0, 5)))
    np.testing.assert_allclose(model(IDS), model(longer), atol=1e-6)


@pytest.mark.parametrize(
    "layer",
    [
        ours.SimpleRNN(3, "relu", False, go_backwards=True),
        ours.GRU(3, "relu", "hard_sigmoid", return_sequences=True, reset_after=False),
        ours.LSTM(3, bias_initializer="ones", unit_forget_bias=False, return_state=True),
        ours.LSTM(3, stateful=True, zero_output_for_mask=True, dtype="float64", name="mine"),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_config_is_flat_and_complete(layer):
    theirs = getattr(K, type(layer).__name__)
    config = layer.get_config()
    assert "cell" not in config
    copy = type(layer).from_config(config)
    assert copy.get_config() == config
    twin = theirs.from_config(config).get_config()  # Keras' layer takes ours as its own
    lost = {"seed", "implementation"}  # which Keras' does not keep
    assert {k: v for k, v in config.items() if k not in lost | twin.keys()} == {}
    assert {k: v for k, v in twin.items() if k in config and config[k] != v} == {}


@pytest.mark.parametrize("name", ["SimpleRNN", "GRU", "LSTM"])
def test_fresh_weights_have_keras_names_shapes_and_values(name):
    seeded = {
        "kernel_initializer": keras.initializers.GlorotUniform(seed=1),
        "recurrent_initializer": keras.initializers.Orthogonal(seed=2),
    }
    mine, theirs = (getattr(home, name)(5, name="a", **seeded) for home in (ours, K))
    mine.build((None, None, 3)), theirs.build((None, None, 3))
    for a, b in zip(mine.weights, theirs.weights, strict=True):
        assert (a.path, a.shape) == (b.path, b.shape)
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float64"])
@pytest.mark.parametrize("name", ["SimpleRNN", "GRU", "LSTM"])
def test_dtypes_are_those_of_keras(name, policy):
    mine, theirs = (getattr(home, name)(4, dtype=policy, return_state=True) for home in (ours, K))
    for a, b in zip(mine(X), theirs(X), strict=True):
        assert a.dtype == b.dtype
    assert [w.dtype for w in mine.weights] == [w.dtype for w in theirs.weights]
    assert ours.Bidirectional(mine)(X)[0].dtype == mine(X)[0].dtype
    theirs.set_weights(mine.get_weights())
    tolerance = {"mixed_float16": 1e-2, "mixed_bfloat16": 5e-2, "float64": 1e-12}[policy]
    a, b = (np.asarray(tf.cast(layer(X)[0], "float64")) for layer in (mine, theirs))
    np.testing.assert_allclose(a, b, atol=tolerance)


@pytest.mark.parametrize("of_loop, of_cell", [("float32", "mixed_float16"), ("float32", "float64")])
@pytest.mark.parametrize("name", ["SimpleRNN", "GRU", "LSTM"])
def test_a_loop_and_its_cell_may_have_dtypes_of_their_own(name, of_loop, of_cell):
    cell = name.replace("Simple", "") + "Cell"
    mine = ours.Recurrent(getattr(ours, cell)(4, dtype=of_cell), dtype=of_loop)
    theirs = K.RNN(getattr(K, name + "Cell")(4, dtype=of_cell), dtype=of_loop)
    theirs.build(X.shape), mine.build(X.shape)
    theirs.set_weights([RNG.standard_normal(w.shape) for w in theirs.get_weights()])
    mine.set_weights(theirs.get_weights())
    assert mine(X).dtype == theirs(X).dtype
    np.testing.assert_allclose(mine(X), theirs(X), atol=1e-2 if "16" in of_cell else 1e-7)


# --- states -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["SimpleRNN", "GRU", "LSTM"])
def test_training_with_dropout_on_no_steps_leaves_the_first_state(name):
    layer = getattr(ours, name)(5, dropout=0.5, recurrent_dropout=0.5, return_state=True)
    output, *states = layer(X[:, :0], training=True)
    for tensor in (output, *states):
        np.testing.assert_array_equal(tensor, np.zeros((len(X), 5)))


@pytest.mark.parametrize("merge_mode, width", [("concat", 8), (None, None)])
def test_directions_of_unequal_width(merge_mode, width):
    pair = ours.LSTM(5, return_state=True), ours.LSTM(3, return_state=True, go_backwards=True)
    layer = ours.Bidirectional(pair[0], merge_mode, backward_layer=pair[1])
    eager, symbolic = layer(X), layer(keras.Input(X.shape[1:], len(X)))
    assert [tuple(a.shape) for a in eager] == [tuple(a.shape) for a in symbolic]
    assert eager[0].shape == (8, width or 5)


@pytest.mark.parametrize("name", ["SimpleRNN", "GRU", "LSTM"])
def test_stateful_equals_keras_and_one_long_run(name):
    options = {"stateful": True, "dtype": "float64", "return_sequences": True}
    mine, theirs = (getattr(home, name)(5, **options) for home in (ours, K))
    x = RNG.standard_normal((2, 9, 3))
    mine.build((2, None, 3)), theirs.build((2, None, 3))
    theirs.set_weights([RNG.standard_normal(w.shape) for w in theirs.get_weights()])
    mine.set_weights(theirs.get_weights())
    assert len(mine.weights) == 3, "states are not weights"

    whole = mine(x)
    mine.reset_state()
    parts = np.concatenate([mine(x[:, :4]), mine(x[:, 4:])], axis=1)
    np.testing.assert_allclose(whole, parts, rtol=1e-10)
    theirs(x[:, :4])
    np.testing.assert_allclose(theirs(x[:, 4:]), parts[:, 4:], rtol=1e-10)
    mine.reset_state()
    np.testing.assert_allclose(mine(x), whole, rtol=1e-10)


def test_explicit_state_wins_and_is_kept():
    layer = ours.GRU(3, stateful=True, dtype="float64")
    x, start = RNG.standard_normal((2, 4, 3)), RNG.standard_normal((2, 3))
    layer(x)
    first = layer(x, initial_state=start)
    np.testing.assert_array_equal(first, layer(x, initial_state=[start]))
    np.testing.assert_array_equal(layer.states[0], first)


def test_stateful_bidirectional_resets_both_directions():
    layer = ours.Bidirectional(ours.LSTM(3, stateful=True, dtype="float64"))
    x = RNG.standard_normal((2, 4, 3))
    fresh = layer(x)
    assert np.max(np.abs(layer(x) - fresh)) > 1e-6
    layer.reset_state()
    np.testing.assert_array_equal(layer(x), fresh)


def test_initial_state_in_a_functional_model():
    """The encoder's states start the decoder, as symbolic tensors."""
    encoder = ours.LSTM(5, return_state=True)
    first, second = keras.Input((None, 3)), keras.Input((None, 2))
    _, *states = encoder(first)
    output = ours.LSTM(5, return_sequences=True)(second, initial_state=states)
    model = keras.Model([first, second], output)
    a, b, other = (RNG.standard_normal(s) for s in ((4, 6, 3), (4, 7, 2), (4, 6, 3)))
    assert model([a, b]).shape == (4, 7, 5)
    assert np.max(np.abs(model([a, b]) - model([other, b]))) > 1e-6


def test_compute_mask():
    mask = np.array([[True, True, False]])
    assert ours.GRU(2).compute_mask(None, mask) is None
    assert ours.GRU(2, return_sequences=True).compute_mask(None, mask) is mask
    kept = ours.LSTM(2, return_sequences=True, return_state=True).compute_mask(None, mask)
    assert kept[0] is mask and kept[1:] == [None, None]
    both = ours.Bidirectional(ours.GRU(2, return_sequences=True), None).compute_mask(None, mask)
    assert all(m is mask for m in both)


def test_outputs_computed_backwards_have_a_reversed_mask():
    mask = np.array([[True, True, False]])
    layer = ours.GRU(2, return_sequences=True, go_backwards=True)
    np.testing.assert_array_equal(layer.compute_mask(None, mask), mask[:, ::-1])


def test_graph_does_not_grow_with_steps():
    layer = ours.LSTM(3, return_sequences=True)
    sizes = set()
    for steps in (5, 500):
        function = tf.function(layer).get_concrete_function(tf.zeros((2, steps, 4)))
        sizes.add(len(function.graph.as_graph_def().node))
    assert len(sizes) == 1


# --- bad input: which argument, what came, what was expected ------------------------------------


def built():
    layer = ours.LSTM(3, return_sequences=True)
    layer(X)
    return layer


def stateful():
    layer = ours.GRU(3, stateful=True)
    layer(X)
    return layer


WRONG = {
    "no units": (lambda: ours.LSTM(0), r"`units` .*at least 1.*units=0"),
    "negative units": (lambda: ours.GRUCell(-2), r"`units` .*at least 1.*units=-2"),
    "units not whole": (lambda: ours.SimpleRNN(2.5), r"`units` must be an integer.*units=2\.5"),
    "unknown way to run": (
        lambda: ours.LSTM(3, fast="quick"),
        r"`fast` must be True, False or 'xla'.*fast='quick'",
    ),
    "rank 2": (lambda: ours.LSTM(3)(X[:, 0]), r"`sequences`.*\(batch, steps, width\).*\(8, 4\)"),
    "rank 4": (lambda: ours.LSTM(3)(X[None]), r"`sequences`.*\(batch, steps, width\).*\(1, 8, 6"),
    "rank after build": (lambda: built()(X[:, 0]), r"`sequences`.*steps, 4\).*\(8, 4\)"),
    "width": (lambda: built()(X[:, :, :2]), r"`sequences`.*steps, 4\).*\(8, 6, 2\)"),
    "mask too short": (
        lambda: built()(X, mask=np.ones((8, 5), bool)),
        r"`mask`.*\(8, 6, 4\).*\(8, 5\)",
    ),
    "mask of rank 1": (lambda: built()(X, mask=np.ones(8, bool)), r"`mask`.*\(8, 6, 4\).*\(8,\)"),
    "mask per feature": (
        lambda: built()(X, mask=np.ones((8, 6, 4), bool)),
        r"`mask`.*\(batch, steps, 1\).*\(8, 6, 4\)",
    ),
    "merge mode": (
        lambda: ours.Bidirectional(ours.LSTM(3), "max"),
        r"`merge_mode`.*'concat', 'sum', 'ave', 'mul', None.*'max'",
    ),
    "same direction": (
        lambda: ours.Bidirectional(ours.LSTM(3), backward_layer=ours.LSTM(3)),
        r"`layer` and `backward_layer`.*opposite.*go_backwards=False",
    ),
    "directions disagree": (
        lambda: ours.Bidirectional(
            ours.LSTM(3),
            backward_layer=ours.LSTM(3, go_backwards=True, return_sequences=True),
        ),
        r"agree on `return_sequences`.*False and True",
    ),
    "stateful batch": (lambda: stateful()(X[:5]), r"`sequences`.*batch size 8.*\(5, 6, 4\)"),
    "stateful, no batch size": (
        lambda: ours.GRU(3, stateful=True)(keras.Input((6, 4))),
        r"`stateful=True`.*`batch_size`.*\(None, 6, 4\)",
    ),
    "too few states": (
        lambda: built()(X, initial_state=[np.zeros((8, 3))]),
        r"`initial_state` must hold 2.*Received: 1",
    ),
    "odd states": (
        lambda: ours.Bidirectional(ours.GRU(3))(X, initial_state=[np.zeros((8, 3))] * 3),
        r"`initial_state`.*forward.*backward.*3 state",
    ),
    "state of another width": (
        lambda: built()(X, initial_state=[np.zeros((8, 2))] * 2),
        r"`initial_state`.*\(8, 3\).*\(8, 2\)",
    ),
    "no cells": (lambda: ours.StackedCells([]), r"`cells`.*at least one.*cells=\[\]"),
    "not a cell": (lambda: ours.StackedCells([K.Dense(3)]), r"`cells`.*state_size.*Dense"),
    "loop over a layer": (lambda: ours.Recurrent(K.Dense(3)), r"`cell`.*state_size.*Dense"),
    "direction around a layer": (
        lambda: ours.Bidirectional(K.Dense(3)),
        r"`layer` must be a recurrent layer.*Dense",
    ),
    "weights that do not fit": (
        lambda: ours.match(ours.GRU(3), K.GRU(4), (2, 3, 2)),
        r"`ours` must have the weight shapes.*\(2, 9\).*\(2, 12\)",
    ),
    "unrolling an unknown number of steps": (
        lambda: ours.GRU(3, unroll=True)(keras.Input((None, 4))),
        r"`unroll=True`.*`Input`.*\(None, None, 4\)",
    ),
    "ragged sequences": (
        lambda: ours.LSTM(3)(tf.ragged.constant([[[1.0]], [[2.0], [3.0]]], ragged_rank=1)),
        r"`sequences` must not be ragged.*to_tensor.*`mask`",
    ),
    "unknown width": (
        lambda: ours.LSTM(3)(keras.Input((6, None))),
        r"`sequences`.*known width.*\(None, 6, None\)",
    ),
    "dropout in per cent": (
        lambda: ours.LSTM(3, dropout=20),
        r"`dropout`.*fraction.*from 0 to 1.*dropout=20",
    ),
    "dropout as a text": (
        lambda: ours.LSTM(3, dropout="0.5"),
        r"`dropout`.*fraction.*from 0 to 1.*dropout='0\.5'",
    ),
    "negative recurrent_dropout": (
        lambda: ours.GRU(3, recurrent_dropout=-0.1),
        r"`recurrent_dropout`.*from 0 to 1.*-0\.1",
    ),
    "dropout of a cell is a flag": (
        lambda: ours.RNNCell(3, dropout=True),
        r"`dropout`.*fraction.*dropout=True",
    ),
    "unknown implementation": (
        lambda: ours.LSTM(3, implementation=3),
        r"`implementation` must be 1 or 2.*implementation=3",
    ),
    "cuDNN demanded": (
        lambda: ours.GRU(3, use_cudnn=True),
        r"`use_cudnn` must be 'auto' or False.*keras\.layers.*use_cudnn=True",
    ),
    "too many states": (
        lambda: ours.GRU(3)(X, initial_state=[np.zeros((8, 3))] * 2),
        r"`initial_state` must hold 1 state.*Received: 2",
    ),
    "states of another batch": (
        lambda: built()(X, initial_state=[np.zeros((7, 3))] * 2),
        r"`initial_state`.*\(8, 3\).*\(7, 3\)",
    ),
    "flat states for stacked cells": (
        lambda: ours.Recurrent([ours.LSTMCell(3), ours.GRUCell(3)])(
            X, initial_state=[np.zeros((8, 3))] * 3
        ),
        r"`initial_state` must hold 2 state\(s\).*\[\[3, 3\], 3\].*Received: 3",
    ),
    "one direction's states for both": (
        lambda: ours.Bidirectional(ours.GRU(3))(X, initial_state=[np.zeros((8, 3))]),
        r"`initial_state`.*forward.*backward.*1 state",
    ),
    "one direction's states to set for both": (
        lambda: ours.Bidirectional(ours.GRU(3)).reset_state([np.zeros((8, 3))]),
        r"`states`.*forward.*backward.*1 state",
    ),
    "states to set in a layer without memory": (
        lambda: ours.GRU(3).reset_state([np.zeros((8, 3))]),
        r"`states`.*`stateful=True`",
    ),
    "states to set of another width": (
        lambda: stateful().reset_state([np.zeros((8, 2))]),
        r"`states` must hold states of shape \(8, 3\).*\(8, 2\)",
    ),
    "first weights of one direction alone": (
        lambda: ours.Bidirectional(ours.GRU(3), weights=[np.zeros((4, 9))]).build((8, 6, 4)),
        r"weight list of length 1.*6 weights",
    ),
    "cells that are none": (
        lambda: ours.Recurrent([ours.GRUCell(3), K.Dense(3)]),
        r"`cells`.*state_size.*Dense",
    ),
    "no cells in a loop": (lambda: ours.Recurrent([]), r"`cells`.*at least one.*\[\]"),
    "a cell without mathematics": (
        lambda: ours.Recurrent(type("Empty", (ours.Cell,), {"gates": ("h",)})(3))(X),
        r"Empty must define step\(x, states\)",
    ),
    "units as text": (lambda: ours.GRU("3"), r"`units` must be an integer.*units='3'"),
    "units as a flag": (lambda: ours.LSTM(True), r"`units` must be an integer.*units=True"),
    "unknown activation": (lambda: ours.GRU(3, "tanhh"), "tanhh"),
    "unknown initialiser": (lambda: ours.GRU(3, kernel_initializer="onse"), "onse"),
    "mask of another batch": (
        lambda: built()(X, mask=np.ones((7, 6), bool)),
        r"`mask`.*\(8, 6, 4\).*\(7, 6\)",
    ),
    "a mask in two directions": (
        lambda: ours.Bidirectional(ours.GRU(3))(X, mask=np.ones((8, 5), bool)),
        r"`mask`.*\(8, 6, 4\).*\(8, 5\)",
    ),
    "match in an unknown mode": (
        lambda: ours.match(ours.GRU(3), K.GRU(3), (2, 3, 2), mode="fast"),
        r"`mode` must be one of \['eager', 'graph', 'xla'\].*mode='fast'",
    ),
    "match of unlike outputs": (
        lambda: ours.match(ours.GRU(3), K.GRU(3, return_state=True), (2, 3, 2)),
        r"`ours` and `theirs` give different things.*'state 1'",
    ),
    "typo in an option": (lambda: ours.LSTM(3, return_sequence=True), "return_sequence"),
}


if "ragged" in inspect.signature(keras.Input).parameters:
    WRONG["ragged input of a model"] = (
        lambda: ours.LSTM(3)(keras.Input((None, 4), ragged=True)),
        r"`sequences` must not be ragged.*to_tensor",
    )


@pytest.mark.parametrize("use", WRONG)
def test_wrong_use_names_argument_value_and_expectation(use):
    action, message = WRONG[use]
    kinds = ValueError, TypeError, NotImplementedError, AttributeError
    with pytest.raises(kinds, match=f"(?s){message}"):
        action()
