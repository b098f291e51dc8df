"""Drop-in replacements: the signatures of `keras.layers.SimpleRNN`, `GRU` and `LSTM`."""

from d2lutils.gru import GRUCell
from d2lutils.lstm import LSTMCell
from d2lutils.recurrent import Recurrent
from d2lutils.rnn import RNNCell

LOOP = {
    "return_sequences": False,
    "return_state": False,
    "go_backwards": False,
    "stateful": False,
    "zero_output_for_mask": False,
}


class DropIn(Recurrent):
    """A `Recurrent` that makes its own cell and has one flat configuration, as Keras' layers do.

    Options named in `LOOP` go to the loop, `name` to the layer, `dtype` and `trainable` to both,
    all others to the cell, whose signature they follow in names, order and defaults.
    """

    cell_class: type
    cell_name: str

    def __init__(self, units, *args, **options):
        loop = {name: options.pop(name, default) for name, default in LOOP.items()}
        both = {name: options.pop(name) for name in ("dtype", "trainable") if name in options}
        name = options.pop("name", None)
        cell = self.cell_class(units, *args, name=self.cell_name, **both, **options)
        super().__init__(cell, name=name, **both, **loop)

    @property
    def units(self) -> int:
        return self.cell.units

    def get_config(self) -> dict:
        config = super().get_config()
        cell = config.pop("cell")["config"]
        return {**{k: v for k, v in cell.items() if k not in config}, **config}

    @classmethod
    def from_config(cls, config: dict):
        return cls(**config)


class SimpleRNN(DropIn):
    """`keras.layers.SimpleRNN`, by `RNNCell` (Elman, 1990).

    SimpleRNN(units, activation="tanh", use_bias=True, kernel_initializer="glorot_uniform",
    recurrent_initializer="orthogonal", bias_initializer="zeros", return_sequences=False,
    return_state=False, go_backwards=False, stateful=False, zero_output_for_mask=False)

    (batch, steps, d) -> (batch, units), or as `Recurrent` says. Errors: those of `Recurrent`.
    """

    cell_class = RNNCell
    cell_name = "simple_rnn_cell"


class GRU(DropIn):
    """`keras.layers.GRU`, by `GRUCell` (Cho et al., 2014).

    GRU(units, activation="tanh", recurrent_activation="sigmoid", use_bias=True,
    kernel_initializer="glorot_uniform", recurrent_initializer="orthogonal",
    bias_initializer="zeros", return_sequences=False, return_state=False, go_backwards=False,
    stateful=False, reset_after=True, zero_output_for_mask=False)

    (batch, steps, d) -> (batch, units), or as `Recurrent` says. Errors: those of `Recurrent`.
    """

    cell_class = GRUCell
    cell_name = "gru_cell"


class LSTM(DropIn):
    """`keras.layers.LSTM`, by `LSTMCell` (Hochreiter & Schmidhuber, 1997).

    LSTM(units, activation="tanh", recurrent_activation="sigmoid", use_bias=True,
    kernel_initializer="glorot_uniform", recurrent_initializer="orthogonal",
    bias_initializer="zeros", unit_forget_bias=True, return_sequences=False, return_state=False,
    go_backwards=False, stateful=False, zero_output_for_mask=False)

    (batch, steps, d) -> (batch, units), or as `Recurrent` says. Errors: those of `Recurrent`.
    """

    cell_class = LSTMCell
    cell_name = "lstm_cell"
