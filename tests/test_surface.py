"""The surface of `keras.layers`, option by option: what a program that uses Keras' layers needs."""

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as K
from packaging.version import Version

import d2lutils as ours
from d2lutils import match

KINDS = ["SimpleRNN", "GRU", "LSTM"]
RNG = np.random.default_rng(0)
X = RNG.standard_normal((3, 5, 2))
F64 = {"dtype": "float64"}
NEWEST = pytest.mark.skipif(
    Version(keras.__version__) < Version("3.15"),
    reason="the surface is that of Keras 3.15; older ones have less",
)


def both(kind: str, *args, **options):
    """Our layer and Keras', with the same random weights."""
    mine, theirs = (getattr(home, kind)(*args, **options) for home in (ours, K))
    mine.build(X.shape), theirs.build(X.shape)
    theirs.set_weights([RNG.standard_normal(w.shape) / 2 for w in theirs.get_weights()])
    mine.set_weights(theirs.get_weights())
    return mine, theirs


def parameters(function) -> list:
    return [(p.name, p.default) for p in inspect.signature(function).parameters.values()]


# --- names, order, defaults -------------------------------------------------------------------


@NEWEST
@pytest.mark.parametrize("name", [*KINDS, "Bidirectional"])
def test_arguments_have_keras_names_order_and_defaults(name):
    mine, theirs = getattr(ours, name), getattr(K, name)
    assert parameters(mine.__init__) == parameters(theirs.__init__)
    names = lambda function: list(inspect.signature(function).parameters)
    for method in ("call", "build", "compute_output_shape"):
        assert names(getattr(mine, method)) == names(getattr(theirs, method))


@NEWEST
def test_loop_and_stack_take_what_keras_rnn_and_stack_take():
    assert parameters(ours.Recurrent.__init__) == parameters(K.RNN.__init__)
    assert parameters(ours.StackedCells.__init__) == parameters(K.StackedRNNCells.__init__)


@NEWEST
@pytest.mark.parametrize("name", ["RNNCell", "GRUCell", "LSTMCell"])
def test_cells_take_keras_options_by_name(name):
    theirs = getattr(K, "SimpleRNNCell" if name == "RNNCell" else name)
    options = dict(parameters(theirs.__init__)[2:-1])  # without self, units and **kwargs
    config = getattr(ours, name)(3).get_config()
    defaults = theirs(3).get_config()
    assert {k: config[k] for k in options} == {k: defaults[k] for k in options}


@pytest.mark.parametrize("kind", KINDS)
def test_options_are_attributes_of_the_layer(kind):
    mine, theirs = both(kind, 4, dropout=0.25, kernel_regularizer="l2")
    for name in theirs.get_config().keys() - {"name", "seed"}:
        ours_, other = getattr(mine, name), getattr(theirs, name)
        assert type(ours_) is type(other)
        if isinstance(other, (bool, int, float, str)):
            assert ours_ == other
    with pytest.raises(AttributeError, match="'colour'"):
        mine.colour  # noqa: B018


@pytest.mark.parametrize("kind", ["GRU", "LSTM"])
def test_implementation_details_are_accepted_or_refused_with_a_reason(kind):
    for cudnn in ("auto", False):
        layer = getattr(ours, kind)(3, use_cudnn=cudnn, implementation=1)
    assert layer.cell.implementation == 1
    with pytest.raises(ValueError, match="`use_cudnn`.*step by step.*use_cudnn=True"):
        getattr(ours, kind)(3, use_cudnn=True)


# --- a model trained with one is the model trained with the other ------------------------------

EVERYTHING = {
    "dropout": 0.3,
    "recurrent_dropout": 0.2,
    "kernel_regularizer": "l1",
    "recurrent_regularizer": "l2",
    "bias_regularizer": "l2",
    "kernel_constraint": keras.constraints.MaxNorm(0.8),
    "recurrent_constraint": "unit_norm",
    "bias_constraint": "non_neg",
}


@pytest.fixture
def in_float64():
    """Keras adds penalties up in its default type."""
    before = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx("float64"), keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx(before[0]), keras.config.set_dtype_policy(before[1])


