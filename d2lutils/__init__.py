"""The layers, data and helpers of *Recurrent Networks by Hand · 手推循环神经网络*."""

import keras

from d2lutils.bidirectional import Bidirectional
from d2lutils.cell import Cell
from d2lutils.compose import StackedCells
from d2lutils.gru import GRUCell
from d2lutils.layers import GRU, LSTM, SimpleRNN
from d2lutils.lstm import LSTMCell
from d2lutils.match import match
from d2lutils.recurrent import Recurrent
from d2lutils.rnn import RNNCell

LAYERS = (
    RNNCell,
    GRUCell,
    LSTMCell,
    StackedCells,
    Recurrent,
    Bidirectional,
    SimpleRNN,
    GRU,
    LSTM,
)

# Registered here and not at the classes: a chapter that quotes a class must not replace the
# library's own when a model is loaded.
for layer in LAYERS:
    keras.saving.register_keras_serializable(package="d2lutils")(layer)

__all__ = [layer.__name__ for layer in LAYERS] + ["Cell", "match"]
