"""Clipping: equal to what Keras' optimizers do, and what each way keeps."""

import keras
import numpy as np
import pytest

from d2lutils.clip import clip

KERAS = {"value": "clipvalue", "norm": "clipnorm", "global_norm": "global_clipnorm"}
SHAPES = (3, 4), (4, 4), (4,)


def gradients(scale, seed=0):
    rng = np.random.default_rng(seed)
    return [scale * rng.standard_normal(shape) for shape in SHAPES]


def by_keras(gradients, limit, by):
    """What an optimizer with learning rate 1 takes off weights that are zero."""
    weights = [keras.Variable(np.zeros_like(g), dtype="float64") for g in gradients]
    optimizer = keras.optimizers.SGD(1.0, **{KERAS[by]: limit})
    optimizer.apply([keras.ops.convert_to_tensor(g) for g in gradients], weights)
    return [-keras.ops.convert_to_numpy(weight) for weight in weights]


@pytest.mark.parametrize("by", KERAS)
@pytest.mark.parametrize("scale", [1e-3, 0.3, 1.0, 1e6])
@pytest.mark.parametrize("limit", [0.1, 1.0, 7.0])
def test_clip_is_what_keras_does(by, scale, limit):
    given = gradients(scale)
    for ours, theirs in zip(clip(given, limit, by), by_keras(given, limit, by), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


@pytest.mark.parametrize("by", KERAS)
def test_short_gradients_stay_as_they_are(by):
    given = gradients(1e-3)
    for ours, theirs in zip(clip(given, 1.0, by), given, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("by", KERAS)
def test_a_gradient_of_zeros_stays_zero(by):
    assert not np.any(clip([np.zeros(3), np.zeros((2, 2))], 1.0, by)[0])


def test_the_global_norm_is_at_most_the_limit_and_keeps_the_direction():
    given = gradients(50.0)
    clipped = clip(given, 2.0)
    flat, short = (np.concatenate([np.ravel(g) for g in gs]) for gs in (given, clipped))
    assert np.linalg.norm(short) == pytest.approx(2.0)
    np.testing.assert_allclose(short / 2.0, flat / np.linalg.norm(flat), rtol=1e-12)


@pytest.mark.parametrize("wrong", [{"by": "length"}, {"limit": 0}, {"limit": -1.0}])
def test_wrong_arguments_are_named(wrong):
    name = next(iter(wrong))
    with pytest.raises(ValueError, match=f"`{name}`.*Received: .*{name}={wrong[name]!r}"):
        clip(gradients(1.0), **({"limit": 1.0} | wrong))
