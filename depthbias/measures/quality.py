"""Are generated images like real ones? The balls that say so.

An image stands for all that is as near to it as its k-th nearest image of the same set: a ball. The
balls of real images are their manifold, those of generated images the model's. Precision: share of
generated images in a ball of a real one; recall: the reverse (Kynkäänniemi et al., arXiv
1904.06991). Density: balls of real images that hold a generated one, over k; coverage: share of
balls of real images that hold one (Naeem et al., arXiv 2002.09797).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import gammaln

from depthbias.measures.nearest import Vectors, distance_blocks, nearest, nearest_others
from depthbias.vision.embeddings import Metric

SURFACE = 1 + 1e-12  # a ball holds its surface, in whatever order a distance is summed


@dataclass(frozen=True)
class Balls:
    """A set of images and the radii of their balls.

    vectors: [N, D]; radii: float64 [N, K], distances to the k-th nearest other image of the set for
    each of ks [K]; NaN, a ball that holds nothing, where the set has no k others.
    """

    vectors: Vectors
    radii: np.ndarray
    ks: tuple[int, ...]
    metric: Metric
    device: torch.device


def balls(
    vectors: Vectors,
    ks: Sequence[int],
    metric: Metric = "euclidean",
    device: str | torch.device = "cpu",
) -> Balls:
    """The balls of images [N, D], for each of `ks`."""
    count = vectors.shape[0]
    radii = np.full((count, len(ks)), np.nan)
    found = [k for k in ks if k < count]
    if found:
        distances, _ = nearest_others(vectors, np.arange(count), max(found), metric, device)
        radii[:, [k < count for k in ks]] = SURFACE * distances[:, np.array(found) - 1]
    return Balls(vectors, radii, tuple(ks), metric, torch.device(device))


def held(images: Vectors, of: Balls) -> np.ndarray:
    """How many of the balls hold each of the images [N, D], int [N, K].

    Exact: all distances are computed from differences in float64, block by block. About 1 GB of
    memory is needed beyond the images and the result, whatever their number.
    """
    counts = np.zeros((images.shape[0], len(of.ks)), dtype=np.int64)
    for rows, others, distances in distance_blocks(images, of.vectors, of.metric, of.device):
        for column, radii in enumerate(of.radii[others].T):
            counts[rows, column] += (distances <= radii).sum(axis=1)
    return counts


def held_by_others(of: Balls) -> np.ndarray:
    """How many balls of the other images of the set hold each of them, int [N, K].

    That is leaving one out. Without an image the balls around it would reach to the next one, but
    it is in these either way; all other balls stay as they are.
    """
    return held(of.vectors, of) - np.isfinite(of.radii)


def covers(images: Vectors, of: Balls) -> np.ndarray:
    """Which balls hold any of the images [N, D], bool [M, K]."""
    if images.shape[0] == 0:
        return np.zeros(of.radii.shape, dtype=bool)
    distances, _ = nearest(of.vectors, images, 1, of.metric, of.device)
    return distances <= of.radii


def expected_coverage(real: int, generated: int, ks: Sequence[int]) -> np.ndarray:
    """Coverage [K] of real images by generated ones of the same distribution, on average.

    All others of a real image are then equally likely to be near to it. Its ball holds no generated
    one if its k nearest are all real: C(real - 1, k) / C(real - 1 + generated, k).
    """
    k, others = np.array(ks), real - 1
    every = others + generated
    logs = [gammaln(every - k + 1), -gammaln(every + 1)]
    logs += [gammaln(others + 1), -gammaln(np.maximum(others - k, 0) + 1)]
    return np.where(k <= others, -np.expm1(sum(logs)), np.nan)
