"""The fast run: both passes through time as the book derives them by hand, in place of the tape.

A word in brackets behind a line is the label of its equation: (lstm-memory) is in the chapter LSTM.
"""

import dataclasses
import functools
from typing import ClassVar

import keras
import numpy as np
import tensorflow as tf

from d2lutils.gru import GRUCell
from d2lutils.lstm import LSTMCell
from d2lutils.rnn import RNNCell

graph = functools.partial(tf.function, autograph=False)
PARTS = 2  # of a batch, each compiled to run on a core of its own from the first step to the last
# With more rows in a part than this times inputs and units, the gradients of one step's arguments
# are a larger array than those of the weights. Then these grow step by step, and none is kept.
MANY = 1


@dataclasses.dataclass(frozen=True)
class Run:
    """A cell over all steps and back, for some rows of a batch. A subclass has the equations:

    step      the input's projection (rows, g·h), states before, one function H -> H W_h + b for
              each block of columns -> states after, what the way back needs
    step_back what was saved, states before and after, gradients with respect to those after, one
              function A -> A W_h^T for each block -> gradients with respect to the arguments of the
              activations, to the states before
    collect   x, h before, what was saved, the gradients of the arguments, all (steps, rows, ...),
              and the kernel -> gradients with respect to x, kernel, recurrent kernel, bias; as it
              stands here, for a cell that adds one product of the state to one of the input

    Args:
        units: h.
        state_bias: whether the bias has a second row, for the state's projection.
        hoist: whether to project the input of all steps before the loop.
        halve: whether to multiply by two halves of a matrix, on a core each.
        add_up: whether to collect at each step, and to add, and not once after the loop.
    """

    saves: ClassVar = ()  # the widths, in units, of what is saved
    arguments: ClassVar = (1,)  # and of the gradients with respect to the arguments

    units: int
    state_bias: bool = False
    hoist: bool = True
    halve: bool = False
    add_up: bool = False

    def forward(self, x, mask, states, kernel, recurrent_kernel, bias=None):
        """x (rows, steps, d) -> each state at steps 0 … T (steps + 1, rows, h), what was saved."""
        x, mask = by_time(x), None if mask is None else reader(by_time(mask)[..., None])
        steps = tf.shape(x)[0]
        bias, bias_h = tf.unstack(bias) if self.state_bias else (bias, None)
        project = lambda x: add(tf.tensordot(x, kernel, 1), bias)
        a = reader(project(x) if self.hoist else x)
        biases = [None] * 2 if bias_h is None else self.columns(bias_h)
        products = [self.times(*one) for one in zip(self.columns(recurrent_kernel), biases)]
        history = self.arrays(x, steps + 1, [1] * len(states))
        history = [past.write(0, state) for past, state in zip(history, states)]

        def body(t, states, history, saved):
            a_t = a.read(t) if self.hoist else project(a.read(t))
            new, kept = self.step(a_t, states, *products)
            if mask is not None:
                new = [tf.where(mask.read(t), one, old) for one, old in zip(new, states)]
            return t + 1, new, write(history, t + 1, new), write(saved, t, kept)

        *_, history, saved = loop(body, steps, states, history, self.arrays(x, steps, self.saves))
        return [past.stack() for past in history], [kept.stack() for kept in saved]

    def backward(self, x, mask, history, saved, d_outputs, d_last, kernel, recurrent_kernel):
        """Gradients with respect to the first states, x, kernel, recurrent kernel, bias.

        d_outputs (rows, steps, h) and d_last (rows, h) are those of the outputs and last states.
        """
        x, mask = by_time(x), None if mask is None else reader(by_time(mask)[..., None])
        steps, d_out, x_at = tf.shape(x)[0], reader(by_time(d_outputs)), reader(x)
        past, kept = [reader(states) for states in history], [reader(one) for one in saved]
        products = [self.times(tf.transpose(W)) for W in self.columns(recurrent_kernel)]

        def body(k, d, found, sums):
            t = steps - 1 - k
            d = [d[0] + d_out.read(t), *d[1:]]
            before, after, own = read(past, t), read(past, t + 1), read(kept, t)
            new, now = self.step_back(own, before, after, d, *products)
            if mask is not None:  # a masked step has handed its states on
                new = [tf.where(mask.read(t), one, old) for one, old in zip(new, d)]
                now = [tf.where(mask.read(t), one, tf.zeros_like(one)) for one in now]
            if self.add_up:
                here = [x_at.read(t), before[0], own, now]
                d_x, *more = self.collect(*tf.nest.map_structure(lambda a: a[None], here), kernel)
                now, sums = [d_x[0]], [one + other for one, other in zip(sums, more)]
            return k + 1, new, write(found, t, now), sums

        if self.add_up:
            found = [tf.TensorArray(x.dtype, steps, element_shape=x.shape[1:])]
            sums = self.zeros_like_weights(kernel, recurrent_kernel)
        else:
            found, sums = self.arrays(x, steps, self.arguments), []
        _, d_first, found, sums = loop(body, steps, d_last, found, sums)
        found = [array.stack() for array in found]
        if not self.add_up:
            found = self.collect(x, history[0][:-1], saved, found, kernel)
        d_x, *d_weights = [*found, *sums]
        return d_first, by_time(d_x), *d_weights

    def collect(self, x, h, saved, d_a, kernel):
        (d_a,) = d_a
        d_kernel, d_recurrent, d_bias = products([x, h], d_a)  # (fast-weights)
        return times_T(d_a, kernel), d_kernel, d_recurrent, d_bias[0]

    def arrays(self, like, size, widths) -> list:
        return [
            tf.TensorArray(like.dtype, size, element_shape=(like.shape[1], width * self.units))
            for width in widths
        ]

    def zeros_like_weights(self, kernel, recurrent_kernel) -> list:
        bias = tf.zeros((2,) * self.state_bias + kernel.shape[1:], kernel.dtype)
        return [tf.zeros_like(kernel), tf.zeros_like(recurrent_kernel), bias]

    def columns(self, recurrent_kernel) -> list:
        """The recurrent kernel, cut where its columns are multiplied by different things."""
        return [recurrent_kernel]

    def times(self, W, bias=None):
        """H -> H W + b. A single row would keep a single core busy: two take half of W each."""
        if not self.halve or W.shape[1] % 2:
            return lambda h: add(h @ W, bias)
        halves = tf.stack(tf.split(W, 2, 1))
        both = lambda h: tf.reshape(tf.tile(h[None], (2, 1, 1)) @ halves, (-1, W.shape[1]))
        return lambda h: add(both(h), bias)


