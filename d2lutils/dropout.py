"""Dropout inside a cell: masks drawn once for a sequence, the same at all of its steps."""

from contextlib import contextmanager

import keras
from keras import ops

# keras.layers.RNN asks exactly the cells of this class for their masks before its loop.
from keras.src.layers.rnn.dropout_rnn_cell import DropoutRNNCell


def rate(name: str, value: float) -> float:
    """Return `value` if it is a number from 0 to 1; raise a ValueError naming `name` if not."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise ValueError(
            f"`{name}` must be the fraction to drop, from 0 to 1. Received: {name}={value!r}"
        )
    return value


class DropoutMasks(DropoutRNNCell):
    """Two kinds of masks (Gal & Ghahramani, 2016), with the methods that Keras' loops know.

    A mask is drawn when it is first asked for and kept until it is reset. With a dropout rate p,
    its entries are 0 with probability p and 1 / (1 - p) otherwise, so that the mean stays.

    A cell sets `dropout` and `recurrent_dropout` (the rates, of input and state), `seed_generator`,
    and `masks`: None for one mask that all gates share, or how many to draw, one for each gate.
    """

    masks: int | None = None
    input_mask = state_mask = None

    def get_dropout_mask(self, x):
        """Mask or list of masks (batch, d) for the input; None without dropout."""
        if self.input_mask is None and self.dropout:
            self.input_mask = self.draw(x, self.dropout)
        return self.input_mask

    def get_recurrent_dropout_mask(self, h):
        """Mask or list of masks (batch, h) for the state; None without recurrent_dropout."""
        if self.state_mask is None and self.recurrent_dropout:
            self.state_mask = self.draw(h, self.recurrent_dropout)
        return self.state_mask

    def draw(self, a, rate):
        ones = ops.ones_like(a)
        if rate == 1:
            one = lambda: ops.zeros_like(a)
        else:
            one = lambda: keras.random.dropout(ones, rate, seed=self.seed_generator)
        return one() if self.masks is None else [one() for _ in range(self.masks)]

    def reset_dropout_mask(self):
        self.input_mask = None

    def reset_recurrent_dropout_mask(self):
        self.state_mask = None


def one_step(x):
    """Zeros in the form of a step of `x` (batch, steps, d), which may have none: (batch, d)."""
    return ops.zeros((ops.shape(x)[0], x.shape[-1]), x.dtype)


@contextmanager
def masks_of_one_run(step, x, states, cell, training):
    """For the time of one loop: every cell inside `cell` draws its masks now and forgets them then.

    They must be drawn outside the loop. A step whose result nobody uses makes any cell draw its
    own, whatever it is wrapped in.
    """
    inside = [layer for layer in cell._flatten_layers() if isinstance(layer, DropoutRNNCell)]
    try:
        if training and any(layer.dropout or layer.recurrent_dropout for layer in inside):
            step(one_step(x), states)
        yield
    finally:
        for layer in inside:
            layer.reset_dropout_mask()
            layer.reset_recurrent_dropout_mask()
