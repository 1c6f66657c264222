"""Exact nearest neighbours among sets that need not fit in memory.

Candidates are found by matrix products in float32, block by block; their distances are then
computed again from differences in float64. A bound on the rounding of the products says whether a
neighbour could have been missed, and where it could, more candidates are looked at: the result is
that of comparing every pair in float64.
"""

from collections.abc import Iterator
from typing import Any, Protocol, get_args

import numpy as np
import torch
from torch import Tensor

from depthbias.system.compute import without_tf32
from depthbias.system.errors import UserError
from depthbias.vision.embeddings import Metric

BLOCK_BYTES = 1 << 28  # of any one temporary array: about 1 GB in all
SPARE = 64  # candidates looked at beyond k
CACHED = 32  # blocks of candidates are so many times smaller: they are read more than once
DIFFERENCES = "donot_use_mm_for_euclid_dist"
UNIT_ROUNDOFF = 2.0**-24  # of float32


class Vectors(Protocol):
    """N vectors of D numbers, read by slices and integer arrays: an array, a memory map, `Rows`."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, D)."""

    def __getitem__(self, rows: Any) -> np.ndarray:
        """The vectors of some rows."""


class Rows:
    """Chosen rows of an array, in that order, as vectors [n, D]; read only when asked for.

    array: [N, ...] of any number type, such as a memory map of images; rows: int [n].
    """

    def __init__(self, array: np.ndarray, rows: np.ndarray) -> None:
        self._array, self._rows = array, np.asarray(rows)
        self.shape = (len(self._rows), int(np.prod(array.shape[1:])))

    def __getitem__(self, rows: Any) -> np.ndarray:
        chosen = self._rows[rows]
        return np.asarray(self._array[chosen]).reshape(*np.shape(chosen), self.shape[1])


def nearest(
    queries: Vectors,
    reference: Vectors,
    k: int,
    metric: Metric = "euclidean",
    device: str | torch.device = "cpu",
) -> tuple[np.ndarray, np.ndarray]:
    """(distances, indices) [N, k] of the k nearest of reference [M, D] for each of queries [N, D].

    Nearest first; of equally near ones the lower index first. Distances are float64: |a - b|, or
    1 - cos(a, b) = |a/|a| - b/|b||^2 / 2, which stays precise for near duplicates. Inputs: real
    numbers of any type in arrays, memory maps or `Rows`; beyond them and the result about 1 GB of
    memory is needed. UserError for k beyond M, for different D, for values that are not finite, and
    for vectors without a direction (all zero) under cosine.
    """
    if metric not in get_args(Metric):
        raise UserError(f"metric {metric!r} is none of {', '.join(get_args(Metric))}")
    (count, width), (available, other) = queries.shape, reference.shape
    if width != other:
        raise UserError(
            f"queries have {width} dimensions and the reference {other}: embed both in the same way"
        )
    if not 1 <= k <= available:
        raise UserError(
            f"{k} nearest of {available} images: ask for 1 to {available}, or give more images"
        )
    search = _Search(reference, metric, torch.device(device))
    distances, indices = np.empty((count, k)), np.empty((count, k), dtype=np.int64)
    with without_tf32():  # the bound does not allow its rounding
        for rows in blocks(count, 8 * width):
            block = search.prepare(queries[rows], "query", rows.start)
            distances[rows], indices[rows] = search.nearest(block, k, k + SPARE)
    return distances, indices


def nearest_others(
    reference: Vectors,
    rows: np.ndarray,
    k: int,
    metric: Metric = "euclidean",
    device: str | torch.device = "cpu",
) -> tuple[np.ndarray, np.ndarray]:
    """As `nearest`, for the rows [n] of the reference itself, each among all the others."""
    rows = np.asarray(rows)
    available = reference.shape[0]
    if not 1 <= k < available:
        raise UserError(
            f"{k} nearest others of {available} images: ask for 1 to {available - 1}, or give more"
        )
    distances, indices = nearest(Chosen(reference, rows), reference, k + 1, metric, device)
    own = indices == rows[:, None]
    own[~own.any(axis=1), -1] = True  # more than k exact copies of it come first: drop the last
    kept = np.nonzero(~own)
    return distances[kept].reshape(-1, k), indices[kept].reshape(-1, k)


def distance_blocks(
    queries: Vectors,
    reference: Vectors,
    metric: Metric = "euclidean",
    device: str | torch.device = "cpu",
) -> Iterator[tuple[slice, slice, np.ndarray]]:
    """(rows of the queries, rows of the reference, their distances [n, m]), until all pairs came.

    Distances and errors as in `nearest`; float64 differences of every pair, about 1 GB of memory.
    """
    search = _Search(reference, metric, torch.device(device))
    count, width = queries.shape
    for rows in blocks(count, 8 * width):
        block = search.prepare(queries[rows], "query", rows.start)
        for others in blocks(search.count, 8 * max(width, len(block))):
            distances = torch.cdist(block, search.block(others), compute_mode=DIFFERENCES)
            if metric == "cosine":
                distances = distances**2 / 2
            yield rows, others, distances.cpu().numpy()


class Chosen:
    """Chosen rows [n] of any `Vectors`, in that order; read only when asked for."""

    def __init__(self, vectors: Vectors, rows: np.ndarray) -> None:
        self._vectors, self._rows = vectors, rows
        self.shape = (len(rows), vectors.shape[1])

    def __getitem__(self, rows: Any) -> np.ndarray:
        return self._vectors[self._rows[rows]]


