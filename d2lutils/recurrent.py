"""Recurrent: runs any cell over time. Masks, states, direction, and what is returned."""

from types import SimpleNamespace

import keras
import tensorflow as tf
from keras import ops, tree

from d2lutils import fast
from d2lutils.cell import Cell, as_list, call_cell, width_of, zero_states
from d2lutils.compose import StackedCells
from d2lutils.dropout import masks_of_one_run


class Recurrent(keras.layers.Layer):
    """Run a cell over the steps of a sequence, as `keras.layers.RNN` does.

    sequences (batch, steps, d) -> (batch, steps, h) with return_sequences, else the last output
    (batch, h); with return_state a tuple of that and the last states.

    In eager mode the loop is a plain Python loop; in a graph it is a graph loop, so that
    the graph does not grow with the number of steps, but with `unroll`.

    Args:
        cell: any cell that follows Keras' protocol, or a list of cells to stack; one of this
            book's has its input projected for all steps at once.
        return_sequences: return the output of every step, not of the last one alone.
        return_state: return the last states as well.
        go_backwards: take the steps from last to first; outputs stay in the order of computation.
        stateful: begin each batch with the states that the batch before left behind.
        unroll: write every step into the graph, which must then know their number.
        zero_output_for_mask: write zeros, not the output before, at masked steps.
        fast: by keyword only. True: run this book's cells by the passes of `d2lutils.fast`, derived
            by hand, where those apply: with tanh and sigmoid, no dropout, not unrolled. False:
            step by step, by the cell, and back by the tape. "xla": have XLA compile those passes,
            once for each shape.
        **kwargs: `name`, `dtype`, `trainable`, `activity_regularizer`. The dtype is the cell's
            where none is given.

    Call arguments:
        sequences: (batch, steps, d).
        initial_state: the first states, in the form of `cell.state_size` (a list, of lists for
            stacked cells); zeros by default.
        mask: (batch, steps) or (batch, steps, 1), true where a step counts. A masked step keeps
            the state and repeats the output before it (zeros before the first step that counts).
        training: handed to cells that ask for it.

    Raises:
        NotImplementedError: a second derivative where `fast` applies.
        ValueError: an unknown `fast`, ragged sequences or those of another rank or width, a mask of
            another shape, a wrong number of states, a stateful layer without a fixed batch size or
            with another one, `unroll` with an unknown number of steps.
    """

    def __init__(
        self,
        cell,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        **kwargs,
    ):
        fast = kwargs.pop("fast", True)
        if fast not in (True, False, "xla"):
            raise ValueError(f"`fast` must be True, False or 'xla'. Received: fast={fast!r}")
        if isinstance(cell, (list, tuple)):
            cell = StackedCells(cell)
        if not hasattr(cell, "state_size") or not hasattr(cell, "call"):
            raise ValueError(
                "`cell` must be a layer with `call(inputs, states)` and `state_size`. "
                f"Received: cell={cell!r}"
            )
        kwargs["dtype"] = kwargs.get("dtype") or cell.dtype_policy
        super().__init__(**kwargs)
        self.cell = cell
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.go_backwards = go_backwards
        self.stateful = stateful
        self.unroll = unroll
        self.zero_output_for_mask = zero_output_for_mask
        self.fast = fast
        self.supports_masking = True
        # Keras would count variables held directly as weights; states are not weights.
        self._memory = SimpleNamespace(states=None)

    # --- shapes ---------------------------------------------------------------------------

    def build(self, sequences_shape, initial_state_shape=None):
        if len(sequences_shape) != 3 or sequences_shape[-1] is None:
            raise ValueError(
                "`sequences` must have shape (batch, steps, width) with a known width. "
                f"Received: sequences.shape={tuple(sequences_shape)}"
            )
        self.width = sequences_shape[-1]
        if not self.cell.built:
            self.cell.build((sequences_shape[0], self.width))
            self.cell.built = True
        if self.stateful:
            if sequences_shape[0] is None:
                raise ValueError(
                    "`stateful=True` needs a fixed batch size: give the model's `Input` a "
                    f"`batch_size`. Received: sequences.shape={tuple(sequences_shape)}"
                )
            self._memory.states = tree.map_structure(
                lambda state: keras.Variable(
                    ops.cast(state, self.variable_dtype), trainable=False, dtype=self.variable_dtype
                ),
                self.get_initial_state(sequences_shape[0]),
            )
        self.built = True

    def compute_output_spec(self, sequences, *args, **kwargs):
        self.check(sequences)  # a symbolic call should not put off what it can know
        return super().compute_output_spec(sequences, *args, **kwargs)

    def compute_output_shape(self, sequences_shape, initial_state_shape=None):
        batch, steps = sequences_shape[:2]
        size = width_of(self.cell)
        output = (batch, steps, size) if self.return_sequences else (batch, size)
        if not self.return_state:
            return output
        shape = [(batch, s) if isinstance(s, int) else [(batch, n) for n in s] for s in self.sizes]
        return output, *shape

    def compute_mask(self, sequences, mask=None):
        if not self.return_sequences:
            mask = None
        elif mask is not None and self.go_backwards:
            mask = ops.flip(mask, axis=1)  # the outputs stand in the order of computation
        return [mask, *(None for _ in self.sizes)] if self.return_state else mask

    @property
    def sizes(self) -> list:
        """The cell's state_size as a list, one entry for each state."""
        return as_list(self.cell.state_size)

    # --- states ---------------------------------------------------------------------------

    def get_initial_state(self, batch_size: int) -> list:
        """Zeros, one entry for each state of the cell."""
        return as_list(zero_states(self.cell, batch_size))

    @property
    def states(self):
        """The states kept between batches: a list of variables, None unless stateful and built."""
        return self._memory.states

    def reset_state(self, states=None) -> None:
        """Set the kept states to zero, or to `states` (in the form of `initial_state`)."""
        kept = tree.flatten(self.states or [])
        if states is None:
            states = [ops.zeros_like(state) for state in kept]
        elif not kept:
            raise ValueError("`states` can be set in a layer with `stateful=True` that is built")
        else:
            states = self.checked("states", states, kept[0].shape[0])
        for state, value in zip(kept, tree.flatten(states)):
            state.assign(value)

    reset_states = reset_state

    def first_states(self, sequences, initial_state) -> list:
        if initial_state is not None:
            states = self.checked("initial_state", initial_state, sequences.shape[0])
        elif self.stateful:
            states = tree.map_structure(lambda state: state.value, self.states)
        else:
            states = self.get_initial_state(ops.shape(sequences)[0])
        return tree.map_structure(lambda state: ops.cast(state, self.cell.compute_dtype), states)

    def checked(self, name: str, states, batch: int | None) -> list:
        """The states as tensors in a list, if they have the number and the sizes of the cell's."""
        states = as_list(states)
        if len(states) != len(self.sizes) or len(tree.flatten(states)) != len(
            tree.flatten(self.sizes)
        ):
            raise ValueError(
                f"`{name}` must hold {len(self.sizes)} state(s) for {self.cell.name}, of sizes "
                f"{self.sizes}. Received: {len(states)}"
            )
        states = tree.map_structure(ops.convert_to_tensor, states)
        for state, size in zip(tree.flatten(states), tree.flatten(self.sizes)):
            got = tuple(state.shape)
            if len(got) != 2 or got[1] != size or None not in (got[0], batch) and got[0] != batch:
                raise ValueError(
                    f"`{name}` must hold states of shape {(batch, size)}. Received: {got}"
                )
        return states

    # --- the run --------------------------------------------------------------------------

    def call(self, sequences, initial_state=None, mask=None, training=False):
        self.check(sequences, mask)
        sequences = ops.cast(sequences, self.cell.compute_dtype)
        states = self.first_states(sequences, initial_state)
        run = self.fast_run if self.runs_fast(sequences, training) else self.run
        output, outputs, states = run(sequences, states, mask, training)
        if self.stateful:
            tree.map_structure(lambda kept, new: kept.assign(new), self.states, states)
        result = outputs if self.return_sequences else output
        result, states = tree.map_structure(
            lambda tensor: ops.cast(tensor, self.compute_dtype), (result, states)
        )
        return (result, *states) if self.return_state else result

    def run(self, sequences, states, mask, training) -> tuple:
        """Step by step -> last output, all outputs or None, last states."""
        step = lambda x, states: call_cell(self.cell, x, states, training)
        with masks_of_one_run(step, sequences, states, self.cell, training):
            if self.of_one_type:
                # One large product now, not a small one each step.
                self.cell.dropping = bool(training)
                sequences, step = self.cell.project_input(sequences), self.cell.step
            return scan(
                step,
                sequences,
                states,
                mask=mask,
                width=width_of(self.cell),
                backwards=self.go_backwards,
                unroll=self.unroll,
                keep_outputs=self.return_sequences,
                zero_output_for_mask=self.zero_output_for_mask,
            )

    def fast_run(self, sequences, states, mask, training) -> tuple:
        """The same numbers, by the passes derived by hand."""
        return fast.scan(
            self.cell,
            sequences,
            states,
            mask=mask,
            backwards=self.go_backwards,
            keep_outputs=self.return_sequences,
            zero_output_for_mask=self.zero_output_for_mask,
            compiled=self.fast == "xla",
        )

    def runs_fast(self, sequences, training) -> bool:
        if not self.fast or self.unroll or sequences.shape[1] == 0:
            return False
        if not self.of_one_type or not fast.applies(self.cell):
            return False
        return not (training and (self.cell.dropout or self.cell.recurrent_dropout))

    @property
    def of_one_type(self) -> bool:
        """Whether the cell is one of this book's, whose weights this layer's own call casts.

        A cell with a dtype of its own must be called, for it is the call that casts its weights.
        """
        return isinstance(self.cell, Cell) and self.cell.dtype_policy == self.dtype_policy

    def check(self, sequences, mask=None):
        if isinstance(sequences, tf.RaggedTensor) or getattr(sequences, "ragged", False):
            raise ValueError(
                "`sequences` must not be ragged: pad them, as `sequences.to_tensor()` does, and "
                "say with `mask` which steps count. Received: a ragged tensor"
            )
        shape = tuple(sequences.shape)
        if len(shape) != 3 or shape[-1] != self.width:
            raise ValueError(
                f"`sequences` must have shape (batch, steps, {self.width}), the width that this "
                f"layer was built for. Received: sequences.shape={shape}"
            )
        if self.unroll and shape[1] is None:
            raise ValueError(
                "`unroll=True` needs a known number of steps: give the model's `Input` a shape "
                f"(steps, width). Received: sequences.shape={shape}"
            )
        if self.stateful:
            batch = tree.flatten(self.states)[0].shape[0]
            if shape[0] is not None and shape[0] != batch:
                raise ValueError(
                    f"`sequences` must keep the batch size {batch} that this stateful layer was "
                    f"built for. Received: sequences.shape={shape}"
                )
        if mask is not None:
            got = tuple(mask.shape)
            known = all(a == b or None in (a, b) for a, b in zip(got, shape[:2], strict=False))
            if len(got) not in (2, 3) or not known or got[2:] not in ((), (1,)):
                raise ValueError(
                    "`mask` must have shape (batch, steps) or (batch, steps, 1) for "
                    f"sequences.shape={shape}. Received: mask.shape={got}"
                )

    # --- configuration --------------------------------------------------------------------

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "cell": keras.saving.serialize_keras_object(self.cell),
            "return_sequences": self.return_sequences,
            "return_state": self.return_state,
            "go_backwards": self.go_backwards,
            "stateful": self.stateful,
            "unroll": self.unroll,
            "zero_output_for_mask": self.zero_output_for_mask,
            "activity_regularizer": keras.regularizers.serialize(self.activity_regularizer),
            # Keras' layers, which can be made from this configuration too, do not know it.
            **({} if self.fast is True else {"fast": self.fast}),
        }

    @classmethod
    def from_config(cls, config: dict):
        cell = keras.saving.deserialize_keras_object(config.pop("cell"))
        return cls(cell, **config)