def trained(home, kind: str, options: dict, x, y):
    """Layers, Dense and all, begin with what the global seed gives them, and train."""
    keras.utils.set_random_seed(7)
    layer = getattr(home, kind)
    first = layer(4, return_sequences=True, **options)
    layers = [home.Bidirectional(first), layer(3, **options), K.Dense(1)]
    model = keras.Sequential([keras.Input(x.shape[1:]), *layers])
    if kind == "SimpleRNN":  # where Keras asks for the masks' seed before those of the weights
        model.set_weights([np.cos(np.arange(w.size).reshape(w.shape)) for w in model.get_weights()])
    model.compile("adam", "mse")
    losses = model.fit(x, y, batch_size=8, epochs=3, verbose=0).history["loss"]
    return model, losses


@pytest.mark.parametrize(
    "options", [{}, pytest.param(EVERYTHING, marks=NEWEST)], ids=["plain", "everything"]
)
@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_training(kind, options, in_float64):
    """Fresh weights, dropout masks, penalties and constraints included."""
    if kind == "SimpleRNN" and options:  # whose seed Keras loses in a copy
        options = options | {"dropout": 0.0, "recurrent_dropout": 0.0}
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((24, 6, 3)), rng.standard_normal((24, 1))
    (mine, losses), (theirs, expected) = (trained(home, kind, options, x, y) for home in (ours, K))
    np.testing.assert_allclose(losses, expected, rtol=1e-10)
    for a, b in zip(mine.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-10)
    assert len({*losses}) == 3, "weights must move"


@pytest.mark.parametrize("kind", ["GRU", "LSTM"])
def test_activity_regularizer_is_keras(kind):
    mine, theirs = both(kind, 4, activity_regularizer="l2", return_state=True, **F64)
    mine(X), theirs(X)
    np.testing.assert_allclose(mine.losses, theirs.losses, rtol=1e-12)
    assert mine.losses and float(mine.losses[0]) > 0


# --- dropout ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_masks_are_constant_in_time_and_new_for_each_call(kind):
    """An RNN without memory shows its input's mask: the same inputs, the same outputs."""
    layer = getattr(ours, kind)(50, dropout=0.5, return_sequences=True, seed=1, **F64)
    layer.build((None, None, 40))
    zero = np.zeros_like(layer.cell.recurrent_kernel)
    kernel, _, bias = layer.get_weights()
    layer.set_weights([kernel, zero, bias])
    if kind == "SimpleRNN":
        y = layer(np.ones((2, 6, 40)), training=True).numpy()
        np.testing.assert_allclose(y, np.repeat(y[:, :1], 6, axis=1), rtol=1e-12)
        assert np.max(np.abs(y[0] - y[1])) > 1e-3, "each row has a mask of its own"
    a, b = (layer(np.ones((2, 6, 40)), training=True).numpy() for _ in range(2))
    assert np.max(np.abs(a - b)) > 1e-3
    np.testing.assert_array_equal(*(layer(np.ones((2, 6, 40))) for _ in range(2)))


def test_masks_keep_the_mean_and_have_the_rate():
    cell = ours.LSTMCell(200, dropout=0.3, seed=0)
    mask = cell.get_dropout_mask(tf.ones((500, 40))).numpy()
    assert set(np.unique(mask)) == {0, np.float32(1 / 0.7)}
    share = (mask == 0).mean()  # of 20,000 draws: five standard errors are 0.016
    assert abs(share - 0.3) < 0.02


@NEWEST
@pytest.mark.parametrize("gates", [{}, {"recurrent_dropout": 0.5}, {"implementation": 1}])
def test_gates_share_a_mask_or_have_one_each_as_in_keras(gates):
    mine, theirs = ours.LSTMCell(3, dropout=0.5, **gates), K.LSTMCell(3, dropout=0.5, **gates)
    forms = [cell.get_dropout_mask(tf.ones((2, 4))) for cell in (mine, theirs)]
    assert np.shape(forms[0]) == np.shape(forms[1]) == ((4, 2, 4) if gates else (2, 4))


