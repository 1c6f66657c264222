"""Mean distances over pairs of images, exactly, from each image's summed distance to every class.

Pairs share images, so the error is that of leaving out one image, not one pair: the usual standard
deviation over the root of the number of pairs is about ten times too small.
"""

from typing import TYPE_CHECKING

import numpy as np

from depthbias.estimates.intervals import Estimate, student_half_width
from depthbias.system.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor


def overall(sums: np.ndarray) -> Estimate:
    """Mean distance over all pairs of N images; sums [N, K] as in `weighted`, whatever the classes.

    With r_i the sum of image i and T = sum r_i / 2: 2 T / (N (N - 1)), and without image i
    2 (T - r_i) / ((N - 1) (N - 2)). UserError for fewer than two images.
    """
    if len(sums) < 2:
        raise UserError(f"{len(sums)} images make no pair: give 2 or more")
    labels = np.zeros(len(sums), dtype=np.int64)
    return weighted(sums.sum(axis=1, keepdims=True), labels, np.ones((1, 1)))


def pseudo_values(sums: np.ndarray) -> np.ndarray:
    """What each image contributes to `overall`, [N]: N times it - (N - 1) times it without image i.

    Their mean is the value, and their standard error that of the jackknife (Tukey, Ann. Math. Stat.
    29:614, 1958). NaN for fewer than three images.
    """
    n, own = len(sums), sums.sum(axis=1)
    total = own.sum() / 2
    if n < 3:
        return np.full(n, np.nan)
    without = 2 * (total - own) / ((n - 1) * (n - 2))
    return np.asarray(n * 2 * total / (n * (n - 1)) - (n - 1) * without)


def within(sums: np.ndarray, labels: np.ndarray, a: int) -> Estimate:
    """Mean distance over the pairs of class a."""
    weights = np.zeros((sums.shape[1], sums.shape[1]))
    weights[a, a] = 1
    return weighted(sums, labels, weights)


def between(sums: np.ndarray, labels: np.ndarray, a: int, b: int) -> Estimate:
    """Mean distance over the pairs of an image of class a and one of another class b."""
    weights = np.zeros((sums.shape[1], sums.shape[1]))
    weights[a, b] = weights[b, a] = 0.5
    return weighted(sums, labels, weights)


def mixed(sums: np.ndarray, labels: np.ndarray, shares: np.ndarray) -> Estimate:
    """Expected distance of two images drawn from a mix with other class proportions, shares [K]."""
    return weighted(sums, labels, np.outer(shares, shares))


def weighted(sums: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> Estimate:
    """sum_ab weights[a, b] m_ab, m_ab the mean distance over pairs of classes a and b.

    sums: float64 [N, K], sums[i, b] the summed distance of image i to all images of class b (to
    itself it is 0); labels: int [N], the class of each image; weights: [K, K], symmetric. n: the
    images of the classes that count. Interval: jackknife within classes (Arvesen, Ann. Math. Stat.
    40:2076, 1969) and Student's t. The value is NaN where a class has no pair, the limits where
    leaving one image out leaves none.
    """
    value, n, left_out = _jackknife(sums, labels, weights)
    variance = 0.0
    for _, changed in left_out:
        spread = float(((changed - changed.mean()) ** 2).sum())
        variance += (len(changed) - 1) / len(changed) * spread
    half_width = student_half_width(float(np.sqrt(variance)), n - len(left_out))
    return Estimate(value, value - half_width, value + half_width, n)


def weighted_values(sums: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """What each image contributes to `weighted`, [N], for classes that all count.

    Their mean is the value, and their standard error that of the jackknife within classes. NaN
    where `weighted` has no interval.
    """
    value, n, left_out = _jackknife(sums, labels, weights)
    values = np.full(n, np.nan)
    for rows, changed in left_out:
        # Pseudo-values have the factor n - 1; classes of other sizes have other variances.
        factor = np.sqrt(n * (n - 1) * (len(rows) - 1) / len(rows))
        values[rows] = value + factor * (changed.mean() - changed)
    return values


def _jackknife(
    sums: np.ndarray, labels: np.ndarray, weights: np.ndarray
) -> tuple[float, int, list[tuple[np.ndarray, np.ndarray]]]:
    """(`weighted`, images that count, for each class its rows and the value without each of them).

    The value without an image is known up to a constant of its class. No class: the value is NaN.
    """
    counts = np.bincount(labels, minlength=len(weights))
    used = np.flatnonzero((weights != 0).any(axis=0))
    counts, weights = counts[used], weights[np.ix_(used, used)]
    rows = [np.flatnonzero(labels == a) for a in used]
    groups = [sums[own][:, used] for own in rows]
    totals = np.stack([group.sum(axis=0) for group in groups])
    n = int(counts.sum())
    pairs = np.outer(counts, counts) - np.diag(counts)
    if (pairs[weights != 0] == 0).any():
        return np.nan, n, []
    value = float(_mean(weights, totals, pairs).sum())
    left_out = []
    for a, group in enumerate(groups):
        own = np.eye(len(used))[a]
        left = totals[a] - group * (1 + own)  # a pair within the class is in its total twice
        pairs_left = (counts[a] - 1) * (counts - 2 * own)
        changed = _mean(weights[a] * (2 - own), left, pairs_left).sum(axis=1)
        left_out.append((rows[a], changed))
    return value, n, left_out


def _mean(weights: np.ndarray, totals: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """weights * totals / pairs, 0 where a weight is 0 and NaN where there is no pair."""
    with np.errstate(divide="ignore", invalid="ignore"):
        means = np.where(pairs > 0, totals / pairs, np.nan)
    return np.where(weights != 0, weights * means, 0.0)


def mean_pairwise(embeddings: "Tensor | np.ndarray") -> Estimate:
    """Mean of |phi_i - phi_j|^2 over all pairs of N embeddings [N, D], exactly; jackknife interval.

    With S = sum phi_i and q = sum |phi_i|^2 the mean is 2 (N q - |S|^2) / (N (N - 1)). Sums are in
    float64; memory beyond the embeddings does not depend on N. UserError for fewer than two
    embeddings, and for values that are not finite.
    """
    from depthbias.vision.distance_sums import vector_distance_sums  # torch: only here

    return overall(vector_distance_sums(embeddings))