class _Search:
    """Neighbours of prepared queries among one reference set."""

    def __init__(self, reference: Vectors, metric: Metric, device: torch.device) -> None:
        self.reference, self.metric, self.device = reference, metric, device
        self.count, self.width = reference.shape
        self._whole: Tensor | None = None  # all of the reference, prepared, if it is small
        if 8 * self.count * self.width <= BLOCK_BYTES:
            self._whole = self.prepare(reference[:], "reference image", 0)

    def prepare(self, block: np.ndarray, kind: str, first: int) -> Tensor:
        """A block [n, D], checked, as float64 on the device, of unit length under cosine."""
        vectors = torch.as_tensor(np.array(block)).to(self.device, torch.float64)
        finite = torch.isfinite(vectors.sum(dim=1))  # NaN and infinity stay in a sum
        if not finite.all():
            row = first + int((~finite).nonzero()[0])
            raise UserError(
                f"{kind} {row}: its {self.width} values are not all finite: embed the images again"
            )
        if self.metric == "euclidean":
            return vectors
        lengths = vectors.norm(dim=1, keepdim=True)
        if not lengths.all():
            row = first + int((lengths[:, 0] == 0).nonzero()[0])
            raise UserError(
                f"{kind} {row}: all of its values are 0, so it has no direction and no cosine: "
                "leave that image out or use the euclidean metric"
            )
        return vectors / lengths

    def block(self, rows: slice) -> Tensor:
        """Rows of the reference, prepared and checked."""
        if self._whole is not None:
            return self._whole[rows]
        return self.prepare(self.reference[rows], "reference image", rows.start)

    def _gather(self, rows: Tensor) -> Tensor:
        """Rows int [...] of the reference, prepared: [..., D]; they were checked before."""
        if self._whole is not None:
            return self._whole[rows]
        block = np.array(self.reference[rows.flatten().cpu().numpy()])
        vectors = torch.as_tensor(block).to(self.device, torch.float64)
        if self.metric == "cosine":
            vectors /= vectors.norm(dim=1, keepdim=True)
        return vectors.view(*rows.shape, self.width)

    def nearest(self, queries: Tensor, k: int, candidates: int) -> tuple[np.ndarray, np.ndarray]:
        """Distances and indices [n, k] for prepared queries, looking at so many candidates each."""
        candidates = min(candidates, self.count)
        rows, floor = self._candidates(queries, k, candidates)
        squares, indices = self._refine(queries, rows, k)
        distances = squares.sqrt() if self.metric == "euclidean" else squares / 2
        found = distances.cpu().numpy(), indices.cpu().numpy()
        # All that was left out is at least `floor` away, so a k-th one nearer than that is certain.
        doubtful = (~(squares[:, -1] < floor)).nonzero()[:, 0]  # also if float32 overflowed
        if candidates < self.count and len(doubtful):
            again = self.nearest(queries[doubtful], k, 4 * candidates)
            for part, better in zip(found, again, strict=True):
                part[doubtful.cpu().numpy()] = better
        return found

    def _candidates(self, queries: Tensor, k: int, count: int) -> tuple[Tensor, Tensor]:
        """Rows that look nearest in float32, [n, k to count]; what squares of all but the `count`
        nearest reach [n]. A row that is left out in spite of that is certainly behind the k-th."""
        origin = queries.mean(dim=0)  # distances do not depend on it, rounding does
        centred = queries - origin
        left, length = centred.float(), centred.norm(dim=1)
        best = torch.empty((len(queries), 0), device=self.device)
        rows = torch.empty((len(queries), 0), dtype=torch.int64, device=self.device)
        farthest = torch.zeros((), dtype=torch.float64, device=self.device)
        for block in blocks(self.count, max(8 * self.width, 4 * len(queries))):
            vectors = self.block(block) - origin
            squares = (vectors * vectors).sum(dim=1)
            farthest = torch.maximum(farthest, squares.max().sqrt())
            scores = torch.addmm(squares.float(), left, vectors.float().T, alpha=-2)
            here = torch.arange(block.start, block.stop, device=self.device)
            scores, picked = scores.topk(min(count, scores.shape[1]), dim=1, largest=False)
            best, rows = torch.cat([best, scores], dim=1), torch.cat([rows, here[picked]], dim=1)
            best, picked = best.topk(min(count, best.shape[1]), dim=1, largest=False)
            rows = rows.gather(1, picked)
        # A product of D terms is off by at most D u |a| |b|, in whatever order it is summed
        # (Higham, Accuracy and Stability, 3.1); 8 more for rounding vectors, squares and sum.
        error = 2 * (self.width + 8) * UNIT_ROUNDOFF * farthest * (length + farthest)
        behind = best > best[:, k - 1 : k] + 2 * error[:, None]  # false where float32 overflowed
        kept = int((~behind).sum(dim=1).max())
        return rows[:, :kept], best[:, -1].double() + length**2 - error

    def _refine(self, queries: Tensor, rows: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """Squares and indices [n, k] of the nearest of rows [n, m], by differences in float64."""
        rows = rows.sort(dim=1).values  # a stable sort by distance then keeps the lower index first
        squares = torch.empty(rows.shape, dtype=torch.float64, device=self.device)
        for part in blocks(len(rows), 8 * CACHED * rows.shape[1] * self.width):
            pairs = queries[part, None], self._gather(rows[part])
            squares[part] = torch.cdist(*pairs, compute_mode=DIFFERENCES)[:, 0] ** 2
        squares, order = squares.sort(dim=1, stable=True)
        return squares[:, :k], rows.gather(1, order)[:, :k]


def blocks(count: int, bytes_each: int) -> Iterator[slice]:
    """Slices that cover range(count), each of at most BLOCK_BYTES (but one row at least)."""
    step = max(1, BLOCK_BYTES // bytes_each)
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))
