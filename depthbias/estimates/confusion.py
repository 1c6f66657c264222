"""What a classifier takes for what, counted."""

import numpy as np


def confusion_counts(predicted: np.ndarray, true: np.ndarray, classes: int) -> np.ndarray:
    """int [K, K]: images classified i among those of true class j; predicted, true int [N]."""
    flat = np.bincount(predicted * classes + true, minlength=classes**2)
    return flat.reshape(classes, classes)
