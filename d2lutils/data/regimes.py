"""A series that switches between a bull and a bear market, with fast movements on top.

Source   drawn by the generator below, a switching autoregression (Hamilton, 1989)
Licence  MIT, as the book's code
Size     as many series of as many steps as are asked for
Split    training and held-out series come from different streams of one seed
"""

from dataclasses import dataclass

import numpy as np

STREAMS = {"train": 0, "held_out": 1}


@dataclass(frozen=True)
class Regimes:
    """Series side by side, every array (series, steps).

    returns: what is seen, the change of the log price at each step, float32.
    bull: whether the hidden regime is a bull market, bool. It changes rarely.
    fast: the return without the regime's drift, float32. It swings within a few steps.
    """

    returns: np.ndarray
    bull: np.ndarray
    fast: np.ndarray


def regimes(
    series: int,
    steps: int,
    part: str = "train",
    seed: int = 0,
    *,
    drift: float = 0.6,
    stay: float = 0.99,
    swing: tuple[float, float] = (0.8, -0.64),
    noise: float = 1.0,
) -> Regimes:
    """Draw series r_t = ±drift + u_t,  u_t = swing[0] u_{t-1} + swing[1] u_{t-2} + noise · e_t.

    The sign is the regime's: plus in a bull market, minus in a bear market, kept from one step to
    the next with probability `stay`. With the defaults a regime lasts 100 steps on average, and
    the fast movement u swings with a period of 6 steps, damped by 0.8 a step; the drift is
    less than two fifths of a return's standard deviation, so no single step betrays the regime.

    Args:
        series, steps: how many series, how long.
        part: "train" or "held_out", streams of chance that have no draw in common.
        seed: of both streams.
        drift, stay, swing, noise: see above; `stay` strictly between 0 and 1.

    Raises:
        ValueError: an unknown part, a number of series or steps below 1, a `stay` outside (0, 1),
            noise that is not positive, or a swing that would grow for ever.
    """
    if part not in STREAMS:
        raise ValueError(f"`part` must be one of {list(STREAMS)}. Received: part={part!r}")
    for name, value in (("series", series), ("steps", steps)):
        if value < 1:
            raise ValueError(f"`{name}` must be at least 1. Received: {name}={value}")
    check(stay, swing, noise)
    chance = np.random.default_rng([seed, STREAMS[part]])
    first = chance.random((series, 1)) < 0.5
    switches = chance.random((series, steps - 1)) >= stay
    bull = np.concatenate([first, switches], axis=1).cumsum(axis=1) % 2 == 1

    before = settle(swing)
    shocks = noise * chance.standard_normal((series, before + steps))
    fast = np.zeros((series, before + steps + 2))  # two zeros, then the steps to forget, then ours
    for t in range(before + steps):
        fast[:, t + 2] = swing[0] * fast[:, t + 1] + swing[1] * fast[:, t] + shocks[:, t]
    fast = fast[:, -steps:]
    returns = np.where(bull, drift, -drift) + fast
    return Regimes(returns.astype("float32"), bull, fast.astype("float32"))


def best_reader(
    returns: np.ndarray,
    *,
    drift: float = 0.6,
    stay: float = 0.99,
    swing: tuple[float, float] = (0.8, -0.64),
    noise: float = 1.0,
) -> tuple[np.ndarray, np.ndarray]:
    """What can be known at best of series whose parameters are given: Hamilton's filter (1989).

    returns (series, steps) -> two arrays (series, steps): the probability of a bull market at t,
    and the expected return at t + 1, both given the returns up to t. No reader of the past can
    have a smaller mean squared error. The first two returns are taken as given, not explained.

    The filter follows the regimes of three steps in a row, eight triples, by Bayes' rule.

    Raises:
        ValueError: returns of another rank, or parameters that `regimes` refuses.
    """
    check(stay, swing, noise)
    returns = np.asarray(returns, "float64")
    if returns.ndim != 2:
        raise ValueError(
            f"`returns` must have shape (series, steps). Received: shape {returns.shape}"
        )
    triples = np.array([(i, j, k) for i in (0, 1) for j in (0, 1) for k in (0, 1)])  # t-2, t-1, t
    levels = drift * (2 * triples - 1)
    offset = levels @ [-swing[1], -swing[0], 1.0]  # mean of r_t - swing · (r_{t-1}, r_{t-2})
    follows = (triples[:, None, 1:] == triples[None, :, :2]).all(axis=2)
    same = triples[:, None, 2] == triples[None, :, 2]
    move = np.where(follows, np.where(same, stay, 1 - stay), 0.0)

    kept = np.where(triples[:, :2] == triples[:, 1:], stay, 1 - stay).prod(axis=1) / 2
    belief = np.tile(kept, (len(returns), 1))
    bull, expected = np.empty(returns.shape), np.empty(returns.shape)
    for t in range(returns.shape[1]):
        past = swing[0] * returns[:, t - 1] + swing[1] * returns[:, t - 2] if t >= 2 else None
        if past is not None:
            surprise = (returns[:, t] - past)[:, None] - offset
            belief = (belief @ move) * np.exp(-0.5 * (surprise / noise) ** 2)
            belief /= belief.sum(axis=1, keepdims=True)
        bull[:, t] = belief @ triples[:, 2]
        before = returns[:, t - 1] if t else 0.0
        expected[:, t] = swing[0] * returns[:, t] + swing[1] * before + belief @ move @ offset
    return bull, expected


def check(stay: float, swing: tuple[float, float], noise: float) -> None:
    if not noise > 0:
        raise ValueError(f"`noise` must be positive. Received: noise={noise}")
    if not 0 < stay < 1:
        raise ValueError(f"`stay` must lie strictly between 0 and 1. Received: stay={stay}")
    if growth(swing) >= 1:
        raise ValueError(
            "`swing` must be damped: the roots of z² = swing[0] z + swing[1] within the unit "
            f"circle. Received: swing={swing}, largest root {growth(swing):.3g}"
        )


def growth(swing: tuple[float, float]) -> float:
    """Largest magnitude of the roots: by how much the fast movement is damped at each step."""
    return float(np.abs(np.roots([1, -swing[0], -swing[1]])).max(initial=0.0))


def settle(swing: tuple[float, float]) -> int:
    """Steps until a start from zero is forgotten to one part in a million."""
    return int(np.ceil(np.log(1e-6) / np.log(max(growth(swing), 1e-6)))) + 1
