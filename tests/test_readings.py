"""The tagger of readings: which side each kind sees, and that training repeats itself."""

import keras
import numpy as np
import pytest

from d2lutils import Bidirectional, LSTMCell, Recurrent
from d2lutils.data.pinyin import Readings, pinyin_readings
from d2lutils.readings import (
    Reversed,
    score,
    stored_figures,
    tagger,
    train_tagger,
    trained_parameters,
)


@pytest.fixture(scope="module")
def few() -> Readings:
    """Every twentieth phrase: enough to train on for a moment."""
    whole = pinyin_readings()
    parts = {
        name: dict(list(getattr(whole, name).items())[::20])
        for name in ("train", "validation", "held_out")
    }
    return Readings(**parts)


def one(**options):
    return Recurrent(LSTMCell(6), return_sequences=True, **options)


@pytest.mark.parametrize(
    ("layer", "past", "future"),
    [
        (one(), True, False),
        (Reversed(one(go_backwards=True)), False, True),
        (Bidirectional(one()), True, True),
    ],
)
def test_each_kind_sees_its_own_sides(few, layer, past, future):
    model = tagger(layer, few)
    x = few.encode(few.train)[0]
    x = x[(x > 1).all(1)][:4]
    before, after = x.copy(), x.copy()
    before[:, 0], after[:, 3] = 1, 1
    middle = keras.ops.convert_to_numpy(model(x))[:, 1:3]
    for changed, seen in ((before, past), (after, future)):
        moved = keras.ops.convert_to_numpy(model(changed))[:, 1:3] - middle
        assert bool(np.abs(moved).max() > 0) == seen


def test_training_repeats_itself(few):
    first, second = (train_tagger(one, few, seed=3) for _ in range(2))
    assert score(first, few, few.validation) == score(second, few, few.validation)


def test_the_stored_figures_are_of_equal_parameters():
    figures = stored_figures()
    for split, kinds in (
        ("strict", ("forward", "backward", "both")),
        ("alike", ("forward", "both")),
    ):
        counts = [figures[split][kind]["parameters"] for kind in kinds]
        assert max(counts) / min(counts) < 1.005
        assert {len(figures[split][kind]["held_out accuracy"]) for kind in kinds} == {5}


def test_trained_parameters_counts_what_training_may_change(few):
    model = tagger(one(), few)
    width, (size, classes) = 32, few.log_prior.shape
    layer = 4 * 6 * (width + 6 + 1)
    assert trained_parameters(model) == size * width + layer + (6 + 1) * classes
