"""How near images are to the training images: models, held-out images and the training images."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch

from depthbias.estimates.measurements import Measured, mean_of, share_of
from depthbias.estimates.runs import TRAIN, Run
from depthbias.measures.copied_training import copied_shares, copies_of_each
from depthbias.measures.copies import authentic, copies, memorised, relative_distances
from depthbias.measures.nearest import Vectors, nearest, nearest_others
from depthbias.vision.embeddings import Metric

GAUSS_IMAGES = 100  # images behind gl_pixel, as in [GAUSS] eq. 14
TRENDS = ("nn_distance", "nn_cosine")


class NeighborSettings(NamedTuple):
    """ks: neighbours to report; copies: {embedding: cosine above which images are copies}."""

    ks: Sequence[int]
    copies: Mapping[str, float]
    device: torch.device

    @property
    def depth(self) -> int:
        """Neighbours that have to be found: the memorised share takes two."""
        return max(2, *self.ks)


@dataclass(frozen=True)
class Queries:
    """Images that are compared with the training images.

    run: what they are; images: uint8 [N, H, W, C]; labels: int [N]; overall_rows: those that stand
    for all classes together (a mix of held-out images with the training proportions, else all).
    """

    run: Run
    images: np.ndarray
    labels: np.ndarray
    overall_rows: np.ndarray


@dataclass(frozen=True)
class Neighbours:
    """Neighbours among the training images in one embedding.

    distances, indices: [N, k]; gap: [N], from the nearest training image to its nearest other one;
    copied: [M], how many of the images that stand for all classes copy each training image, None
    where copies are not told in this embedding.
    """

    embedding: str
    metric: Metric
    distances: np.ndarray
    indices: np.ndarray
    gap: np.ndarray
    copied: np.ndarray | None = None


def find(
    embedding: str,
    metric: Metric,
    queries: Vectors,
    training: Vectors,
    options: NeighborSettings,
    overall: np.ndarray,
) -> Neighbours:
    """The neighbours of `queries` [N, D] among `training` [M, D].

    overall: rows of the queries that copies of training images are looked for in.
    """
    nearby = nearest(queries, training, options.depth, metric, options.device)
    copied = None
    if embedding == "pixels":
        closest = nearby[1][overall, 0][memorised(nearby[0][overall])]
        copied = np.bincount(closest, minlength=training.shape[0])
    elif embedding in options.copies:
        threshold = options.copies[embedding]
        copied = copies_of_each(queries[overall], training, threshold, options.device)
    return replace(_with_gap(embedding, metric, nearby, training, options), copied=copied)


def find_others(
    embedding: str, metric: Metric, rows: np.ndarray, training: Vectors, options: NeighborSettings
) -> Neighbours:
    """The neighbours of training images, rows [N] of `training`, among all the others."""
    nearby = nearest_others(training, rows, options.depth, metric, options.device)
    return _with_gap(embedding, metric, nearby, training, options)


def _with_gap(
    embedding: str,
    metric: Metric,
    nearby: tuple[np.ndarray, np.ndarray],
    training: Vectors,
    options: NeighborSettings,
) -> Neighbours:
    closest, inverse = np.unique(nearby[1][:, 0], return_inverse=True)
    gap, _ = nearest_others(training, closest, 1, metric, options.device)
    return Neighbours(embedding, metric, *nearby, gap[inverse, 0])


def measures_of(
    queries: Queries,
    neighbours: Neighbours,
    training_labels: np.ndarray,
    classes: Sequence[str],
    options: NeighborSettings,
) -> Iterator[Measured]:
    """All measures of one set of images in one embedding, those of the training images as well.

    training_labels: int [M].
    """
    yield from closeness(queries, neighbours, classes, options)
    if neighbours.copied is not None:
        run, name, generated = queries.run, neighbours.embedding, len(queries.overall_rows)
        yield from copied_shares(run, name, neighbours.copied, generated, training_labels, classes)


def closeness(
    queries: Queries, neighbours: Neighbours, classes: Sequence[str], options: NeighborSettings
) -> Iterator[Measured]:
    """All measures of one set of images in one embedding, overall and for each class."""
    yield from _measures(queries, neighbours, queries.overall_rows, "", options)
    for label, name in enumerate(classes):
        yield from _measures(
            queries, neighbours, np.flatnonzero(queries.labels == label), name, options
        )


def _measures(
    queries: Queries,
    neighbours: Neighbours,
    rows: np.ndarray,
    class_name: str,
    options: NeighborSettings,
) -> Iterator[Measured]:
    run, suffix, distances = queries.run, neighbours.embedding, neighbours.distances[rows]
    cosine = neighbours.metric == "cosine"
    kind, values = ("cosine", 1 - distances) if cosine else ("distance", distances)
    for k in options.ks:
        yield mean_of(values[:, k - 1], run, f"nn_{kind}:{suffix}", class_name, k)
        yield mean_of(values[:, :k].mean(axis=1), run, f"nn_{kind}_mean:{suffix}", class_name, k)
    if run.architecture != TRAIN:  # there it is 1: the neighbour's own nearest is at most as far
        own = authentic(distances[:, 0], neighbours.gap[rows])
        yield share_of(own, run, f"authentic_share:{suffix}", class_name)
    if suffix in options.copies:
        copied = copies(values[:, 0], options.copies[suffix])
        yield share_of(copied, run, f"copied_share:{suffix}", class_name)
        yield share_of(~copied, run, f"gl_score:{suffix}", class_name)
    if suffix == "pixels":
        yield share_of(memorised(distances), run, f"memorised_share:{suffix}", class_name)
        first = rows[:GAUSS_IMAGES]
        relative = relative_distances(queries.images[first], neighbours.distances[first, 0])
        yield mean_of(relative, run, f"gl_pixel:{suffix}", class_name)


def closest(
    queries: Queries, neighbours: Neighbours, training: np.ndarray, count: int
) -> list[dict[str, Any]]:
    """The `count` pairs of an image and its nearest training image that are nearest of all.

    training: rows of the data set [M]. index: of the image among the queries; row: in the data set;
    value: the distance, or the cosine similarity.
    """
    order = np.argsort(neighbours.distances[:, 0], kind="stable")[:count]
    values = neighbours.distances[order, 0]
    return [
        queries.run._asdict()
        | {
            "embedding": neighbours.embedding,
            "rank": rank + 1,
            "index": int(index),
            "row": int(training[neighbours.indices[index, 0]]),
            "value": float(1 - value if neighbours.metric == "cosine" else value),
        }
        for rank, (index, value) in enumerate(zip(order, values, strict=True))
    ]