class RNNRun(Run):
    def step(self, a, states, times_W):
        h = tf.tanh(a + times_W(states[0]))  # (rnn-state)
        return [h], []

    def step_back(self, saved, before, after, d, times_W_T):
        d_a = d[0] * (1 - after[0] * after[0])  # (bptt-argument)
        return [times_W_T(d_a)], [d_a]  # (bptt-state)


class LSTMRun(Run):
    saves = arguments = (4,)

    def step(self, a, states, times_W):
        (h, c), k = states, self.scale(a.dtype)
        gates = k * tf.tanh(k * (a + times_W(h))) + (1 - k)  # (fast-gates)
        i, f, c_tilde, o = tf.split(gates, 4, 1)
        c = f * c + i * c_tilde  # (lstm-memory)
        h = o * tf.tanh(c)  # (lstm-hidden)
        return [h, c], [gates]

    def step_back(self, saved, before, after, d, times_W_T):
        (d_h, d_c), (_, c_before), (_, c) = d, before, after
        i, f, c_tilde, o = tf.split(saved[0], 4, 1)
        tanh_c = tf.tanh(c)
        d_c = d_c + d_h * o * (1 - tanh_c * tanh_c)  # (lstm-back-hidden)
        d_gates = tf.concat([d_c * c_tilde, d_c * c_before, d_c * i, d_h * tanh_c], 1)
        slope = (1 - saved[0]) * (saved[0] + (2 * self.scale(c.dtype) - 1))
        d_a = d_gates * slope  # (fast-slope)
        return [times_W_T(d_a), d_c * f], [d_a]  # (lstm-back-weights), (lstm-back-memory)

    def scale(self, dtype):
        return tf.constant(np.repeat([0.5, 0.5, 1, 0.5], self.units), dtype)  # i, f, c, o


