"""Are generated images like real ones? Precision, recall, density and coverage.

An image stands for all that is as near to it as its k-th nearest image of the same set: a ball. The
balls of real images are the real images' manifold, those of generated images the model's
(Kynkäänniemi et al., arXiv 1904.06991; Naeem et al., arXiv 2002.09797).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from depthbias.measures.nearest import Chosen, Vectors, distance_blocks, nearest_others
from depthbias.system.errors import UserError
from depthbias.vision.embeddings import Metric


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


@dataclass(frozen=True)
class Hits:
    """Which images lie in a ball of the other set, for each of ks [K].

    held: int [N, K], balls of real images that hold each generated image; recalled: bool [M, K],
    real images in a ball of a generated one; covered: bool [M, K], real images whose ball holds a
    generated one.
    """

    held: np.ndarray
    recalled: np.ndarray
    covered: np.ndarray
    ks: tuple[int, ...]

    @property
    def accepted(self) -> np.ndarray:
        """Generated images in a ball of a real one, bool [N, K]; their share is the precision."""
        return self.held > 0

    @property
    def densities(self) -> np.ndarray:
        """Balls that hold a generated image, over k, float64 [N, K]; their mean is the density."""
        return self.held / np.array(self.ks)


def balls(
    vectors: Vectors,
    ks: Sequence[int],
    metric: Metric = "euclidean",
    device: str | torch.device = "cpu",
) -> Balls:
    """The balls of images [N, D], for each of `ks`; NaN where there are no k others."""
    count = vectors.shape[0]
    radii = np.full((count, len(ks)), np.nan)
    found = [k for k in ks if k < count]
    if found:
        distances, _ = nearest_others(vectors, np.arange(count), max(found), metric, device)
        radii[:, [k < count for k in ks]] = distances[:, np.array(found) - 1]
    return Balls(vectors, radii, tuple(ks), metric, torch.device(device))


def hits(generated: Balls, real: Balls) -> Hits:
    """The hits of two sets of images in each other's balls; a ball holds its surface.

    Exact: all N x M distances are computed from differences in float64, block by block. About 1 GB
    of memory is needed beyond the images and the result, whatever N and M.
    """
    sizes = len(generated.radii), len(real.radii)
    held = np.zeros((sizes[0], len(real.ks)), dtype=np.int64)
    recalled, covered = (np.zeros((sizes[1], len(real.ks)), dtype=bool) for _ in range(2))
    for rows, others, distances in distance_blocks(
        generated.vectors, real.vectors, real.metric, real.device
    ):
        for column in range(len(real.ks)):
            inside = distances <= real.radii[others, column]
            held[rows, column] += inside.sum(axis=1)
            covered[others, column] |= inside.any(axis=0)
            reached = distances <= generated.radii[rows, column, None]
            recalled[others, column] |= reached.any(axis=0)
    return Hits(held, recalled, covered, real.ks)


def held(vectors: Vectors, real: Balls, others: bool = False) -> np.ndarray:
    """How many balls of real images hold each image, int [N, K].

    others: the images are the real ones themselves, and each is looked for in the balls of the
    others. That is leaving one out: without it those balls would reach to the next image, but an
    image among the k nearest of another one is in its ball either way, and any other image leaves
    the radius as it is.
    """
    counts = np.zeros((vectors.shape[0], len(real.ks)), dtype=np.int64)
    for rows, columns, distances in distance_blocks(
        vectors, real.vectors, real.metric, real.device
    ):
        inside = distances[:, :, None] <= real.radii[columns]
        if others:
            own = np.arange(rows.start, rows.stop)[:, None] == np.arange(
                columns.start, columns.stop
            )
            inside[own] = False
        counts[rows] += inside.sum(axis=1)
    return counts


def on_manifold(
    images: tuple[Vectors, np.ndarray],
    real: tuple[Vectors, np.ndarray],
    classes: Sequence[str],
    k: int,
    metric: Metric = "euclidean",
    device: str | torch.device = "cpu",
) -> tuple[np.ndarray, np.ndarray]:
    """(images in a ball of a real image of their class, bool [N]; acceptance of each class [C]).

    images, real: vectors [N, D] and [M, D] with their classes, int [N] and [M]. Acceptance: the
    share of the real images of a class in a ball of another one. UserError for a class with no
    more than k real images.
    """
    accepted, acceptance = np.zeros(len(images[1]), dtype=bool), np.empty(len(classes))
    for label, name in enumerate(classes):
        rows, own = (np.flatnonzero(labels == label) for _, labels in (images, real))
        if len(own) <= k:
            raise UserError(
                f"quality.manifold_k: {k} needs more than {len(own)} held-out images of class "
                f"{name}: lower it, or raise data.heldout"
            )
        manifold = balls(Chosen(real[0], own), [k], metric, device)
        accepted[rows] = held(Chosen(images[0], rows), manifold)[:, 0] > 0
        acceptance[label] = (held(manifold.vectors, manifold, others=True) > 0).mean()
    return accepted, acceptance
