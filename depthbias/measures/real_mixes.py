"""The real-data control: held-out real images mixed at a training ratio must return that ratio."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from depthbias.data.subsets import Subset
from depthbias.estimates.intervals import from_draws, stream, wilson
from depthbias.estimates.runs import REAL, Run
from depthbias.measures.class_shares import Instrument


def control_rows(
    study: str,
    truth: np.ndarray,
    predicted: np.ndarray,
    subsets: Sequence[Subset],
    instrument: Instrument,
) -> Iterator[dict[str, Any]]:
    """Rows of the architecture REAL for every subset.

    truth, predicted: true and most probable class of the control images, int [M]. share_control is
    the true share in the mix, which the intervals of share_raw and share_corrected should cover.
    """
    classes = instrument.classes
    available = np.bincount(truth, minlength=len(classes))
    for subset in subsets:
        ratio, seed = subset.ratio, subset.seed
        mixed = mix_counts(subset.counts, available)
        rows = draw_mix(truth, mixed, classes, "control", ratio, seed)
        counts, n = np.bincount(predicted[rows], minlength=len(classes)), len(rows)
        values, _, draws = instrument.correct(counts, "control", ratio, seed)
        for k, name in enumerate(classes):
            keys = Run(study, ratio, REAL, seed)._asdict() | {"class": name}
            yield keys | {"metric": "share_control", "value": mixed[k] / n, "n": n}
            raw, corrected = wilson(int(counts[k]), n), from_draws(values[k], draws[:, k], n)
            yield keys | {"metric": "share_raw"} | raw._asdict()
            yield keys | {"metric": "share_corrected"} | corrected._asdict()


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
