"""What all cells share: weights in Keras' layout, biases, initialisers, two projections."""

import functools
import inspect

import keras
from keras import ops


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


def call_cell(cell, inputs, states: list, training: bool):
    """Call any cell that follows Keras' protocol -> output, list of states."""
    options = {"training": training} if takes_training(type(cell)) else {}
    output, states = cell(inputs, states, **options)
    return output, as_list(states)


@functools.cache
def takes_training(cell_class: type) -> bool:
    return "training" in inspect.signature(cell_class.call).parameters


class Cell(keras.layers.Layer):
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
        **kwargs: `name`, `dtype`, `trainable`, as for every Keras layer.

    Raises:
        ValueError: `units` is not a positive integer.
    """

    gates: tuple[str, ...] = ()
    states: tuple[str, ...] = ("h",)
    state_bias = False

    def __init__(
        self,
        units: int,
        activation="tanh",
        recurrent_activation="sigmoid",
        use_bias: bool = True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
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
            shape=(input_shape[-1], width), initializer=self.kernel_initializer, name="kernel"
        )
        self.recurrent_kernel = self.add_weight(
            shape=(self.units, width),
            initializer=self.recurrent_initializer,
            name="recurrent_kernel",
        )
        self.bias = None
        if self.use_bias:
            shape = (2, width) if self.state_bias else (width,)
            self.bias = self.add_weight(shape=shape, initializer=self.initial_bias, name="bias")
        self.built = True

    def initial_bias(self, shape, dtype=None):
        """Initial value of the bias; a cell with an opinion of its own overrides it."""
        return self.bias_initializer(shape, dtype=dtype)

    def project_input(self, x):
        """X W_x + b for all gates: (..., d) -> (..., g·h)."""
        projected = ops.dot(x, self.kernel)
        if self.bias is None:
            return projected
        return projected + (self.bias[0] if self.state_bias else self.bias)

    @property
    def has_state_bias(self) -> bool:
        return self.use_bias and self.state_bias

    def project_state(self, h, *gates: str):
        """H W_h (and its own bias, where the cell has one): (batch, h) -> (batch, len(gates)·h).

        Without `gates`: for all of them. Else for the named ones, which must be neighbours.
        """
        kernel, bias = self.recurrent_kernel, self.bias[1] if self.has_state_bias else None
        if gates:
            first = self.gates.index(gates[0])
            columns = slice(first * self.units, (first + len(gates)) * self.units)
            kernel, bias = kernel[:, columns], None if bias is None else bias[columns]
        projected = ops.matmul(h, kernel)
        return projected if bias is None else projected + bias

    def split(self, a):
        """Cut (batch, k·h) into k blocks (batch, h), one for each gate."""
        return ops.split(a, a.shape[-1] // self.units, axis=-1)

    def step(self, x, states):
        """One step: projected input (batch, g·h), list of states (batch, h) -> output, states."""
        raise NotImplementedError(f"{type(self).__name__} must define step(x, states)")

    def call(self, inputs, states, training=False):
        return self.step(self.project_input(inputs), as_list(states))

    def get_initial_state(self, batch_size=None):
        """A list of zeros (batch, h), one for each state."""
        return [ops.zeros((batch_size, self.units), self.compute_dtype) for _ in self.states]

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "units": self.units,
            "activation": keras.activations.serialize(self.activation),
            "recurrent_activation": keras.activations.serialize(self.recurrent_activation),
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "recurrent_initializer": keras.initializers.serialize(self.recurrent_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
        }
