"""What all cells share: weights in Keras' layout, biases, initialisers, two projections."""

import functools
import inspect

import keras
from keras import ops

from d2lutils.dropout import DropoutMasks, one_step, rate

SERIALIZERS = {
    "activation": keras.activations,
    "initializer": keras.initializers,
    "regularizer": keras.regularizers,
    "constraint": keras.constraints,
}


def positive(name: str, value: int) -> int:
    """Return `value` if it is an integer of at least 1; raise a ValueError naming `name` if not."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"`{name}` must be an integer of at least 1. Received: {name}={value!r}")
    return value


def as_list(states) -> list:
    """The states of a cell as a list; Keras' cells may hand out a bare tensor instead of a list."""
    return list(states) if isinstance(states, (list, tuple)) else [states]


def like_size(states, state_size):
    """The states in the form that `state_size` has: a bare tensor for an integer, else a list."""
    states = as_list(states)
    return states[0] if isinstance(state_size, int) else states


def width_of(cell) -> int:
    """The width of a cell's output: that of its first state, unless it says otherwise."""
    return getattr(cell, "output_size", None) or keras.tree.flatten(cell.state_size)[0]


def zero_states(cell, batch_size):
    """A cell's own first state, or zeros in the form of its `state_size`."""
    if hasattr(cell, "get_initial_state"):
        return cell.get_initial_state(batch_size=batch_size)
    return keras.tree.map_structure(
        lambda size: ops.zeros((batch_size, size), cell.compute_dtype), cell.state_size
    )


def call_cell(cell, inputs, states: list, training: bool):
    """Call any cell that follows Keras' protocol -> output, list of states."""
    options = {"training": training} if takes_training(type(cell)) else {}
    output, states = cell(inputs, states, **options)
    return output, as_list(states)


@functools.cache
def takes_training(cell_class: type) -> bool:
    return "training" in inspect.signature(cell_class.call).parameters