def scan(
    step, x, states, *, mask, width, backwards, unroll, keep_outputs, zero_output_for_mask
) -> tuple:
    """Take `step` over the second axis of `x` -> last output, all outputs or None, last states.

    x (batch, steps, ...), states a nest of (batch, ...), mask (batch, steps) or (batch, steps, 1).
    `width` is that of an output, which starts as zeros.
    """
    steps = x.shape[1] if x.shape[1] is not None else tf.shape(x)[1]
    output = tf.zeros((tf.shape(x)[0], width), tree.flatten(states)[0].dtype)
    if mask is not None:
        mask = tf.reshape(tf.cast(mask, "bool"), (tf.shape(x)[0], steps, 1))

    def advance(x_t, mask_t, output, states):
        """One step -> the output that is held, the output that is written, the states."""
        new_output, new_states = step(x_t, states)
        if mask is None:
            return new_output, new_output, new_states
        new_output, new_states = tree.map_structure(
            lambda new, old: tf.where(mask_t, new, old), (new_output, new_states), (output, states)
        )
        if not zero_output_for_mask:
            return new_output, new_output, new_states
        return new_output, tf.where(mask_t, new_output, tf.zeros_like(new_output)), new_states

    run = python_loop if unroll or tf.executing_eagerly() else graph_loop
    return run(advance, x, mask, output, states, steps, backwards, keep_outputs)


