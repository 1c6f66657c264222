"""Least-squares slopes over few runs, with an interval."""

import numpy as np

from depthbias.estimates.intervals import (
    Estimate,
    combined,
    independent_share,
    student_half_width,
)


def slope_weights(x: np.ndarray) -> np.ndarray:
    """w [R] such that w @ y is the least-squares slope of y on x (with intercept); x must vary."""
    centred = x - x.mean()
    return centred / (centred @ centred)


def intercept_weights(x: np.ndarray) -> np.ndarray:
    """w [R] such that w @ y is the least-squares line at 0; x must vary."""
    return 1 / len(x) - x.mean() * slope_weights(x)


def least_squares_slope(x: np.ndarray, values: np.ndarray, draws: np.ndarray) -> Estimate:
    """Slope of values [G] on x [G], one of each a run; draws [G, B] of the values.

    Errors: residuals over 1 - leverage (CR3 with a cluster a run) with Student's t of G - 2 degrees
    of freedom, and the draws, less what the residuals hold of them already. No interval for two
    runs, nor where a run is the only one at its x and has leverage 1.
    """
    weights, design = slope_weights(x), np.stack([np.ones(len(x)), x], axis=1)
    slope = float(weights @ values)
    residuals = values - values.mean() - slope * (x - x.mean())
    leverage = 1 / len(x) + weights * (x - x.mean())
    half_width = student_half_width(cr3_error(weights, residuals, leverage), len(x) - 2)
    independent = independent_share(draws, weights, design)
    return combined(slope, half_width, weights @ draws, len(x), independent)


def cr3_error(weights: np.ndarray, residuals: np.ndarray, leverage: np.ndarray) -> float:
    """Standard error of weights @ values, from residuals over 1 - leverage; NaN for leverage 1."""
    left = 1 - leverage
    if (left < 1e-9).any():
        return np.nan
    return float(np.linalg.norm(weights * residuals / left))
