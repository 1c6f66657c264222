"""How often the classifier errs: its confusion, measured on real images that it did not learn."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from depthbias.estimates.confusion import confusion_counts
from depthbias.vision.classifier import Classifier, check_accuracy, classify


def classify_held_out(
    model: Classifier, images: np.ndarray, rows: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """(class probabilities [N, K], true classes int [N]) of the rows of each class, in that order.

    images: of the data set, uint8 [M, S, S, C].
    """
    labels = np.repeat(np.arange(len(rows)), [len(own) for own in rows])
    return classify(model, images[np.concatenate(rows)]), labels


def calibrate(
    probabilities: np.ndarray, labels: np.ndarray, classes: Sequence[str], threshold: float
) -> dict[str, Any]:
    """The confusion [K, K] and balanced accuracy of held-out images of known class.

    UserError when the accuracy is below the threshold.
    """
    confusion = confusion_counts(probabilities.argmax(axis=1), labels, len(classes))
    return {
        "confusion": confusion,
        "balanced_accuracy": check_accuracy(confusion, classes, threshold),
    }
