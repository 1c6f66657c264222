"""Least-squares slopes as weights."""

import numpy as np


def slope_weights(x: np.ndarray) -> np.ndarray:
    """w [R] such that w @ y is the least-squares slope of y on x (with intercept); x must vary."""
    centred = x - x.mean()
    return centred / (centred @ centred)