class Cell(keras.layers.Layer, DropoutMasks):
    """Base of the cells: one step of a recurrent network, with Keras' cell protocol.

    A subclass names its gates and its states and writes the mathematics of one step:

        gates  the blocks of columns of the kernels, in the order in which Keras stores them
        states the tensors (batch, units) handed from step to step; the first one is the output
        step   (projected input, states) -> output, states

    A step needs the input only through its product with the kernel. So `call` is split in two:
    `call(x, states) = step(project_input(x), states)`, and a loop may compute the first half
    for all its steps at once.

    Weights, with d inputs, h units and g gates (the layout of `keras.layers`):

        kernel           (d, g·h)
        recurrent_kernel (h, g·h)
        bias             (g·h,), or (2, g·h) where `state_bias` asks for a second row,
                         which is added to the projection of the state

    Args:
        units: positive integer h, the width of every state.
        activation: the function of the candidate and the output (phi in the book).
        recurrent_activation: the function of the gates (sigma in the book).
        use_bias: whether the projections add a bias.
        kernel_initializer, recurrent_initializer, bias_initializer: as in `keras.layers`.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: as in `keras.layers`.
        kernel_constraint, recurrent_constraint, bias_constraint: as in `keras.layers`.
        dropout: fraction of the input to drop in training, from 0 to 1.
        recurrent_dropout: fraction of the state to drop where it enters a projection. Each gate
            has then masks of its own, of the input as well.
        seed: of the dropout masks.
        implementation: 1 gives each gate its own mask of the input without recurrent_dropout
            too; 2 does not. (In Keras it also chooses between two ways to compute the same.)
        **kwargs: `name`, `dtype`, `trainable`, as for every Keras layer.

    Raises:
        ValueError: `units` is not a positive integer, a rate is not from 0 to 1, an unknown
            `implementation`.
    """

    gates: tuple[str, ...] = ()
    states: tuple[str, ...] = ("h",)
    state_bias = False
    dropping = False  # whether the projections apply their masks

    def __init__(
        self,
        units: int,
        activation="tanh",
        recurrent_activation="sigmoid",
        use_bias: bool = True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        kernel_regularizer=None,
        recurrent_regularizer=None,
        bias_regularizer=None,
        kernel_constraint=None,
        recurrent_constraint=None,
        bias_constraint=None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        implementation: int = 2,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.units = positive("units", units)
        self.activation = keras.activations.get(activation)
        self.recurrent_activation = keras.activations.get(recurrent_activation)
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.recurrent_initializer = keras.initializers.get(recurrent_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.recurrent_regularizer = keras.regularizers.get(recurrent_regularizer)
        self.bias_regularizer = keras.regularizers.get(bias_regularizer)
        self.kernel_constraint = keras.constraints.get(kernel_constraint)
        self.recurrent_constraint = keras.constraints.get(recurrent_constraint)
        self.bias_constraint = keras.constraints.get(bias_constraint)
        self.dropout = rate("dropout", dropout)
        self.recurrent_dropout = rate("recurrent_dropout", recurrent_dropout)
        if implementation not in (1, 2):
            raise ValueError(
                f"`implementation` must be 1 or 2. Received: implementation={implementation!r}"
            )
        self.implementation = implementation
        if len(self.gates) > 1 and (recurrent_dropout or implementation == 1):
            self.masks = len(self.gates)
        self.seed = seed
        drops = dropout or recurrent_dropout
        self.seed_generator = keras.random.SeedGenerator(seed) if drops else None

    @property
    def state_size(self) -> int | list[int]:
        """Keras' protocol: an integer for one state, a list for several."""
        return self.units if len(self.states) == 1 else [self.units] * len(self.states)

    @property
    def output_size(self) -> int:
        return self.units

    def build(self, input_shape):
        width = len(self.gates) * self.units
        self.kernel = self.add_weight(
            shape=(input_shape[-1], width),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            name="kernel",
        )
        self.recurrent_kernel = self.add_weight(
            shape=(self.units, width),
            initializer=self.recurrent_initializer,
            regularizer=self.recurrent_regularizer,
            constraint=self.recurrent_constraint,
            name="recurrent_kernel",
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                shape=(2, width) if self.state_bias else (width,),
                initializer=self.initial_bias,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
                name="bias",
            )
        self.built = True

    def initial_bias(self, shape, dtype=None):
        """Initial value of the bias; a cell with an opinion of its own overrides it."""
        return self.bias_initializer(shape, dtype=dtype)

    def project_input(self, x):
        """X W_x + b for all gates: (batch, d) or (batch, steps, d) -> (..., g·h)."""
        masks = None
        if self.dropping:
            masks = self.get_dropout_mask(x if len(x.shape) == 2 else one_step(x))
        bias = self.bias[0] if self.has_state_bias else self.bias
        return project(x, self.kernel, bias, masks)

    def project_state(self, h, *gates: str):
        """H W_h (and its own bias, where the cell has one): (batch, h) -> (batch, len(gates)·h).

        Without `gates`: for all of them. Else for the named ones, which must be neighbours.
        """
        kernel, bias = self.recurrent_kernel, self.bias[1] if self.has_state_bias else None
        masks = self.get_recurrent_dropout_mask(h) if self.dropping else None
        if gates:
            first = self.gates.index(gates[0])
            columns = slice(first * self.units, (first + len(gates)) * self.units)
            kernel, bias = kernel[:, columns], None if bias is None else bias[columns]
            masks = masks[first : first + len(gates)] if isinstance(masks, list) else masks
        return project(h, kernel, bias, masks)

    @property
    def has_state_bias(self) -> bool:
        return self.use_bias and self.state_bias

    def split(self, a):
        """Cut (batch, k·h) into k blocks (batch, h), one for each gate."""
        return ops.split(a, a.shape[-1] // self.units, axis=-1)

    def step(self, x, states):
        """One step: projected input (batch, g·h), list of states (batch, h) -> output, states."""
        raise NotImplementedError(f"{type(self).__name__} must define step(x, states)")

    def call(self, inputs, states, training=False):
        self.dropping = bool(training)
        return self.step(self.project_input(inputs), as_list(states))

    def get_initial_state(self, batch_size=None):
        """A list of zeros (batch, h), one for each state."""
        return [ops.zeros((batch_size, self.units), self.compute_dtype) for _ in self.states]

    def get_config(self) -> dict:
        config = super().get_config()
        for name in CONFIGURED:
            value, kind = getattr(self, name), name.rpartition("_")[2]
            config[name] = SERIALIZERS[kind].serialize(value) if kind in SERIALIZERS else value
        return config


CONFIGURED = list(inspect.signature(Cell).parameters)[:-1]  # every argument but **kwargs


def project(a, kernel, bias, masks=None):
    """A W + b, with A (batch, ..., n) dropped by one mask (batch, n) or by one for each gate."""
    product = ops.matmul if len(a.shape) == 2 else ops.dot
    drop = lambda mask: a * (mask if len(a.shape) == 2 else mask[:, None])
    if masks is None:
        projected = product(a, kernel)
    elif isinstance(masks, list):
        blocks = ops.split(kernel, len(masks), axis=-1)
        each = [product(drop(mask), block) for mask, block in zip(masks, blocks)]
        projected = ops.concatenate(each, axis=-1)
    else:
        projected = product(drop(masks), kernel)
    return projected if bias is None else projected + bias
