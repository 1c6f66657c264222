"""What several classifiers make of a number: their mean, with their spread in its interval.

The classifiers are taken as draws of those that could have been asked. Their spread enters by
Student's t, beside the errors of seeds and images (MOVER).
"""

import numpy as np
from scipy.special import expit, logit

from depthbias.estimates.intervals import (
    Estimate,
    from_draws,
    over_seeds,
    share_over_seeds,
    student_half_width,
)


def classifier_half_width(values: np.ndarray) -> float:
    """Student's half width of the mean over classifiers of their values [C]; 0 for one alone."""
    if len(values) < 2:
        return 0.0
    return student_half_width(float(values.std(ddof=1)) / np.sqrt(len(values)), len(values) - 1)


def over_classifiers(values: np.ndarray, draws: np.ndarray, n: int, seeds: bool) -> Estimate:
    """Mean over classifiers of a quantity without bounds.

    values [C, S] of C classifiers and S seeds, draws [C, S, B]; seeds: whether the interval is over
    training seeds, else for the one model.
    """
    mean, drawn = values.mean(axis=0), draws.mean(axis=0)
    found = over_seeds(mean, drawn, n) if seeds else from_draws(mean[0], drawn[0], n)
    return widened(found, classifier_half_width(values.mean(axis=1)))


def share_over_classifiers(values: np.ndarray, draws: np.ndarray, n: int, seeds: bool) -> Estimate:
    """As `over_classifiers` for shares; their spread enters on the logit scale.

    n: images; a share nearer to 0 or 1 than half an image counts as half an image away.
    """
    mean, drawn = values.mean(axis=0), draws.mean(axis=0)
    found = share_over_seeds(mean, drawn, n) if seeds else from_draws(mean[0], drawn[0], n)
    inside = np.clip([*found[:3], *values.mean(axis=1)], 0.5 / n, 1 - 0.5 / n)
    stretch = inside[0] * (1 - inside[0])  # d share / d logit
    value, lower, upper = logit(inside[:3])
    half_width = classifier_half_width(inside[3:]) / stretch
    wide = widened(Estimate(value, lower, upper, n), half_width)
    limits = expit(wide.lower), expit(wide.upper)
    below, above = np.minimum(limits[0], found.value), np.maximum(limits[1], found.value)
    return Estimate(found.value, float(below), float(above), n)


def widened(found: Estimate, half_width: float) -> Estimate:
    """An estimate with one more error, independent of those in its interval."""
    below = np.hypot(found.value - found.lower, half_width)
    above = np.hypot(found.upper - found.value, half_width)
    return found._replace(lower=float(found.value - below), upper=float(found.value + above))