class GRURun(Run):
    """The reset gate acts after the product, as in Keras and cuDNN."""

    saves, arguments = (2, 1, 1), (3, 1)

    def columns(self, recurrent_kernel):
        return tf.split(recurrent_kernel, [2 * self.units, self.units], -1)

    def step(self, a, states, times_W_zr, times_W_h):
        (h,), u = states, self.units
        zr = tf.sigmoid(a[:, : 2 * u] + times_W_zr(h))  # (gru-reset), (gru-update)
        z, r = tf.split(zr, 2, 1)
        p = times_W_h(h)
        h_tilde = tf.tanh(a[:, 2 * u :] + r * p)  # (fast-after)
        h = z * h + (1 - z) * h_tilde  # (gru-hidden)
        return [h], [zr, h_tilde, p]

    def step_back(self, saved, before, after, d, times_W_zr_T, times_W_h_T):
        (zr, h_tilde, p), (h,), (d_h,) = saved, before, d
        z, r = tf.split(zr, 2, 1)
        d_a_h = d_h * (1 - z) * (1 - h_tilde * h_tilde)  # (gru-back-gates)
        d_p = d_a_h * r  # (fast-after-back), to the end
        d_a_zr = tf.concat([d_h * (h - h_tilde), d_a_h * p], 1) * zr * (1 - zr)
        d_h = d_h * z + times_W_zr_T(d_a_zr) + times_W_h_T(d_p)
        return [d_h], [tf.concat([d_a_zr, d_a_h], 1), d_p]

    def collect(self, x, h, saved, d_a, kernel):
        d_a, d_p = d_a  # (gru-back-weights)
        d_kernel, d_recurrent, d_bias = products([x, h], d_a)
        d_W_h, d_b_p = products([h], d_p)  # in place of h's product with the last of d_a
        d_recurrent = tf.concat([self.columns(d_recurrent)[0], d_W_h], 1)
        if self.state_bias:
            d_bias = tf.concat([d_bias, tf.concat([self.columns(d_bias)[0], d_b_p], 1)], 0)
        else:
            d_bias = d_bias[0]
        return times_T(d_a, kernel), d_kernel, d_recurrent, d_bias


class ResetBeforeRun(Run):
    """The reset gate acts before the product, as in the paper."""

    saves, arguments = (2, 1), (3,)
    columns = GRURun.columns

    def step(self, a, states, times_W_zr, times_W_h):
        (h,), u = states, self.units
        zr = tf.sigmoid(a[:, : 2 * u] + times_W_zr(h))  # (gru-reset), (gru-update)
        z, r = tf.split(zr, 2, 1)
        h_tilde = tf.tanh(a[:, 2 * u :] + times_W_h(r * h))  # (gru-candidate)
        h = z * h + (1 - z) * h_tilde  # (gru-hidden)
        return [h], [zr, h_tilde]

    def step_back(self, saved, before, after, d, times_W_zr_T, times_W_h_T):
        (zr, h_tilde), (h,), (d_h,) = saved, before, d
        z, r = tf.split(zr, 2, 1)
        d_a_h = d_h * (1 - z) * (1 - h_tilde * h_tilde)  # (gru-back-gates), three lines
        m = times_W_h_T(d_a_h)
        d_a_zr = tf.concat([d_h * (h - h_tilde), m * h], 1) * zr * (1 - zr)
        d_h = d_h * z + m * r + times_W_zr_T(d_a_zr)  # (gru-back-state)
        return [d_h], [tf.concat([d_a_zr, d_a_h], 1)]

    def collect(self, x, h, saved, d_a, kernel):
        r, (d_a,) = saved[0][..., self.units :], d_a
        d_x, d_kernel, d_recurrent, d_bias = super().collect(x, h, saved, [d_a], kernel)
        d_W_h = products([r * h], self.columns(d_a)[1])[0]  # in place of h's (gru-back-weights)
        return d_x, d_kernel, tf.concat([self.columns(d_recurrent)[0], d_W_h], 1), d_bias


