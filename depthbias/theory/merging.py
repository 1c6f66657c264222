"""Discrete energy landscapes: neighbouring minima merge into one of the majority's class.

[BIAS], Figs 2 and 3, and the law of its Theorem 2, which is another law. Two classes; p is the
minority's share of the minima.
"""

from collections.abc import Sequence

import numpy as np
from scipy.special import expit, logit
from scipy.stats import binom

from depthbias.estimates.intervals import Estimate, wilson
from depthbias.estimates.slopes import slope_weights
from depthbias.system.errors import UserError


def merged_share(p: np.ndarray | float, group: int) -> np.ndarray:
    """p after one merging of groups of `group` independent minima, ties at random.

    p' = P(J > g/2) + P(J = g/2) / 2 for J ~ Binomial(g, p). Pairs leave p unchanged.
    """
    tie = binom.pmf(group / 2, group, p) if group % 2 == 0 else 0.0
    return np.asarray(binom.sf(group // 2, group, p) + tie / 2)


def merged_shares(p: float, group: int, levels: int) -> np.ndarray:
    """[levels + 1]: p before any merging and after each."""
    shares = [np.asarray(p, dtype=float)]
    for _ in range(levels):
        shares.append(merged_share(shares[-1], group))
    return np.array(shares)


def powered_shares(p: float, group: int, levels: int) -> np.ndarray:
    """[levels + 1]: Theorem 2, odds after = odds before ^ n, n = group ^ level features."""
    return np.asarray(expit(logit(p) * float(group) ** np.arange(levels + 1)))


def most_levels(minima: int, group: int) -> int:
    """How often at most `minima` minima can merge in groups until one is left.

    UserError for groups of fewer than two, which never end.
    """
    if group < 2:
        raise UserError(f"groups of {group}: minima merge in groups of 2 or more")
    levels = 0
    while group ** (levels + 1) <= minima:
        levels += 1
    return levels


def simulate(
    p: float, group: int, levels: int, landscapes: int, random: np.random.Generator
) -> list[Estimate]:
    """The minority's share before any merging and after each, with Wilson's interval.

    Every landscape has group ^ levels minima in a row, whose classes are drawn with p. Groups share
    no minimum, so the classes of a level are independent.
    """
    minority = random.random((landscapes, group**levels)) < p
    shares = [wilson(int(minority.sum()), minority.size)]
    for _ in range(levels):
        votes = 2 * minority.reshape(landscapes, -1, group).sum(axis=2)
        ties = random.random(votes.shape) < 0.5
        minority = np.where(votes == group, ties, votes > group)
        shares.append(wilson(int(minority.sum()), minority.size))
    return shares


def predicted_kappa(before: Sequence[float], after: Sequence[float]) -> float:
    """Least-squares slope of the logit of shares after on that of shares before.

    NaN where a share is 0 or 1 or fewer than two shares differ.
    """
    x, y = logit(np.asarray(before, dtype=float)), logit(np.asarray(after, dtype=float))
    if not (np.isfinite(x).all() and np.isfinite(y).all()) or np.ptp(x) < 1e-12:
        return np.nan
    return float(slope_weights(x) @ y)
