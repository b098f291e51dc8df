"""Cells around cells: depth is an object around a cell, not a flag inside it."""

import keras

from d2lutils.cell import as_list, call_cell, like_size


class StackedCells(keras.layers.Layer):
    """Several cells as one: the output of each is the input of the next, all at the same step.

    x (batch, d), one entry of states for each cell -> output of the last cell, new states.

    Args:
        cells: a non-empty list of cells (this book's or Keras').

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
        kwargs.setdefault("dtype", cells[0].dtype_policy)
        super().__init__(**kwargs)
        self.cells = list(cells)

    @property
    def state_size(self) -> list:
        return [cell.state_size for cell in self.cells]

    @property
    def output_size(self) -> int:
        return self.cells[-1].output_size

    def build(self, input_shape):
        for cell in self.cells:
            if not cell.built:
                cell.build(input_shape)
            input_shape = (input_shape[0], cell.output_size)
        self.built = True

    def call(self, inputs, states, training=False):
        new_states = []
        for cell, state in zip(self.cells, states, strict=True):
            inputs, state = call_cell(cell, inputs, as_list(state), training)
            new_states.append(like_size(state, cell.state_size))
        return inputs, new_states

    def get_initial_state(self, batch_size=None) -> list:
        return [
            like_size(cell.get_initial_state(batch_size=batch_size), cell.state_size)
            for cell in self.cells
        ]

    def get_config(self) -> dict:
        cells = [keras.saving.serialize_keras_object(cell) for cell in self.cells]
        return {**super().get_config(), "cells": cells}

    @classmethod
    def from_config(cls, config: dict):
        cells = [keras.saving.deserialize_keras_object(cell) for cell in config.pop("cells")]
        return cls(cells, **config)
