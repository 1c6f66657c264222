"""Membership inference: can scores of a denoiser tell training images from held-out ones?

A score is higher where an image looks like a member, that is a training image. Both sides are drawn
by class and weighted to the proportions of the training subset.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit, ndtri

from depthbias.estimates.intervals import QUANTILES, Estimate, stream, wilson
from depthbias.estimates.stratified import stratified

FALSE_POSITIVES = 0.01  # share of non-members that an attack may take for members
BAND_DRAWS = 400
ROUNDING = 1e-9  # of sums of weights


@dataclass(frozen=True)
class Side:
    """Members or non-members: classes int [N], and weights [N] of sum 1, alike within a class."""

    labels: np.ndarray
    weights: np.ndarray

    @property
    def effective(self) -> float:
        """How many images without weights tell as much (Kish, Survey Sampling, 1965, 11.7)."""
        return float(1 / (self.weights**2).sum())

    def variance(self, values: np.ndarray) -> float:
        """Of the weighted mean of values [N] drawn by class; NaN with a class of one image."""
        total = 0.0
        for label in np.unique(self.labels):
            own = values[self.labels == label]
            share = self.weights[self.labels == label].sum()
            spread = own.var(ddof=1) if len(own) > 1 else np.nan
            total += share**2 * spread / len(own)
        return total


def side(labels: np.ndarray, proportions: np.ndarray) -> Side:
    """Images int [N] weighted to the proportions [K] of the classes."""
    return Side(labels, stratified(labels, proportions))


def placements(
    members: np.ndarray, others: np.ndarray, sides: tuple[Side, Side]
) -> tuple[np.ndarray, np.ndarray]:
    """Share of non-members below each member [m], and of members above each non-member [n].

    DeLong's structural components with weights, ties half; O((m + n) log (m + n)).
    """
    above = _below(others, sides[1].weights, members)
    below = 1 - _below(members, sides[0].weights, others)
    return above, below


def _below(scores: np.ndarray, weights: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The weight of the scores below each of `at`, and half of that of the equal ones."""
    order = np.argsort(scores, kind="stable")
    reached = np.concatenate([[0], np.cumsum(weights[order])])
    ends = [np.searchsorted(scores[order], at, side=end) for end in ("left", "right")]
    shares: np.ndarray = (reached[ends[0]] + reached[ends[1]]) / 2
    return shares


def auc(members: np.ndarray, others: np.ndarray, sides: tuple[Side, Side]) -> Estimate:
    """P(a member scores higher than a non-member), ties half; scores [m] and [n]; n: m + n.

    The interval is DeLong's on the logit scale (Biometrics 44:837, 1988; Pepe, 2003, 5.2.5), its
    variance summed over classes. It is 0 where all pairs agree. Then as many pairs as the smaller
    side has effective images, all alike, have Wilson's interval.
    """
    count = len(members) + len(others)
    above, below = placements(members, others, sides)
    value = float(np.clip(sides[0].weights @ above, 0, 1))
    error = np.sqrt(sides[0].variance(above) + sides[1].variance(below))
    if min(value, 1 - value) < ROUNDING:
        pairs = min(one.effective for one in sides)
        _, lower, upper, _ = wilson(round(value) * pairs, pairs)
        return Estimate(round(value), lower, upper, count)
    reach = ndtri(QUANTILES[1]) * error / (value * (1 - value))
    lower, upper = expit(logit(value) + np.array([-reach, reach]))
    return Estimate(value, float(lower), float(upper), count)


def roc(
    members: np.ndarray, others: np.ndarray, sides: tuple[Side, Side]
) -> tuple[np.ndarray, np.ndarray]:
    """(false, true) positive shares, rising from 0 to 1, at every threshold of the scores."""
    from sklearn.metrics import roc_curve  # a second of import time

    truth = np.repeat([1, 0], [len(members), len(others)])
    scores = np.concatenate([members, others])
    weights = np.concatenate([one.weights for one in sides])
    false, true, _ = roc_curve(truth, scores, sample_weight=weights, drop_intermediate=False)
    return false, true


def true_positives(
    members: np.ndarray,
    others: np.ndarray,
    sides: tuple[Side, Side],
    false_positives: float = FALSE_POSITIVES,
) -> Estimate:
    """Share of members above the score that at most this share of non-members exceeds; n: m + n.

    The true-positive rate at that false-positive rate (Carlini et al., arXiv 2112.03570). Two
    errors are combined (MOVER): Wilson's, of the members, and that of the threshold. The threshold
    lies between order statistics of the non-members, whatever their distribution (David and
    Nagaraja, 2003, 7.1). Fewer than 368 non-members do not bound it: the lower limit is then 0.
    """
    from scipy.stats import binom  # half a second of import time

    effective = sides[1].effective
    first, last = binom.ppf(QUANTILES, round(effective), false_positives)
    shares = [false_positives, (first - 1) / effective, last / effective]
    value, least, most = _found(members, others, sides, np.array(shares))
    _, low, high, _ = wilson(value * sides[0].effective, sides[0].effective)
    lower = value - np.hypot(value - low, value - least)
    upper = value + np.hypot(high - value, most - value)
    ends = max(float(lower), 0.0), min(float(upper), 1.0)
    return Estimate(value, *ends, len(members) + len(others))


def _found(
    members: np.ndarray, others: np.ndarray, sides: tuple[Side, Side], shares: np.ndarray
) -> list[float]:
    """The share of members above each score that at most such a share of non-members exceeds.

    A share below 0 is that of a threshold above all scores.
    """
    order = np.argsort(others)[::-1]
    reached = np.cumsum(sides[1].weights[order])
    allowed = np.searchsorted(reached, shares + ROUNDING, side="right")
    thresholds = np.append(others[order], -np.inf)[allowed]
    thresholds[shares < 0] = np.inf
    return [float(sides[0].weights[members > threshold].sum()) for threshold in thresholds]


def at_shares(curve: tuple[np.ndarray, np.ndarray], shares: np.ndarray) -> np.ndarray:
    """True-positive shares of a curve (`roc`) at false-positive shares of at most these."""
    false, true = curve
    found: np.ndarray = true[np.searchsorted(false, shares + ROUNDING, side="right") - 1]
    return found


def chance_band(
    members: np.ndarray,
    others: np.ndarray,
    sides: tuple[Side, Side],
    shares: np.ndarray,
    *key: str,
) -> tuple[np.ndarray, np.ndarray]:
    """Where 95 % of true-positive shares lie at these false-positive shares if scores know nothing.

    Scores are exchanged between members and non-members of a class; `key` names the draws.
    """
    random, m = stream("chance", *key), len(members)
    scores = np.concatenate([members, others])
    labels = np.concatenate([one.labels for one in sides])
    places = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    drawn = []
    for _ in range(BAND_DRAWS):
        for own in places:
            scores[own] = random.permutation(scores[own])
        drawn.append(at_shares(roc(scores[:m], scores[m:], sides), shares))
    lower, upper = np.quantile(drawn, QUANTILES, axis=0)
    return lower, upper
