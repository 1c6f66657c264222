"""The cosine above which an image counts as a copy: given, or calibrated on held-out images."""

from argparse import ArgumentTypeError
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from depthbias.estimates.intervals import QUANTILES, Estimate
from depthbias.system.arguments import mapping
from depthbias.system.errors import UserError, reading
from depthbias.system.files import read_json

Calibrated = Literal["calibrated"]
CALIBRATED: str = get_args(Calibrated)[0]
RATE = 0.01  # share of held-out images that a calibrated threshold takes for copies


def given_thresholds(text: str) -> dict[str, float | str]:
    """{embedding: cosine, or CALIBRATED}, from JSON; as the kind of a flag."""
    given = mapping(text)
    for name, value in given.items():
        number = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1
        if not (number or value == CALIBRATED):
            raise ArgumentTypeError(f"{name}: {value!r} is neither {CALIBRATED} nor from 0 to 1")
    return given


def calibrate(cosines: Sequence[np.ndarray]) -> Estimate:
    """The 99th percentile of held-out images' cosines to their nearest training image.

    cosines: an array for each training subset, pooled. Limits: order statistics, free of any
    distribution; the upper one is 1 where n cannot bound it. n: images of the smallest array.
    """
    from scipy.stats import binom  # half a second of import time

    pooled, n = np.concatenate(cosines), min(map(len, cosines))
    if n < 2:
        raise UserError(f"copies: {n} held-out images cannot calibrate a threshold: hold out more")
    first, last = binom.ppf(QUANTILES, n, 1 - RATE)  # ranks: David and Nagaraja, 2003, 7.1
    lower, value = np.quantile(pooled, [max(first - 1, 0) / (n - 1), 1 - RATE])
    upper = 1.0 if last == n else np.quantile(pooled, last / (n - 1))
    return Estimate(float(value), float(lower), float(upper), n)


def told(threshold: float | Estimate) -> dict[str, float]:
    """A threshold as the description of an embedding tells it."""
    if not isinstance(threshold, Estimate):
        return {"threshold": threshold}
    value, lower, upper, n = threshold
    return {"threshold": value, "lower": lower, "upper": upper, "images": n, "rate": RATE}


def in_words(described: Mapping[str, Any]) -> str:
    """The threshold of an embedding for a table; "-" without one."""
    if "copies" not in described:
        return "-"
    found = described["copies"]
    if "rate" not in found:
        return f"{found['threshold']:g}, given"
    return (
        f"{found['threshold']:.4f} [{found['lower']:.4f}, {found['upper']:.4f}], "
        f"calibrated on {found['images']} held-out images a mix"
    )


def read_thresholds(path: Path) -> dict[str, float]:
    """The thresholds of the embeddings that have one, as measure_neighbors.py has told them."""
    described = read_json(path)
    with reading(path, "a threshold is not described", "measure again"):
        return {
            name: float(about["copies"]["threshold"])
            for name, about in described.items()
            if "copies" in about
        }
