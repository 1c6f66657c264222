"""Copies seen from the training images: how many of them does some generated image copy?"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from depthbias.estimates.intervals import wilson
from depthbias.estimates.measurements import Measured
from depthbias.estimates.runs import Run
from depthbias.measures.nearest import BLOCK_BYTES, Vectors

STEPS = (1, 2, 5)  # a decade of numbers of samples


def copies_of_each(
    queries: np.ndarray, training: Vectors, threshold: float, device: str | torch.device = "cpu"
) -> np.ndarray:
    """How many queries have a cosine above the threshold with each training image, int [M].

    queries [N, D], training [M, D], both without rows of zeros.
    """
    samples = _directions(queries, device)
    count, width = samples.shape
    found = np.empty(training.shape[0], dtype=np.int64)
    step = max(1, BLOCK_BYTES // (8 * (width + 3 * count)))
    for start in range(0, len(found), step):
        block = slice(start, min(start + step, len(found)))
        above = _directions(training[block], device) @ samples.T > threshold
        found[block] = above.sum(dim=1).cpu().numpy()
    return found


def _directions(vectors: np.ndarray, device: str | torch.device) -> torch.Tensor:
    rows = torch.as_tensor(np.array(vectors)).to(device, torch.float64)
    return rows / rows.norm(dim=1, keepdim=True)


def sample_counts(samples: int) -> list[int]:
    """1, 2, 5, 10, ... below the number of samples, and that number."""
    steps = (step * 10**power for power in range(len(str(samples))) for step in STEPS)
    return [*(step for step in steps if step < samples), samples]


def copied_chances(counts: np.ndarray, samples: int, k: int) -> np.ndarray:
    """The chance that k of the samples, drawn without replacement, hold a copy; [M].

    counts: copies of each training image among the samples, int [M]. 1 - C(N - c, k) / C(N, k),
    whose mean is the rarefaction curve of ecology: Hurlbert, Ecology 52:577 (1971).
    """
    from scipy.stats import hypergeom  # half a second of import time

    each, inverse = np.unique(counts, return_inverse=True)
    none = np.where(each > 0, hypergeom.pmf(0, samples, each, k), 1)
    chances: np.ndarray = (1 - none)[inverse]
    return chances


def copied_shares(
    run: Run,
    embedding: str,
    counts: np.ndarray,
    samples: int,
    labels: np.ndarray,
    classes: Sequence[str],
) -> Iterator[Measured]:
    """training_copied_share of the training images, against the number of samples (k).

    counts: copies of each training image among all samples, int [M]; labels: int [M]. Classes of
    training images are told for all samples. Intervals: Wilson's over training images; a sum of
    chances varies no more than a count of the same mean.
    """
    metric, anything = f"training_copied_share:{embedding}", np.ones(len(labels), dtype=bool)
    asked = [("", anything, k) for k in sample_counts(samples)]
    asked += [(name, labels == label, samples) for label, name in enumerate(classes)]
    for name, own, k in asked:
        total = float(copied_chances(counts[own], samples, k).sum())
        estimate = wilson(total, int(np.count_nonzero(own)))
        yield Measured(run, metric, estimate, share=True, class_name=name, k=k)