def times_T(d, W):
    """D W^T over all steps."""
    return tf.tensordot(d, tf.transpose(W), 1)


def products(factors: list, d):
    """Factor^T D for each factor and, last, for ones; all steps and rows in one product."""
    factors = [*factors, tf.ones_like(d[..., :1])]
    flat = lambda a: tf.reshape(a, (-1, a.shape[-1]))
    whole = tf.matmul(flat(tf.concat(factors, 2)), flat(d), transpose_a=True)
    return tf.split(whole, [factor.shape[-1] for factor in factors], 0)


def read(arrays: list, t) -> list:
    return [array.read(t) for array in arrays]


def write(arrays: list, t, values: list) -> list:
    return [array.write(t, value) for array, value in zip(arrays, values, strict=True)]


def add(a, bias):
    return a if bias is None else a + bias


def by_time(a):
    """(rows, steps, ...) -> (steps, rows, ...), and back."""
    return tf.transpose(a, (1, 0, *range(2, len(a.shape))))


def reader(a):
    return tf.TensorArray(a.dtype, tf.shape(a)[0], element_shape=a.shape[1:]).unstack(a)


def loop(body, steps, *carried):
    return tf.while_loop(lambda t, *_: t < steps, body, (0, *carried), maximum_iterations=steps)


# --- a batch in parts -----------------------------------------------------------------------------


def scan(cell, x, states, *, mask, backwards, keep_outputs, zero_output_for_mask, compiled):
    """As `d2lutils.recurrent.scan`, for a cell that `applies` accepts; x (batch, steps, d).

    With `compiled`, XLA compiles both passes when it first meets a shape.
    """
    if backwards:
        x, mask = tf.reverse(x, [1]), None if mask is None else tf.reverse(mask, [1])
    if mask is not None:
        mask = tf.reshape(tf.cast(mask, "bool"), tf.shape(x)[:2])
    outputs, *states = run(cell, x, mask, states, compiled)
    outputs.set_shape((x.shape[0], x.shape[1], cell.units))
    for state in states:
        state.set_shape((x.shape[0], cell.units))
    output = states[0]
    if mask is not None:  # there is no output before the first step that counts
        begun = tf.cumsum(tf.cast(mask, "int32"), 1) > 0
        shown = mask if zero_output_for_mask else begun
        outputs = tf.where(shown[..., None], outputs, tf.zeros_like(outputs))
        output = tf.where(tf.reduce_any(mask, 1)[:, None], output, tf.zeros_like(output))
    return output, outputs if keep_outputs else None, states


def applies(cell) -> bool:
    """Whether the equations here are those of the cell, and not those of a reader's own class."""
    gates = len(cell.gates) == 1 or cell.recurrent_activation is keras.activations.sigmoid
    return kind(cell) in RUNS and cell.activation is keras.activations.tanh and gates


def run(cell, x, mask, states: list, compiled: bool) -> list:
    """Outputs (batch, steps, h), last states; they have gradients, but no second ones."""
    weights = [cell.kernel, cell.recurrent_kernel, *([cell.bias] if cell.use_bias else [])]
    weights = [tf.convert_to_tensor(weight) for weight in weights]
    shapes = tuple(tuple(weight.shape) for weight in weights)
    (width, _), (units, _), *_ = shapes
    rows, count, masked = x.shape[0], len(states), mask is not None
    single = rows == 1
    parts = PARTS if compiled and not single else 1
    many = compiled and rows is not None and rows // parts > MANY * (width + units)
    how = {"hoist": not compiled or single, "halve": compiled and single, "add_up": many}
    one = RUNS[kind(cell)](units, cell.has_state_bias, **how)
    both = Passes(one, count, shapes, x.dtype, masked, parts, compiled)

    @tf.custom_gradient
    def outputs_and_states(*given):
        x, *rest = unwatched(*given)
        states, weights = rest[:count], rest[count:]
        outputs, last, kept = both.forward(x, mask, states, weights)

        @tf.custom_gradient
        def gradients(d_outputs, *others):
            d_outputs, *d_last = unwatched(d_outputs, *others[:count])
            d = both.backward(x, mask, kept, d_outputs, d_last, weights)
            return d, no_second_derivative

        # It does not need what was given; but a tape that watches that is to know of it.
        return (outputs, *last), lambda *d: gradients(*d, *given)

    return outputs_and_states(x, *states, *weights)


