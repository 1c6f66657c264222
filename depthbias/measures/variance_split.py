"""Bias and variance of a class over training sets and noises, image by image.

[BIAS] (arXiv 2505.17560), equations 4 and 5. A class is an indicator vector, and distances are
half the squared Euclidean ones: for two classes, with p the share of one of them, the bias^2 is
(p - 1[y])^2. Estimates are unbiased, and may therefore be below 0; they are not cut off before
images are averaged.
"""

from typing import NamedTuple

import numpy as np


class BiasVariance(NamedTuple):
    """Of every image [N]: bias^2, variance between training sets and between noises; the 0-1 form.

    The 0-1 form (Domingos, ICML 2000): whether the most frequent class is another than the image's,
    and how often a decoded class is another than the most frequent one. It is plugged in, not
    unbiased. Of equally frequent classes the first counts.
    """

    bias: np.ndarray
    variance_sets: np.ndarray
    variance_noises: np.ndarray
    bias_01: np.ndarray
    variance_01: np.ndarray


def bias_variance(decoded: np.ndarray, labels: np.ndarray, classes: int) -> BiasVariance:
    """decoded: int [R, J, N], classes with R training sets and J noises of each, R and J >= 2.

    labels: int [N], the classes encoded. One-way analysis of random effects: the noises of one
    training set must be independent of those of another. ValueError for a single set or noise.
    """
    sets, noises, _ = decoded.shape
    if min(sets, noises) < 2:
        raise ValueError(f"{sets} training sets and {noises} noises: two of each are needed")
    indicators = (decoded[..., None] == np.arange(classes)).astype(np.float64)
    means = indicators.mean(axis=1)
    within = _half(indicators.var(axis=1, ddof=1).mean(axis=0))
    of_means = _half(means.var(axis=0, ddof=1))
    share = means.mean(axis=0)
    off = _half((share - (labels[:, None] == np.arange(classes))) ** 2)
    main = share.argmax(axis=1)
    return BiasVariance(
        bias=off - of_means / sets,
        variance_sets=of_means - within / noises,
        variance_noises=within,
        bias_01=(main != labels).astype(np.float64),
        variance_01=1 - share.max(axis=1),
    )


def pseudo_values(decoded: np.ndarray, labels: np.ndarray, classes: int) -> BiasVariance:
    """The jackknife over training sets: [R, N] each, whose mean over R is that of `bias_variance`.

    With two training sets there is no leaving out: [1, N], the values themselves.
    """
    whole, sets = bias_variance(decoded, labels, classes), len(decoded)
    if sets < 3:
        return BiasVariance(*(values[None] for values in whole))
    without = [bias_variance(np.delete(decoded, r, axis=0), labels, classes) for r in range(sets)]
    left = [np.stack(values) for values in zip(*without, strict=True)]
    return BiasVariance(*map(_pseudo, whole, left))


def generated_split(made: np.ndarray, trained: np.ndarray) -> dict[str, float]:
    """Bias and variance of free generation: made int [R, N], the class from noise i by set r.

    trained: [K], the training proportions. variance_sets: between the training sets, of one noise;
    variance_noises: between noises, of the mean over training sets; bias: of the share of each
    class. Unbiased by the two-way analysis, as all training sets have the same noises.
    """
    sets, noises = made.shape
    p = (made[..., None] == np.arange(len(trained))).astype(np.float64)
    by_set, by_noise, share = p.mean(axis=1), p.mean(axis=0), p.mean(axis=(0, 1))
    left = p - by_set[:, None] - by_noise + share
    interaction = float((left**2).sum()) / 2 / ((sets - 1) * (noises - 1))
    between = float(_half(by_noise.var(axis=0, ddof=1))) - interaction / sets
    error = float(_half(by_set.var(axis=0, ddof=1))) / sets + between / noises
    return {
        "bias": float(_half((share - trained) ** 2)) - error,
        "variance_sets": float(_half(p.var(axis=0, ddof=1)).mean()),
        "variance_noises": between,
    }


def generated_pseudo_values(made: np.ndarray, trained: np.ndarray) -> dict[str, np.ndarray]:
    """The jackknife over training sets of `generated_split`, [R] each, or [1] of two sets."""
    whole, sets = generated_split(made, trained), len(made)
    if sets < 3:
        return {name: np.array([value]) for name, value in whole.items()}
    without = [generated_split(np.delete(made, r, axis=0), trained) for r in range(sets)]
    return {
        name: _pseudo(value, np.array([left[name] for left in without]))
        for name, value in whole.items()
    }


def _pseudo(whole: np.ndarray | float, without: np.ndarray) -> np.ndarray:
    """Pseudo-values [R, ...], moved so that their mean is the whole: U-statistics need no move."""
    spread: np.ndarray = (len(without) - 1) * (without.mean(axis=0) - without)
    return whole + spread


def _half(squares: np.ndarray) -> np.ndarray:
    total: np.ndarray = squares.sum(axis=-1) / 2
    return total
