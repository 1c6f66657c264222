"""Weights of images that stand for a mix of classes."""

import numpy as np


def stratified(labels: np.ndarray, proportions: np.ndarray) -> np.ndarray:
    """Weights [N] of sum 1 that give every class its proportion [K]; alike within a class.

    A class without an image has no weight; the others share it.
    """
    counts = np.bincount(labels, minlength=len(proportions))
    a_class = proportions / np.maximum(counts, 1)
    weights: np.ndarray = a_class[labels]
    return weights / weights.sum()
