"""Copies seen from the training images: how many of them does some generated image copy?"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch

from depthbias.estimates.measurements import Measured, share_of
from depthbias.estimates.runs import Run
from depthbias.measures.nearest import BLOCK_BYTES, Vectors

STEPS = (1, 2, 5)  # a decade of numbers of samples


def first_above(
    queries: np.ndarray, training: Vectors, threshold: float, device: str | torch.device = "cpu"
) -> np.ndarray:
    """The first query whose cosine with each training image is above the threshold, int [M].

    queries [N, D], training [M, D], both without rows of zeros; N where no query is.
    """
    samples = _directions(queries, device)
    count, width = samples.shape
    first = np.empty(training.shape[0], dtype=np.int64)
    places = torch.arange(count, device=device)
    step = max(1, BLOCK_BYTES // (8 * (width + 3 * count)))
    for start in range(0, len(first), step):
        block = slice(start, min(start + step, len(first)))
        above = _directions(training[block], device) @ samples.T > threshold
        first[block] = torch.where(above, places, count).amin(dim=1).cpu().numpy()
    return first


def _directions(vectors: np.ndarray, device: str | torch.device) -> torch.Tensor:
    rows = torch.as_tensor(np.array(vectors)).to(device, torch.float64)
    return rows / rows.norm(dim=1, keepdim=True)


def first_of(copied: np.ndarray, flags: np.ndarray, count: int) -> np.ndarray:
    """The first flagged query that copies each of `count` training images, int [M]; N for none.

    copied: int [N], the training image that a query copies where flags [N] hold.
    """
    first = np.full(count, len(flags), dtype=np.int64)
    places = np.flatnonzero(flags)
    np.minimum.at(first, copied[places], places)
    return first


def sample_counts(samples: int) -> list[int]:
    """1, 2, 5, 10, ... below the number of samples, and that number."""
    steps = (step * 10**power for power in range(len(str(samples))) for step in STEPS)
    return [*(step for step in steps if step < samples), samples]


def copied_shares(
    run: Run,
    embedding: str,
    first: np.ndarray,
    samples: int,
    labels: np.ndarray,
    classes: Sequence[str],
) -> Iterator[Measured]:
    """training_copied_share of the training images, against the number of samples (k).

    first: int [M], of `first_above` or `first_of`; labels: int [M]. Classes of training images are
    told for all samples. Intervals: Wilson's over training images.
    """
    metric = f"training_copied_share:{embedding}"
    for count in sample_counts(samples):
        yield replace(share_of(first < count, run, metric), k=count)
    for label, name in enumerate(classes):
        yield replace(share_of(first[labels == label] < samples, run, metric, name), k=samples)