@pytest.mark.parametrize("home", [ours.Recurrent, K.RNN], ids=["ours", "Keras"])
def test_any_loop_keeps_and_renews_the_masks_of_any_cell(home):
    """Wrapped in something of a reader's own, and stacked, too."""

    class Residual(keras.layers.Layer):
        def __init__(self, cell):
            super().__init__(dtype=cell.dtype_policy)
            self.cell, self.state_size, self.output_size = cell, cell.state_size, cell.output_size

        def build(self, input_shape):
            self.cell.build(input_shape)

        def call(self, x, states, training=False):
            y, states = self.cell(x, states, training=training)
            return x + y, states

    options = {"dropout": 0.5, "recurrent_dropout": 0.5, "seed": 3, **F64}
    cells = [ours.GRUCell(2, **options), K.GRUCell(2, **options)]
    if home is ours.Recurrent:  # Keras' loop looks into its own stacks alone
        cells += [ours.StackedCells([ours.LSTMCell(2, **options), K.LSTMCell(2, **options)])]
        cells += [Residual(ours.GRUCell(2, **options)), Residual(K.SimpleRNNCell(2, **options))]
    for cell in cells:
        layer = home(cell, return_sequences=True, **F64)
        layer(X)
        graph = tf.function(lambda: layer(X, training=True))  # noqa: B023
        first, second = graph().numpy(), graph().numpy()
        assert np.max(np.abs(first - second)) > 1e-3, cell
        assert np.max(np.abs(first - layer(X).numpy())) > 1e-3, cell


# --- unrolled ---------------------------------------------------------------------------------


def test_unrolling_writes_every_step_into_the_graph():
    layer = ours.GRU(3, unroll=True)
    count = lambda steps: len(
        tf.function(layer).get_concrete_function(tf.zeros((2, steps, 4))).graph.as_graph_def().node
    )
    assert count(9) - count(8) == count(6) - count(5) > 0
    assert "While" not in {
        node.op
        for node in tf.function(layer)
        .get_concrete_function(tf.zeros((2, 5, 4)))
        .graph.as_graph_def()
        .node
    }


# --- cells of a reader's own, nested states ----------------------------------------------------


