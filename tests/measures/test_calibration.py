"""The confusion of the classifier, counted on held-out images."""

import numpy as np
import pytest
import torch
from torch import nn

from depthbias.measures.calibration import calibrate, classify_held_out
from depthbias.system.errors import UserError

CLASSES = ["six", "nine"]


def sharp(labels):
    return np.eye(2)[labels] * 0.8 + 0.1


def test_a_class_in_its_order_and_by_its_rows():
    """A classifier whose logits are the first two pixels (-1 to 1) of an image."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2, bias=False))
    with torch.no_grad():
        model[1].weight[:] = torch.eye(2, 4)
    images = np.random.default_rng(0).integers(0, 256, (9, 2, 2, 1), dtype=np.uint8)
    rows = [np.array([4, 1, 7]), np.array([0, 8])]
    probabilities, labels = classify_held_out(model, images, rows)
    assert labels.tolist() == [0, 0, 0, 1, 1]
    first, second = images[[4, 1, 7, 0, 8]].reshape(5, 4)[:, :2].astype(float).T / 127.5 - 1
    expected = 1 / (1 + np.exp(second - first))
    np.testing.assert_allclose(probabilities[:, 0], expected, rtol=1e-5)


def test_counts_and_balanced_accuracy():
    """Of 4 sixes 3 are right, of 2 nines 1: rows are what they were taken for."""
    labels, found = np.array([0, 0, 0, 0, 1, 1]), np.array([0, 0, 0, 1, 1, 0])
    calibrated = calibrate(sharp(found), labels, CLASSES, 0.6)
    assert set(calibrated) == {"confusion", "balanced_accuracy"}
    assert calibrated["confusion"].tolist() == [[3, 1], [1, 1]]
    assert calibrated["balanced_accuracy"] == (3 / 4 + 1 / 2) / 2
    with pytest.raises(
        UserError, match=r"\(1 of 2 nine taken for six, 1 of 4 six taken for nine\)"
    ):
        calibrate(sharp(found), labels, CLASSES, 0.63)
    assert calibrate(sharp(found), labels, CLASSES, 0.625)  # reaching the threshold is enough


def test_classes_that_are_never_found_are_counted():
    labels = np.array([0, 1, 2])
    probabilities = np.tile([0.5, 0.3, 0.2], (3, 1))
    found = calibrate(probabilities, labels, ["a", "b", "c"], 0.1)["confusion"]
    assert found.tolist() == [[1, 1, 1], [0, 0, 0], [0, 0, 0]]