def unwatched(*tensors) -> list:
    """The same tensors; no tape records what is done with them."""
    return [tf.stop_gradient(tensor) for tensor in tensors]


def no_second_derivative(*_):
    raise NotImplementedError(
        "The fast run has first derivatives only: make the layer with `fast=False` for others."
    )


RUNS = {
    (RNNCell, None): RNNRun,
    (GRUCell, True): GRURun,
    (GRUCell, False): ResetBeforeRun,
    (LSTMCell, None): LSTMRun,
}


def kind(cell) -> tuple:
    return type(cell), getattr(cell, "reset_after", None)


@functools.cache
class Passes:
    """Both passes over a whole batch as graph functions, traced once for all batches and lengths.

    forward  x, mask, states, weights -> outputs, last states, what the way back needs
    backward x, mask, what was kept, gradients with respect to outputs and last states, weights
             -> gradients with respect to x, first states, weights, in one list
    """

    def __init__(self, run, states, shapes, dtype, masked, parts, compiled):
        part = lambda f: graph(f, jit_compile=True) if compiled else f
        self.run_forward, self.run_backward = part(run.forward), part(run.backward)
        spec = lambda *shape: tf.TensorSpec(shape, dtype)
        self.x = spec(None, None, shapes[0][0])
        self.mask = tf.TensorSpec((None, None), "bool") if masked else None
        self.outputs = spec(None, None, run.units)
        self.states = [spec(None, run.units)] * states
        self.weights, self.parts = [spec(*shape) for shape in shapes], parts

    @functools.cached_property
    def forward(self):
        def forward(x, mask, states, weights):
            ran = [self.run_forward(*part, *weights) for part in cut(self.parts, x, mask, states)]
            outputs = tf.concat([by_time(history[0][1:]) for history, _ in ran], 0)
            last = zip(*([states[-1] for states in history] for history, _ in ran))
            return outputs, [tf.concat(parts, 0) for parts in last], ran

        with tf.init_scope():
            return graph(forward).get_concrete_function(
                self.x, self.mask, self.states, self.weights
            )

    @functools.cached_property
    def backward(self):
        def backward(x, mask, kept, d_outputs, d_last, weights):
            parts = zip(cut(self.parts, x, mask, d_outputs, d_last), kept)
            d = [
                self.run_backward(x, mask, *kept, d_outputs, d_last, *weights[:2])
                for (x, mask, d_outputs, d_last), kept in parts
            ]
            d_first, d_x, *d_weights = zip(*d)
            d_first = [tf.concat(parts, 0) for parts in zip(*d_first)]
            d_weights = [tf.add_n(parts) for parts in d_weights[: len(weights)]]
            return [tf.concat(d_x, 0), *d_first, *d_weights]

        _, _, kept = self.forward.structured_outputs
        with tf.init_scope():
            return graph(backward).get_concrete_function(
                self.x, self.mask, kept, self.outputs, self.states, self.weights
            )


def cut(parts: int, *batch) -> list:
    """The rows of all tensors in `batch`, in so many parts that are as equal as can be."""
    if parts == 1:
        return [batch]
    rows = tf.shape(batch[0])[0]
    edges = [rows * k // parts for k in range(parts + 1)]
    part = lambda first, last: keras.tree.map_structure(
        lambda a: None if a is None else a[first:last], batch
    )
    return [part(*ends) for ends in zip(edges, edges[1:])]
