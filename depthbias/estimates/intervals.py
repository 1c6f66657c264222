"""Estimates: a value with its 95 % interval and the n it rests on, and how intervals are made.

Random numbers come from streams named by what they are drawn for (a run, a class), so a result
depends neither on the order of the data nor on what else is measured beside it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import expit, logit, stdtrit

from depthbias.system.files import fingerprint

QUANTILES = (0.025, 0.975)


class Estimate(NamedTuple):
    """A value, the limits of its 95 % interval (NaN where it has none) and the n it rests on."""

    value: float
    lower: float
    upper: float
    n: int


def wilson(count: float, n: float) -> Estimate:
    """Share count/n of independent images, Wilson's interval (JASA 22:209, 1927); NaN if n = 0.

    n: an effective number of images need not be whole; the estimate tells it rounded.
    """
    if n == 0:
        return Estimate(np.nan, np.nan, np.nan, 0)
    from statsmodels.stats.proportion import proportion_confint  # a second of import time

    lower, upper = proportion_confint(count, n, method="wilson")
    value = count / n  # at 0 and 1 rounding puts a limit on the wrong side of it
    return Estimate(value, float(min(lower, value)), float(max(upper, value)), round(n))


def mixed_share(shares: Sequence[Estimate], weights: np.ndarray) -> Estimate:
    """Share in a mix of groups with these weights, which sum to 1; NaN if a share is.

    n: as many images of one group would have its error (Kish, Survey Sampling, 1965); Wilson's
    interval of these.
    """
    if not all(share.n for share in shares):
        return wilson(0, 0)
    value = float(weights @ [share.value for share in shares])
    n = round(1 / float(weights**2 @ [1 / share.n for share in shares]))
    return wilson(value * n, n)


def stream(*key: str) -> np.random.Generator:
    """The stream of random numbers of this name."""
    return np.random.default_rng(int(fingerprint(*key), 16))


def draw_shares(counts: np.ndarray, draws: int, names: Sequence[str], *key: str) -> np.ndarray:
    """[draws, K]: proportions resampled from class counts [K]: Dirichlet(counts + 1/2).

    The Bayesian bootstrap of the images (Rubin, Ann. Stat. 9:130, 1981) with Jeffreys' prior: as a
    multinomial resampling of the counts, but a count of 0 keeps its uncertainty. Class names[k] has
    its own stream of random numbers, named by `key`.
    """
    gammas = [
        stream(*key, name).standard_gamma(count + 0.5, draws)
        for name, count in zip(names, counts, strict=True)
    ]
    stacked = np.stack(gammas, axis=1)
    return stacked / stacked.sum(axis=1, keepdims=True)


def from_draws(value: float, draws: np.ndarray, n: int) -> Estimate:
    """`value` with the percentile interval of its draws [B], widened to hold it."""
    lower, upper = np.quantile(draws, QUANTILES)
    return Estimate(float(value), float(min(lower, value)), float(max(upper, value)), n)


def student_half_width(standard_error: float, freedom: int) -> float:
    """Half width of Student's 95 % interval; NaN without a degree of freedom."""
    if freedom < 1:
        return np.nan
    return float(stdtrit(freedom, QUANTILES[1])) * standard_error


def independent_share(draws: np.ndarray, weights: np.ndarray, design: np.ndarray) -> float:
    """How much of the variance of weights @ draws is each run's own, in [0, 1].

    draws [G, B] of G runs; weights [G] of a linear estimate; design [G, P] with independent
    columns: what these can describe of a draw is common to runs. What they cannot has G - P degrees
    of freedom. The measured values vary by a run's own error as well, so an interval that rests on
    their spread holds it already.
    """
    runs, columns = design.shape
    centred = draws - draws.mean(axis=1, keepdims=True)
    total = float((weights @ centred).var())
    if runs <= columns or total == 0:
        return 0.0
    left = centred - design @ (np.linalg.pinv(design) @ centred)
    own = float((left**2).sum(axis=0).mean()) / (runs - columns)
    return min(own * float(weights @ weights) / total, 1.0)


def combined(
    value: float, half_width: float, draws: np.ndarray, n: int, independent: float = 0.0
) -> Estimate:
    """`value` with two errors: `half_width` either side, and draws [B] about it.

    Each limit is as far as the root of the sum of the squared distances of the two (MOVER: Zou and
    Donner, Stat. Med. 27:1693, 2008), so an asymmetric interval stays asymmetric and few degrees of
    freedom hurt only their part. The part `independent` of the variance of the draws is not counted
    beside `half_width`, which holds it already, but in its place where it is wider.
    """
    lower, upper = np.quantile(draws, QUANTILES)
    distances = np.maximum([value - lower, upper - value], 0)
    own = np.maximum(half_width, distances * np.sqrt(independent))
    below, above = np.hypot(own, distances * np.sqrt(1 - independent))
    return Estimate(float(value), float(value - below), float(value + above), n)


def over_seeds(values: np.ndarray, draws: np.ndarray, n: int) -> Estimate:
    """Mean over training seeds of a quantity without bounds; values [S], their draws [S, B].

    Hierarchical: seeds by Student's t with S - 1 degrees of freedom on the measured values (2 to 5
    seeds cannot be resampled honestly: docs/statistics.md), then what images and confusion matrix
    have in common for all seeds by the draws. One seed: no interval.
    """
    independent = _independent_of_seeds(draws)
    half_width = _seed_half_width(values)
    return combined(float(values.mean()), half_width, draws.mean(axis=0), n, independent)


def share_over_seeds(values: np.ndarray, draws: np.ndarray, n: int) -> Estimate:
    """As `over_seeds` for shares in [0, 1]: the interval is made on the logit scale.

    n: images in all; a share nearer to 0 or 1 than half an image counts as half an image away.
    """
    mean = float(values.mean())
    inside = np.clip([mean, *draws.mean(axis=0)], 0.5 / n, 1 - 0.5 / n)
    stretch = inside[0] * (1 - inside[0])  # d share / d logit
    half_width = _seed_half_width(values) / stretch
    independent = _independent_of_seeds(draws)
    found = combined(float(logit(inside[0])), half_width, logit(inside[1:]), n, independent)
    lower, upper = expit(found.lower), expit(found.upper)
    return Estimate(mean, float(np.minimum(lower, mean)), float(np.maximum(upper, mean)), n)


def _independent_of_seeds(draws: np.ndarray) -> float:
    seeds = len(draws)
    return independent_share(draws, np.full(seeds, 1 / seeds), np.ones((seeds, 1)))


def _seed_half_width(values: np.ndarray) -> float:
    seeds = len(values)
    if seeds < 2:
        return np.nan
    return student_half_width(float(values.std(ddof=1)) / np.sqrt(seeds), seeds - 1)
