"""Classifiers beside the study's own, of other kinds: one table, no torch.

A name is KIND-OF: svm-pixels is fitted in an embedding, network-1 is the study's own network with
another seed. Whether a shift is the models' or the classifier's, only others can tell (arXiv
2506.09106).
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.special import logit

from depthbias.system.errors import UserError
from depthbias.vision.embeddings import EMBEDDINGS, Metric

NETWORK = "network"
VOTERS = 15  # nearest images that vote
FOLDS = 5  # in which the distance to the SVM's boundary becomes a probability
SUREST = 1e-6  # a probability nearer to 0 or 1 counts as so far away


def _svm(metric: Metric) -> Any:
    """Support vectors with a radial kernel; probabilities by Platt's sigmoid (sklearn)."""
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.svm import SVC

    return CalibratedClassifierCV(SVC(C=10, gamma="scale"), cv=FOLDS, ensemble=False)


def _logistic(metric: Metric) -> Any:
    """Logistic regression on standardised vectors."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))


def _nearest(metric: Metric) -> Any:
    """A vote of the nearest images; of tied classes the first one."""
    from sklearn.neighbors import KNeighborsClassifier

    return KNeighborsClassifier(VOTERS, metric=metric, algorithm="brute")


KINDS: dict[str, Callable[[Metric], Any]] = {
    "svm": _svm,
    "logistic": _logistic,
    "nearest": _nearest,
}
NAME = rf"^({NETWORK}-[0-9]+|({'|'.join(KINDS)})-({'|'.join(EMBEDDINGS)}))$"


def fit(name: str, metric: Metric, vectors: np.ndarray, labels: np.ndarray) -> Any:
    """A classifier of vectors [N, D] with labels int [N], of every class equally many.

    It has `predict_proba`. UserError for fewer images than its kind needs.
    """
    least = max(FOLDS * len(np.unique(labels)), VOTERS)
    if len(labels) < least:
        raise UserError(f"{name}: {len(labels)} images to fit it on, {least} needed")
    return KINDS[name.partition("-")[0]](metric).fit(vectors, labels)


def log_odds_of(probabilities: np.ndarray) -> np.ndarray:
    """float32: of every class against the rest, of probabilities [..., K]."""
    return logit(np.clip(np.float64(probabilities), SUREST, 1 - SUREST)).astype(np.float32)


def equal_draw(
    pool: Sequence[np.ndarray], most: int, draw: Callable[[int], np.random.Generator]
) -> tuple[np.ndarray, np.ndarray]:
    """Rows int [N] and labels [N]: of every class equally many of its pool, at most `most`.

    draw: the random numbers of a class.
    """
    count = min(most, *map(len, pool))
    rows = [np.sort(draw(k).permutation(own)[:count]) for k, own in enumerate(pool)]
    return np.concatenate(rows), np.repeat(np.arange(len(pool)), count)