class Minimal(keras.layers.Layer):
    """As little as Keras asks of a cell: no output_size, no get_initial_state, no training."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1] + self.units, self.units), name="k")

    def call(self, x, states):
        h = tf.tanh(tf.concat([x, states[0]], -1) @ self.kernel)
        return h, [h]


def test_a_cell_with_as_little_as_keras_asks_for():
    options = {"return_sequences": True, "return_state": True, **F64}
    match(ours.Recurrent(Minimal(3, **F64), **options), K.RNN(Minimal(3, **F64), **options), X)
    stack = lambda: [Minimal(3, **F64), Minimal(4, **F64)]
    match(
        ours.Recurrent(stack(), **options), K.RNN(K.StackedRNNCells(stack(), **F64), **options), X
    )


def test_nested_states_come_in_and_go_out_in_the_same_form():
    cells = [ours.LSTMCell(3, **F64), ours.GRUCell(4, **F64)]
    layer = ours.Recurrent(cells, return_state=True)
    assert layer.compute_output_shape((None, None, 2)) == ((None, 4), [(None, 3)] * 2, (None, 4))
    _, (h, c), other = layer(X)
    assert h.shape == c.shape == (3, 3) and other.shape == (3, 4)
    once = layer(np.concatenate([X, X], 1))
    again = layer(X, initial_state=[[h, c], other])
    for a, b in zip(keras.tree.flatten(once), keras.tree.flatten(again)):
        np.testing.assert_allclose(a, b, rtol=1e-10)
    stateful = ours.Recurrent([ours.LSTMCell(3), ours.GRUCell(4)], stateful=True)
    stateful(X), stateful.reset_state()
    assert all(not np.any(state) for state in keras.tree.flatten(stateful.states))


# --- states by hand ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["reset_state", "reset_states"])
def test_states_can_be_set(name):
    layer = ours.LSTM(4, stateful=True, **F64)
    h, c = RNG.standard_normal((2, 3, 4))
    fresh = layer(X)
    getattr(layer, name)([h, c])
    np.testing.assert_array_equal(layer(X), layer(X, initial_state=[h, c]))
    getattr(layer, name)()
    np.testing.assert_array_equal(layer(X), fresh)


def test_states_of_both_directions_can_be_set():
    layer = ours.Bidirectional(ours.GRU(4, stateful=True, return_state=True, **F64))
    layer(X)
    states = list(RNG.standard_normal((2, 3, 4)))
    layer.reset_state(states)
    for state, value in zip(layer.states, states, strict=True):
        np.testing.assert_array_equal(state, value)
    y = layer(X)
    for a, b in zip(y, layer(X, initial_state=states)):
        np.testing.assert_array_equal(a, b)
    for kept, state in zip(layer.states, y[1:], strict=True):
        np.testing.assert_array_equal(kept, state)


def test_a_layer_without_memory_has_no_states_to_show_or_reset():
    for layer in (ours.GRU(3), ours.Bidirectional(ours.GRU(3))):
        layer(X)
        layer.reset_state()
        assert layer.states is None


# --- Bidirectional ----------------------------------------------------------------------------


def test_weights_of_both_directions_can_be_given():
    donor = K.Bidirectional(K.GRU(3, **F64), **F64)
    donor(X)
    donor.set_weights([RNG.standard_normal(w.shape) for w in donor.get_weights()])
    layer = ours.Bidirectional(ours.GRU(3, **F64), weights=donor.get_weights())
    np.testing.assert_allclose(layer(X), donor(X), rtol=1e-12)
    layer.set_weights([w * 0 for w in layer.get_weights()])
    layer.build(X.shape)
    assert not np.any(layer(X)), "they are the first weights, not the weights for ever"


def test_the_wrapper_has_the_dtype_of_its_layer_or_its_own():
    assert ours.Bidirectional(ours.GRU(3, **F64))(X).dtype == "float64"
    assert ours.Bidirectional(ours.GRU(3, **F64), dtype="float32")(X).dtype == "float32"
    assert ours.Recurrent(ours.GRUCell(3, **F64))(X).dtype == "float64"
    assert ours.Recurrent([ours.GRUCell(3, **F64)], dtype="float32")(X).dtype == "float32"


# --- files ------------------------------------------------------------------------------------


def functional(home, kind: str):
    ids = keras.Input((None,), dtype="int32")
    x = K.Embedding(9, 3, mask_zero=True)(ids)
    x = home.Bidirectional(getattr(home, kind)(4, return_sequences=True, dropout=0.1))(x)
    return keras.Model(ids, K.Dense(1)(getattr(home, kind)(3)(x)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("direction", ["from Keras", "to Keras"])
def test_a_weights_file_of_one_is_a_weights_file_of_the_other(kind, direction, tmp_path):
    homes = (K, ours) if direction == "from Keras" else (ours, K)
    source, target = (functional(home, kind) for home in homes)
    ids = np.array([[3, 1, 4, 1, 0], [5, 2, 0, 0, 0]])
    source.save_weights(tmp_path / "model.weights.h5")
    target.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_allclose(source(ids), target(ids), rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_model_keeps_every_option(kind, tmp_path):
    options = EVERYTHING | {"seed": 5, "activity_regularizer": "l1", "unroll": True}
    layer = ours.Bidirectional(getattr(ours, kind)(4, **options), "sum")
    model = keras.Sequential([keras.Input((5, 2), dtype="float64"), layer])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for direction in ("forward_layer", "backward_layer"):
        copy, first = (getattr(one, direction) for one in (loaded.layers[0], layer))
        assert copy.get_config() == first.get_config()
    np.testing.assert_array_equal(loaded(X), model(X))
    np.testing.assert_array_equal(loaded(X, training=True), model(X, training=True))


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("kind", KINDS)
def test_training_in_mixed_precision(kind, policy):
    """Weights stay in float32 and learn; states too, between batches."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((64, 7, 3)).astype("float32")
    y = x.mean((1, 2))[:, None]
    keras.utils.set_random_seed(0)
    layer = getattr(ours, kind)(8, dtype=policy, dropout=0.1, stateful=True)
    model = keras.Sequential([keras.Input((7, 3), batch_size=16), layer, K.Dense(1)])
    model.compile(keras.optimizers.Adam(0.03), "mse")
    losses = model.fit(x, y, batch_size=16, epochs=20, verbose=0, shuffle=False).history["loss"]
    assert losses[-1] < losses[0] / 2
    assert {w.dtype for w in [*layer.weights, *layer.states]} == {"float32"}
    assert layer(x[:16]).dtype == policy.removeprefix("mixed_")


# --- what is not a number --------------------------------------------------------------------


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_a_number_goes_where_it_goes_in_keras(kind, value):
    """What saturates a gate stays finite; a masked step keeps all of it out of the outputs."""
    for options in ({}, {"activation": "linear"}, {"go_backwards": True}):
        mine, theirs = both(kind, 4, return_sequences=True, return_state=True, **options, **F64)
        x = X.copy()
        x[0, 2, 1] = value
        for mask in (None, np.array([[1, 1, 0, 1, 1]] * 3, bool)):
            a, b = (keras.tree.flatten(layer(x, mask=mask)) for layer in (mine, theirs))
            for one, other in zip(a, b, strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12, equal_nan=True)
            if np.isnan(value):
                assert np.isfinite(a[0]).all() == (mask is not None)
