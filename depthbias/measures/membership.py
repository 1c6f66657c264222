"""Membership inference: can scores of a denoiser tell training images from held-out ones?

A score is higher where an image looks like a member, that is a training image.
"""

import numpy as np
from scipy.special import expit, logit, ndtri
from scipy.stats import betabinom, rankdata

from depthbias.estimates.intervals import QUANTILES, Estimate, wilson

FALSE_POSITIVES = 0.01  # share of non-members that an attack may take for members


def auc(members: np.ndarray, others: np.ndarray) -> Estimate:
    """P(a member scores higher than a non-member), ties half; scores [m] and [n]; n: m + n.

    The interval is DeLong's on the logit scale (Biometrics 44:837, 1988; Pepe, 2003, 5.2.5). His
    variance is 0 where all pairs agree. Then min(m, n) disjoint pairs, all alike, have Wilson's
    interval. NaN for fewer than two of either.
    """
    count = len(members) + len(others)
    if min(len(members), len(others)) < 2:
        return Estimate(np.nan, np.nan, np.nan, count)
    above, below = _placements(members, others)
    value = float(above.mean())
    error = np.sqrt(above.var(ddof=1) / len(above) + below.var(ddof=1) / len(below))
    if value in (0.0, 1.0):
        pairs = min(len(members), len(others))
        _, lower, upper, _ = wilson(int(value) * pairs, pairs)
        return Estimate(value, lower, upper, count)
    reach = ndtri(QUANTILES[1]) * error / (value * (1 - value))
    lower, upper = expit(logit(value) + np.array([-reach, reach]))
    return Estimate(value, float(lower), float(upper), count)


def _placements(members: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Share of non-members below each member [m], and of members above each non-member [n].

    DeLong's structural components, from mid-ranks in O((m + n) log (m + n)): Sun and Xu, IEEE
    Signal Process. Lett. 21:1389 (2014).
    """
    m, n = len(members), len(others)
    together = rankdata(np.concatenate([members, others]))
    above = (together[:m] - rankdata(members)) / n
    below = 1 - (together[m:] - rankdata(others)) / m
    return above, below


def roc(members: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(false, true) positive shares, rising from 0 to 1, at every threshold of the scores."""
    from sklearn.metrics import roc_curve  # a second of import time

    truth = np.repeat([1, 0], [len(members), len(others)])
    false, true, _ = roc_curve(truth, np.concatenate([members, others]), drop_intermediate=False)
    return false, true


def members_found(
    members: np.ndarray, others: np.ndarray, false_positives: float = FALSE_POSITIVES
) -> np.ndarray:
    """Which members score above the threshold that at most this share of non-members reaches.

    bool [m]. The share of them is the true-positive rate at that false-positive rate (Carlini et
    al., arXiv 2112.03570).
    """
    allowed = int(false_positives * len(others) + 1e-9)
    return members > np.sort(others)[::-1][allowed]


def chance_band(false: np.ndarray, m: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Where 95 % of the true-positive shares lie at false-positive shares k/n of equal images.

    Of m + n scores of one distribution, members above the k-th highest non-member are
    beta-binomial: exact for continuous scores. false: (0, 1], multiples of 1/n.
    """
    k = np.round(false * n)
    limits = [betabinom.ppf(q, m, k, n - k + 1) / m for q in QUANTILES]
    return limits[0], limits[1]
