"""Drop-in replacements: the signatures of `keras.layers.SimpleRNN`, `GRU` and `LSTM`."""

import keras

from d2lutils.gru import GRUCell
from d2lutils.lstm import LSTMCell
from d2lutils.recurrent import Recurrent
from d2lutils.rnn import RNNCell

LOOP = (
    "return_sequences",
    "return_state",
    "go_backwards",
    "stateful",
    "unroll",
    "zero_output_for_mask",
    "activity_regularizer",
    "fast",
)


class DropIn(Recurrent):
    """A `Recurrent` that makes its own cell and has one flat configuration, as Keras' layers do.

    Options named in `LOOP` go to the loop, `name` to the layer, `dtype` and `trainable` to both,
    all others to the cell. The cell's options are attributes of the layer too: `layer.units`.
    """

    cell_class: type
    cell_name: str

    def __init__(self, given: dict):
        """`given`: the arguments of a subclass by name, as `locals()` has them."""
        options = {k: v for k, v in given.items() if k not in ("self", "__class__", "kwargs")}
        options |= given["kwargs"]
        if (cudnn := options.pop("use_cudnn", "auto")) not in ("auto", False):
            raise ValueError(
                "`use_cudnn` must be 'auto' or False: this layer is computed step by step, and "
                f"`keras.layers` has the kernel of cuDNN. Received: use_cudnn={cudnn!r}"
            )
        loop = {name: options.pop(name) for name in LOOP if name in options}
        both = {name: options.pop(name) for name in ("dtype", "trainable") if name in options}
        name = options.pop("name", None)
        cell = self.cell_class(name=self.cell_name, **both, **options)
        if cell.seed_generator is None:
            # Keras' layers have one in any case. So one global seed gives theirs and ours the same
            # weights, layer after layer.
            cell.seed_generator = keras.random.SeedGenerator(cell.seed)
        super().__init__(cell, name=name, **both, **loop)

    def __getattr__(self, name: str):
        if not name.startswith("_") and name != "cell" and name in self.cell.get_config():
            return getattr(self.cell, name)
        raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}")

    def get_config(self) -> dict:
        config = super().get_config()
        cell = config.pop("cell")["config"]
        return {**{k: v for k, v in cell.items() if k not in config}, **config}

    @classmethod
    def from_config(cls, config: dict):
        return cls(**config)


class SimpleRNN(DropIn):
    """`keras.layers.SimpleRNN`, by `RNNCell` (Elman, 1990).

    sequences (batch, steps, d) -> (batch, units), or as `Recurrent` says. The first arguments are
    those of the cell, the others those of `Recurrent`. Errors: those of both.
    """

    cell_class = RNNCell
    cell_name = "simple_rnn_cell"

    def __init__(
        self,
        units,
        activation="tanh",
        use_bias=True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        kernel_regularizer=None,
        recurrent_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        recurrent_constraint=None,
        bias_constraint=None,
        dropout=0.0,
        recurrent_dropout=0.0,
        return_sequences=False,
        return_state=False,
        go_backwards=False,
        stateful=False,
        unroll=False,
        seed=None,
        **kwargs,
    ):
        super().__init__(locals())


class GRU(DropIn):
    """`keras.layers.GRU`, by `GRUCell` (Cho et al., 2014).

    sequences (batch, steps, d) -> (batch, units), or as `Recurrent` says. The first arguments are
    those of the cell, the others those of `Recurrent`; `use_cudnn` changes nothing. Errors: those
    of both.
    """

    cell_class = GRUCell
    cell_name = "gru_cell"

    def __init__(
        self,
        units,
        activation="tanh",
        recurrent_activation="sigmoid",
        use_bias=True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        kernel_regularizer=None,
        recurrent_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        recurrent_constraint=None,
        bias_constraint=None,
        dropout=0.0,
        recurrent_dropout=0.0,
        seed=None,
        return_sequences=False,
        return_state=False,
        go_backwards=False,
        stateful=False,
        unroll=False,
        reset_after=True,
        use_cudnn="auto",
        **kwargs,
    ):
        super().__init__(locals())


class LSTM(DropIn):
    """`keras.layers.LSTM`, by `LSTMCell` (Hochreiter & Schmidhuber, 1997).

    sequences (batch, steps, d) -> (batch, units), or as `Recurrent` says. The first arguments are
    those of the cell, the others those of `Recurrent`; `use_cudnn` changes nothing. Errors: those
    of both.
    """

    cell_class = LSTMCell
    cell_name = "lstm_cell"

    def __init__(
        self,
        units,
        activation="tanh",
        recurrent_activation="sigmoid",
        use_bias=True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        unit_forget_bias=True,
        kernel_regularizer=None,
        recurrent_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        recurrent_constraint=None,
        bias_constraint=None,
        dropout=0.0,
        recurrent_dropout=0.0,
        seed=None,
        return_sequences=False,
        return_state=False,
        go_backwards=False,
        stateful=False,
        unroll=False,
        use_cudnn="auto",
        **kwargs,
    ):
        super().__init__(locals())
