"""The quality of generated images against held-out real ones: measures of every run of a study."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from depthbias.data.subsets import subset_of
from depthbias.estimates.intervals import stream, wilson
from depthbias.estimates.measurements import Measured, mean_of
from depthbias.estimates.runs import ALL, REAL, Run
from depthbias.measures.kid import KernelComparison, KernelReference, kernel_reference
from depthbias.measures.nearest import Chosen, Vectors
from depthbias.measures.neighbor_sets import NeighborData, of_run, read_embedded_samples
from depthbias.measures.quality import Balls, Hits, balls, held, hits
from depthbias.system.errors import UserError
from depthbias.vision.embeddings import Metric

MID_GREY = 127.5  # pixels of 0 to 255 are as far from it as those of -1 to 1 are from 0
TRENDS = ("precision", "recall", "density", "coverage", "kid")


class QualitySettings(NamedTuple):
    """ks: the nearest neighbours that balls reach to."""

    ks: Sequence[int]
    device: torch.device


class Images(NamedTuple):
    """Vectors [N, D] in one embedding, with the classes of the images, int [N]."""

    vectors: Vectors
    labels: np.ndarray

    def of(self, rows: np.ndarray) -> "Images":
        """Some of them."""
        return Images(Chosen(self.vectors, rows), self.labels[rows])


@dataclass(frozen=True)
class Reference:
    """The held-out images in one embedding.

    balls: of all images, under None, and of the images of each class; kernel: as KID takes them.
    """

    embedding: str
    classes: Sequence[str]
    images: Images
    balls: dict[int | None, Balls]
    kernel: KernelReference
    settings: QualitySettings

    def name(self, label: int | None) -> str:
        """The class in a row; "" for all."""
        return "" if label is None else self.classes[label]


def reference(
    embedding: str,
    metric: Metric,
    images: Images,
    classes: Sequence[str],
    settings: QualitySettings,
) -> Reference:
    """The held-out images, prepared; UserError where half of a class has no k others."""
    ks, device = settings
    found: dict[int | None, Balls] = {}
    for label, name in [(None, ""), *enumerate(classes)]:
        own = _of_class(images, label)
        if len(own.labels) // 2 <= max(ks):
            raise UserError(
                f"quality.k: {max(ks)} needs {2 * max(ks) + 2} held-out images a class, and class "
                f"{name} has {len(own.labels)}: lower it, or raise data.heldout"
            )
        found[label] = balls(own.vectors, ks, metric, device)
    origin = MID_GREY if embedding == "pixels" else 0.0
    kernel = kernel_reference(images.vectors, images.labels, len(classes), origin, device)
    return Reference(embedding, classes, images, found, kernel, settings)


def measure(study: NeighborData, settings: QualitySettings) -> Iterator[list[Measured]]:
    """The measures of the held-out images, and then of every run, in every embedding."""
    real = study.real
    rows, labels = real.rows[real.heldout], real.heldout_labels
    references = [
        reference(name, metric, Images(study.of_real(name, rows), labels), real.classes, settings)
        for name, metric in study.metrics.items()
    ]
    run = Run(study.study, ALL, REAL, ALL)
    yield [found for each in references for found in of_heldout(each, run)]
    for path, model in study.runs:
        images = read_embedded_samples(path, model)
        subset = subset_of(study.subsets, model.path, model.run.ratio, model.run.seed)
        found: list[Measured] = []
        for each in references:
            generated = Images(of_run(each.embedding, images, model), model.labels)
            found += of_generated(each, model.run, generated, subset.proportions)
        yield found


def of_generated(
    real: Reference, run: Run, generated: Images, proportions: np.ndarray
) -> Iterator[Measured]:
    """All measures of one run: of all its images, and of each class.

    proportions: of the training images [C]; KID compares all images with held-out ones mixed so.
    """
    for label, reached in real.balls.items():
        own = _of_class(generated, label)
        found = hits(balls(own.vectors, reached.ks, reached.metric, reached.device), reached)
        yield from _shares(found, run, real.embedding, real.name(label))
    yield from _distances(real, run, real.kernel.compare(*generated), proportions)


def of_heldout(real: Reference, run: Run) -> Iterator[Measured]:
    """What real images reach: the measures of the held-out images, of all and of each class.

    Precision: each image among the others, leaving one out. The rest: a random half of every class
    stands for generated images, and the other half for the held-out ones.
    """
    metric, (first, second) = f"precision:{real.embedding}", _halves(real)
    for label, own in real.balls.items():
        accepted = held(own.vectors, own, others=True) > 0
        for column, k in enumerate(own.ks):
            yield _share(accepted[:, column], run, metric, real.name(label), k)
        sides = [_of_class(real.images.of(rows), label).vectors for rows in (first, second)]
        found = hits(*(balls(side, own.ks, own.metric, own.device) for side in sides))
        for measured in _shares(found, run, real.embedding, real.name(label)):
            if measured.metric != metric:
                yield measured
    half = real.images.of(first)
    equal = np.full(len(real.classes), 1 / len(real.classes))
    yield from _distances(real, run, real.kernel.of(second).compare(*half), equal)


def _of_class(images: Images, label: int | None) -> Images:
    """The images of a class; None: all."""
    return images if label is None else images.of(np.flatnonzero(images.labels == label))


def _halves(real: Reference) -> tuple[np.ndarray, np.ndarray]:
    """Rows of two random halves of the held-out images of every class, the first at most as large."""
    halves: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for label, name in enumerate(real.classes):
        rows = stream("halves", name).permutation(np.flatnonzero(real.images.labels == label))
        for half, part in zip(halves, np.split(rows, [len(rows) // 2]), strict=True):
            half.append(part)
    first, second = (np.sort(np.concatenate(half)) for half in halves)
    return first, second


def _shares(found: Hits, run: Run, embedding: str, name: str) -> Iterator[Measured]:
    """Precision, density, recall and coverage, for every k."""
    for column, k in enumerate(found.ks):
        accepted, densities = found.accepted[:, column], found.densities[:, column]
        yield _share(accepted, run, f"precision:{embedding}", name, k)
        yield mean_of(densities, run, f"density:{embedding}", name, k)
        if len(accepted) > k:  # else the images have no balls
            yield _share(found.recalled[:, column], run, f"recall:{embedding}", name, k)
        yield _share(found.covered[:, column], run, f"coverage:{embedding}", name, k)


def _share(flags: np.ndarray, run: Run, metric: str, name: str, k: int) -> Measured:
    """The share of images that have a property, bool [N], with Wilson's interval.

    Where models can be compared image by image, it is kept of which: of all generated images, in
    the order of their noise, or of all held-out images.
    """
    estimate = wilson(int(np.count_nonzero(flags)), len(flags))
    kept = flags.astype(np.float64) if run.sampler and not name else None
    return Measured(run, metric, estimate, share=True, class_name=name, k=k, values=kept)


def _distances(
    real: Reference, run: Run, compared: KernelComparison, proportions: np.ndarray
) -> Iterator[Measured]:
    """KID of all images and of each class."""
    metric, images = f"kid:{real.embedding}", len(compared.generated)
    estimate, values = compared.of_all(proportions)
    kept = values if run.sampler else None
    yield Measured(run, metric, estimate._replace(n=images), values=kept)
    for label, name in enumerate(real.classes):
        estimate, _ = compared.of_class(label)
        n = int(np.count_nonzero(compared.generated == label))
        yield Measured(run, metric, estimate._replace(n=n), class_name=name)
