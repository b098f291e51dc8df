"""The switching series: what its description says, and what the best reader of it can know."""

import numpy as np
import pytest

from d2lutils.data.regimes import best_reader, regimes

SETTINGS = {"drift": 0.6, "stay": 0.99, "swing": (0.8, -0.64), "noise": 1.0}


def test_same_seed_same_series():
    first, second = regimes(3, 50, seed=4), regimes(3, 50, seed=4)
    for name in ("returns", "bull", "fast"):
        assert np.array_equal(getattr(first, name), getattr(second, name))
        assert getattr(first, name).shape == (3, 50)


@pytest.mark.parametrize("other", [{"part": "held_out"}, {"seed": 5}])
def test_parts_and_seeds_share_no_series(other):
    ours = regimes(20, 50, seed=4).returns
    theirs = regimes(20, 50, **{"seed": 4, **other}).returns
    assert np.abs(ours[:, None] - theirs[None]).max(-1).min() > 0.5
    assert np.abs(np.corrcoef(ours.ravel(), theirs.ravel())[0, 1]) < 0.15


def test_returns_are_drift_and_fast_movement():
    data = regimes(50, 80, drift=0.7)
    level = np.where(data.bull, 0.7, -0.7)
    assert np.allclose(data.returns, level + data.fast, atol=1e-6)


@pytest.mark.parametrize("stay", [0.9, 0.98])
def test_regimes_last_as_long_as_said(stay):
    bull = regimes(400, 250, stay=stay).bull
    kept = (bull[:, 1:] == bull[:, :-1]).mean()
    assert abs(kept - stay) < 0.003
    assert abs(bull.mean() - 0.5) < 0.06
    assert abs(bull[:, 0].mean() - 0.5) < 0.1  # no regime is favoured at the start


def test_fast_movement_follows_its_equation_from_the_first_step():
    u = regimes(4000, 40).fast.astype("float64")
    shocks = u[:, 2:] - 0.8 * u[:, 1:-1] + 0.64 * u[:, :-2]
    assert abs(shocks.std() - 1) < 0.02
    assert abs((shocks[:, 1:] * shocks[:, :-1]).mean()) < 0.02
    variance = 1.64 / (0.36 * (1.64**2 - 0.8**2))  # of a stationary autoregression of order two
    assert abs(u[:, 0].var() / variance - 1) < 0.1
    assert abs(u[:, -1].var() / variance - 1) < 0.1


def by_enumeration(r, drift, stay, swing, noise):
    """Bayes' rule over every sequence of regimes up to t + 1 -> P(bull at t), E[r at t + 1]."""
    steps = len(r)
    total = bull = ahead = 0.0
    for number in range(2 ** (steps + 1)):
        s = np.array([number >> k & 1 for k in range(steps + 1)])
        prior = 0.5 * np.prod(np.where(s[1:] == s[:-1], stay, 1 - stay))
        level = drift * (2 * s - 1)
        u = r - level[:-1]
        shocks = u[2:] - swing[0] * u[1:-1] - swing[1] * u[:-2]
        weight = prior * np.exp(-0.5 * np.sum((shocks / noise) ** 2))
        total, bull = total + weight, bull + weight * s[-2]
        ahead += weight * (level[-1] + swing[0] * u[-1] + swing[1] * u[-2])
    return bull / total, ahead / total


@pytest.mark.parametrize(
    "settings",
    [SETTINGS, {"drift": 1.0, "stay": 0.7, "swing": (0.5, 0.2), "noise": 0.8}],
)
def test_best_reader_equals_enumeration(settings):
    r = regimes(3, 8, seed=2, **settings).returns.astype("float64")
    bull, expected = best_reader(r, **settings)
    for row in range(3):
        for t in range(1, 8):
            probability, ahead = by_enumeration(r[row, : t + 1], **settings)
            assert abs(bull[row, t] - probability) < 1e-10
            assert abs(expected[row, t] - ahead) < 1e-10


def test_best_reader_beats_every_window():
    learn, held_out = regimes(300, 120, "train"), regimes(300, 120, "held_out")

    def windows(data):
        r = data.returns.astype("float64")
        return np.stack([r[:, 20 - j : -1 - j] for j in range(12)], -1).reshape(-1, 12)

    target = held_out.returns[:, 21:].ravel()
    fit = np.linalg.lstsq(windows(learn), learn.returns[:, 21:].ravel(), rcond=None)[0]
    linear = np.mean((target - windows(held_out) @ fit) ** 2)
    bull, expected = best_reader(held_out.returns)
    best = np.mean((target - expected[:, 20:-1].ravel()) ** 2)
    assert 1.0 < best < linear < held_out.returns.var()
    right = ((bull > 0.5) == held_out.bull)[:, 20:].mean()
    guess = ((held_out.returns > 0) == held_out.bull)[:, 20:].mean()
    assert right > guess + 0.15


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        ({"part": "test"}, "part"),
        ({"series": 0}, "series"),
        ({"steps": 0}, "steps"),
        ({"stay": 1.0}, "stay"),
        ({"swing": (1.5, 0.2)}, "swing"),
    ],
)
def test_bad_input_is_named(bad, named):
    with pytest.raises(ValueError, match=f"`{named}`"):
        regimes(**{"series": 2, "steps": 5, **bad})
