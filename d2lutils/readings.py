"""The tagger that chooses a reading for each Chinese character: its training and its score."""

from pathlib import Path

import keras
import numpy as np
from keras import ops

from d2lutils.data.pinyin import LONGEST, Phrases, Readings
from d2lutils.data.stored import read_figures
from d2lutils.train import fit

FIGURES = Path(__file__).parent / "weights" / "readings.json"
EPOCHS = 6  # at most; which of them is kept, the validation part decides


def tagger(recurrent, readings: Readings, width: int = 32) -> keras.Model:
    """Characters (batch, 4) -> one score for each reading (batch, 4, classes).

    The scores are the log-probabilities of a character's readings, as counted, plus what the layer
    `recurrent` makes of the characters around. Dropout hides whole characters, and single numbers.
    """
    x = keras.Input((LONGEST,), dtype="int32")
    size, classes = readings.log_prior.shape
    characters = keras.layers.Embedding(size, width, mask_zero=True)(x)
    characters = keras.layers.Dropout(0.2, noise_shape=(None, LONGEST, 1))(characters)
    context = recurrent(keras.layers.Dropout(0.5)(characters))
    scores = keras.layers.Dense(classes)(keras.layers.Dropout(0.5)(context))
    prior = keras.layers.Embedding(size, classes, weights=[readings.log_prior], trainable=False)
    return keras.Model(x, scores + prior(x))


def train_tagger(make_layer, readings: Readings, seed: int = 0, build=tagger) -> keras.Model:
    """Build and train a tagger; `make_layer()` gives its recurrent layer -> the model.

    Of all epochs the one is kept whose cross-entropy on the validation part is lowest, so that
    each kind of layer is trained for as long as is good for it.
    """
    keras.utils.set_random_seed(seed)
    model = build(make_layer(), readings)
    optimizer = keras.optimizers.Adam(8e-3, use_ema=True, ema_momentum=0.98)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss)
    train, lowest, best = readings.encode(readings.train), float("inf"), model.get_weights()
    for epoch in range(EPOCHS):
        fit(model, train, batch_size=256, seed=100 * seed + epoch)
        bits = score(model, readings, readings.validation)[1]
        if bits < lowest:
            lowest, best = bits, model.get_weights()
    model.set_weights(best)
    return model


def score(model, readings: Readings, phrases: Phrases) -> tuple[float, float]:
    """On the characters with several readings: accuracy, and cross-entropy in bits for each."""
    x, y, weights = readings.encode(phrases)
    log_p = ops.convert_to_numpy(ops.log_softmax(model(x)))
    given = np.take_along_axis(log_p, y[..., None], axis=-1)[..., 0]
    right = log_p.argmax(-1) == y
    return float(right[weights > 0].mean()), float(-given[weights > 0].mean() / np.log(2))


def trained_parameters(model: keras.Model) -> int:
    """The number of parameters that training may change."""
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


class Reversed(keras.layers.Layer):
    """A recurrent layer that reads from the end, its outputs turned round to the input's order."""

    def __init__(self, layer, **options):
        super().__init__(**options)
        self.layer = layer
        self.supports_masking = True

    def build(self, shape):
        self.layer.build(shape)
        self.built = True

    def call(self, sequences, mask=None):
        return ops.flip(self.layer(sequences, mask=mask), axis=1)


def stored_figures() -> dict:
    """What `models/readings.py` measured: split -> kind -> accuracies, one for each seed."""
    return read_figures(FIGURES)
