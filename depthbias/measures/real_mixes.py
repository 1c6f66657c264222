"""The real-data control: held-out real images mixed at a training ratio must return that ratio."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from depthbias.data.subsets import Subset
from depthbias.estimates.confusion import confusion_counts
from depthbias.estimates.intervals import draw_shares, from_draws, stream
from depthbias.estimates.runs import REAL, Run
from depthbias.measures.class_shares import Instrument
from depthbias.measures.rows import row_of


def control_rows(
    study: str,
    truth: np.ndarray,
    predicted: np.ndarray,
    subsets: Sequence[Subset],
    instrument: Instrument,
) -> Iterator[dict[str, Any]]:
    """Rows of the architecture REAL for every subset.

    truth, predicted: true and most probable class of the control images, int [M]. share_control is
    the true share in the mix, fixed by design: only the classifier errs. So the interval of
    share_raw is that of the errors in the mix, and need not cover share_control; that of
    share_corrected, which holds the errors of the calibration too, should.
    """
    classes = instrument.classes
    available = np.bincount(truth, minlength=len(classes))
    for subset in subsets:
        ratio, seed = subset.ratio, subset.seed
        mixed = mix_counts(subset.counts, available)
        rows = draw_mix(truth, mixed, classes, "control", ratio, seed)
        confusion = confusion_counts(predicted[rows], truth[rows], len(classes))
        raw, draws = _mixed(confusion, classes, instrument.draws, "control", ratio, seed)
        n = len(rows)
        for k, name in enumerate(classes):
            run = Run(study, ratio, REAL, seed)
            exact = {"metric": "share_control", "class": name, **run._asdict()}
            yield exact | {"value": mixed[k] / n, "n": n}
            yield row_of("share_raw", from_draws(raw[k], draws[:, k], n), run, name)
            corrected = instrument.solve(raw)[k], instrument.solve_draws(draws)[:, k]
            yield row_of("share_corrected", from_draws(*corrected, n), run, name)


def _mixed(
    confusion: np.ndarray, classes: Sequence[str], draws: int, *key: str
) -> tuple[np.ndarray, np.ndarray]:
    """Raw shares [K] of a mix with fixed counts of each class, and resampled ones [B, K].

    confusion [K, K]: images classified i among true j in the mix. A column is resampled as
    Dirichlet(counts + 1/2); a class that is not in the mix counts for nothing.
    """
    weights = confusion.sum(axis=0) / confusion.sum()
    columns = [
        weight * draw_shares(column, draws, classes, "mixed", *key, name)
        for name, column, weight in zip(classes, confusion.T, weights, strict=True)
    ]
    return confusion.sum(axis=1) / confusion.sum(), np.sum(columns, axis=0)


def mix_counts(counts: np.ndarray, available: np.ndarray) -> np.ndarray:
    """Images of each class [K] in the largest mix with the proportions of `counts`.

    No more than `available` [K] of each. Exact if these hold one whole multiple of the reduced
    proportions (9:1 for 90-10); else (natural proportions) rounded down to whole images, and the
    mix's own proportions are the truth.
    """
    unit = counts // math.gcd(*counts.tolist())
    used = unit > 0
    times = int((available[used] // unit[used]).min())
    if times >= 1:
        return unit * times
    scale = (available[used] / counts[used]).min()
    return np.floor(counts * scale + 1e-9).astype(np.int64)


def draw_mix(
    labels: np.ndarray, counts: np.ndarray, classes: Sequence[str], *key: str
) -> np.ndarray:
    """Sorted rows of labels int [M] with counts [K] random images of each class; key: a stream."""
    rows = [
        stream(*key, name).permutation(np.flatnonzero(labels == k))[:count]
        for k, (name, count) in enumerate(zip(classes, counts, strict=True))
    ]
    return np.sort(np.concatenate(rows))