def python_loop(advance, x, mask, output, states, steps, backwards, keep_outputs):
    """A plain loop over the steps; in a graph it writes out each of them."""
    x = tf.unstack(x, axis=1)
    mask = [None] * steps if mask is None else tf.unstack(mask, axis=1)
    outputs = []
    for t in reversed(range(steps)) if backwards else range(steps):
        output, written, states = advance(x[t], mask[t], output, states)
        if keep_outputs:
            outputs.append(written)
    if not keep_outputs:
        return output, None, states
    empty = tf.zeros((tf.shape(output)[0], 0, output.shape[1]), output.dtype)
    return output, tf.stack(outputs, axis=1) if outputs else empty, states


def graph_loop(advance, x, mask, output, states, steps, backwards, keep_outputs):
    """The same loop as one node of the graph, whatever the number of steps."""
    x = over_time(x)
    mask = None if mask is None else over_time(mask)
    written = tf.TensorArray(output.dtype, steps if keep_outputs else 0, element_shape=output.shape)

    def body(k, output, written, states):
        t = steps - 1 - k if backwards else k
        output, now, states = advance(
            x.read(t), None if mask is None else mask.read(t), output, states
        )
        return k + 1, output, written.write(k, now) if keep_outputs else written, states

    _, output, written, states = tf.while_loop(
        lambda k, *_: k < steps,
        body,
        (tf.constant(0), output, written, states),
        maximum_iterations=steps,
    )
    if not keep_outputs:
        return output, None, states
    outputs = tf.transpose(written.stack(), (1, 0, 2))
    return output, tf.ensure_shape(outputs, (output.shape[0], x_steps(steps), None)), states


def over_time(x):
    """(batch, steps, ...) -> TensorArray of (batch, ...), one entry for each step."""
    x = tf.transpose(x, (1, 0, 2))
    return tf.TensorArray(x.dtype, tf.shape(x)[0], element_shape=x.shape[1:]).unstack(x)


def x_steps(steps):
    """The number of steps where it is known while the graph is built, else None."""
    return steps if isinstance(steps, int) else None
