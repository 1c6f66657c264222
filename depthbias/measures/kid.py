"""Kernel distance of generated from real images (KID: Bińkowski et al., arXiv 1801.01401).

KID is the squared maximum mean discrepancy with the kernel k(x, y) = (x.y/d + 1)^3, estimated
without bias: an image is never compared with itself. It is a sum of means over pairs, those of a
generated and a real image negative, so it and its jackknife interval come from `pair_means`. The
interval has the errors of generated and of real images. NaN where a group has no pair.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from depthbias.estimates.intervals import Estimate
from depthbias.measures.nearest import Vectors, blocks
from depthbias.measures.pair_means import weighted, weighted_values


class Scaled:
    """Vectors from which `origin` is subtracted, over `scale`; read only when asked for."""

    def __init__(self, vectors: Vectors, origin: float, scale: float) -> None:
        self._vectors, self._origin, self._scale = vectors, origin, scale
        self.shape = vectors.shape

    def __getitem__(self, rows: Any) -> np.ndarray:
        return (self._vectors[rows].astype(np.float64) - self._origin) / self._scale


def scale_of(vectors: Vectors, origin: float) -> float:
    """Root mean square of the coordinates of vectors [N, D], from the origin; 1 if all are 0."""
    count, width = vectors.shape
    total = 0.0
    for rows in blocks(count, 8 * width):
        total += float(((vectors[rows].astype(np.float64) - origin) ** 2).sum())
    return float(np.sqrt(total / (count * width))) or 1.0


def kernel_sums(
    first: Vectors,
    second: Vectors,
    groups: tuple[np.ndarray, np.ndarray],
    count: int,
    device: str | torch.device = "cpu",
) -> tuple[np.ndarray, np.ndarray]:
    """Summed kernel of each image to those of each group of the other set: [N, G] and [M, G].

    first [N, D], second [M, D]; groups: int [N] and [M], below `count`, G. Float64, exact up to
    rounding, block by block: about 1 GB of memory whatever N and M.
    """
    (n, width), (m, _) = first.shape, second.shape
    members = [torch.as_tensor(np.eye(count)[group], device=device) for group in groups]
    sums = [torch.zeros((size, count), dtype=torch.float64, device=device) for size in (n, m)]
    for rows in blocks(n, 8 * width):
        block = _block(first, rows, device)
        for others in blocks(m, 8 * max(width, len(block))):
            kernel = (block @ _block(second, others, device).T / width + 1) ** 3
            sums[0][rows] += kernel @ members[1][others]
            sums[1][others] += kernel.T @ members[0][rows]
    return sums[0].cpu().numpy(), sums[1].cpu().numpy()


def own_sums(
    vectors: Vectors, groups: np.ndarray, count: int, device: str | torch.device = "cpu"
) -> np.ndarray:
    """As `kernel_sums` of a set with itself, each image without itself: [N, G]."""
    sums, _ = kernel_sums(vectors, vectors, (groups, groups), count, device)
    size, width = vectors.shape
    for rows in blocks(size, 8 * width):
        lengths = (_block(vectors, rows, "cpu") ** 2).sum(dim=1).numpy()
        sums[np.arange(rows.start, rows.stop), groups[rows]] -= (lengths / width + 1) ** 3
    return sums


def _block(vectors: Vectors, rows: slice, device: str | torch.device) -> torch.Tensor:
    return torch.as_tensor(np.array(vectors[rows])).to(device, torch.float64)


@dataclass(frozen=True)
class KernelReference:
    """Real images as KID takes them: from `origin`, over `scale`.

    vectors: [M, D], scaled; labels: int [M], below `classes`; sums: float64 [M, C], of the kernel
    of each image to the others of each class.
    """

    vectors: Vectors
    labels: np.ndarray
    classes: int
    origin: float
    scale: float
    sums: np.ndarray
    device: torch.device

    def compare(self, vectors: Vectors, labels: np.ndarray) -> "KernelComparison":
        """Kernel sums of other images [N, D] of classes int [N] with these."""
        scaled = Scaled(vectors, self.origin, self.scale)
        own = own_sums(scaled, labels, self.classes, self.device)
        both = labels, self.labels
        across, back = kernel_sums(scaled, self.vectors, both, self.classes, self.device)
        return KernelComparison(np.block([[own, across], [back, self.sums]]), *both)


def kernel_reference(
    vectors: Vectors,
    labels: np.ndarray,
    classes: int,
    origin: float = 0.0,
    device: str | torch.device = "cpu",
) -> KernelReference:
    """Real images [M, D] of classes int [M]; scaled to coordinates of mean square 1.

    Without a scale the kernel of vectors of length 1 would be all but linear, as x.y/d is at most
    1/d, and KID would compare nothing but means.
    """
    scale = scale_of(vectors, origin)
    scaled = Scaled(vectors, origin, scale)
    sums = own_sums(scaled, labels, classes, device)
    return KernelReference(scaled, labels, classes, origin, scale, sums, torch.device(device))


@dataclass(frozen=True)
class KernelComparison:
    """sums: float64 [N + M, 2 C], kernel sums of generated and then real images.

    First to the generated images of each class, then to the real ones; generated, real: classes
    of the images, int [N] and [M].
    """

    sums: np.ndarray
    generated: np.ndarray
    real: np.ndarray

    def of_all(self, shares: np.ndarray) -> tuple[Estimate, np.ndarray]:
        """KID of all images from real ones mixed with these shares [C], none 0.

        And what each image contributes to it, [N + M], of the generated and of the real images.
        """
        classes = len(shares)
        own = self.sums[:, :classes].sum(axis=1, keepdims=True)
        sums = np.hstack([own, self.sums[:, classes:]])
        groups = np.concatenate([np.zeros_like(self.generated), self.real + 1])
        signs = np.array([1, *-shares])
        weights = np.outer(signs, signs)
        return weighted(sums, groups, weights), weighted_values(sums, groups, weights)

    def of_class(self, label: int) -> Estimate:
        """KID of the generated images of a class from the real ones of that class."""
        own, real = (np.flatnonzero(labels == label) for labels in (self.generated, self.real))
        rows = np.concatenate([own, len(self.generated) + real])
        columns = [label, self.sums.shape[1] // 2 + label]
        groups = np.repeat([0, 1], [len(own), len(real)])
        return weighted(self.sums[np.ix_(rows, columns)], groups, np.array([[1, -1], [-1, 1]]))
