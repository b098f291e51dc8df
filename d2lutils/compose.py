"""Cells around cells: depth is an object around a cell, not a flag inside it."""

import keras

from d2lutils.cell import as_list, call_cell, like_size, width_of, zero_states


class StackedCells(keras.layers.Layer):
    """Several cells as one: the output of each is the input of the next, all at the same step.

    x (batch, d), one entry of states for each cell -> output of the last cell, new states.

    Args:
        cells: a non-empty list of cells (this book's or Keras').
        **kwargs: `name`, `dtype`, `trainable`. The dtype is the first cell's where none is given.

    Raises:
        ValueError: `cells` is empty or holds something that is not a cell.
    """

    def __init__(self, cells, **kwargs):
        if not cells:
            raise ValueError(f"`cells` must hold at least one cell. Received: cells={cells!r}")
        for cell in cells:
            if not hasattr(cell, "state_size") or not hasattr(cell, "call"):
                raise ValueError(
                    "`cells` must hold cells, layers with `call(inputs, states)` and `state_size`. "
                    f"Received: {cell!r}"
                )
        kwargs["dtype"] = kwargs.get("dtype") or cells[0].dtype_policy
        super().__init__(**kwargs)
        self.cells = list(cells)

    @property
    def state_size(self) -> list:
        return [cell.state_size for cell in self.cells]

    @property
    def output_size(self) -> int:
        return width_of(self.cells[-1])

    def build(self, input_shape):
        for cell in self.cells:
            if not cell.built:
                cell.build(input_shape)
            input_shape = (input_shape[0], width_of(cell))
        self.built = True

    def call(self, inputs, states, training=False):
        new_states = []
        for cell, state in zip(self.cells, states, strict=True):
            inputs, state = call_cell(cell, inputs, as_list(state), training)
            new_states.append(like_size(state, cell.state_size))
        return inputs, new_states

    def get_initial_state(self, batch_size=None) -> list:
        return [like_size(zero_states(cell, batch_size), cell.state_size) for cell in self.cells]

    def get_config(self) -> dict:
        cells = [keras.saving.serialize_keras_object(cell) for cell in self.cells]
        return {**super().get_config(), "cells": cells}

    @classmethod
    def from_config(cls, config: dict):
        cells = [keras.saving.deserialize_keras_object(cell) for cell in config.pop("cells")]
        return cls(cells, **config)
