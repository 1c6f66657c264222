"""The quality of generated images against held-out real ones: measures of every run of a study."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np
import torch

from depthbias.data.subsets import subset_of
from depthbias.estimates.intervals import Estimate, mixed_share, wilson
from depthbias.estimates.measurements import Measured, mean_of
from depthbias.estimates.runs import ALL, REAL, Run
from depthbias.measures.kid import KernelComparison, KernelReference, kernel_reference
from depthbias.measures.manifolds import Manifold
from depthbias.measures.nearest import Chosen, Vectors
from depthbias.measures.neighbor_sets import NeighborData, of_run, read_embedded_samples
from depthbias.measures.quality import (
    Balls,
    balls,
    covers,
    expected_coverage,
    held,
    held_by_others,
)
from depthbias.measures.samples import same_noise
from depthbias.system.errors import UserError
from depthbias.vision.embeddings import Metric

MID_GREY = 127.5  # pixels of 0 to 255 are as far from it as those of -1 to 1 are from 0
TRENDS = ("precision", "recall", "density", "coverage", "kid")


class Images(NamedTuple):
    """Vectors [N, D] in one embedding, with the classes of the images, int [N]."""

    vectors: Vectors
    labels: np.ndarray

    def of_class(self, label: int, most: int | None = None) -> Vectors:
        """The images of a class, or the first of them."""
        return Chosen(self.vectors, np.flatnonzero(self.labels == label)[:most])


@dataclass(frozen=True)
class Reference:
    """The held-out images in one embedding.

    manifolds: the balls of each class; accepted: bool [M_c, K] of each class, which of its images
    lie in a ball of another one; kernel: as KID takes them.
    """

    embedding: str
    classes: Sequence[str]
    manifolds: Sequence[Balls]
    accepted: Sequence[np.ndarray]
    kernel: KernelReference

    @property
    def ks(self) -> tuple[int, ...]:
        """The nearest neighbours that balls reach to."""
        return self.manifolds[0].ks

    def metric(self, name: str) -> str:
        """A measure in this embedding."""
        return f"{name}:{self.embedding}"


class Quality(NamedTuple):
    """The measures of one run, and which of its images lie on the manifold of their class.

    accepted: bool [N, K] in every embedding.
    """

    run: Run
    measured: list[Measured]
    accepted: dict[str, np.ndarray]


def reference(
    embedding: str,
    metric: Metric,
    images: Images,
    classes: Sequence[str],
    ks: Sequence[int],
    device: torch.device,
) -> Reference:
    """The held-out images, prepared; UserError for a class with no more than k of them."""
    manifolds = []
    for label, name in enumerate(classes):
        own = images.of_class(label)
        if own.shape[0] <= max(ks):
            raise UserError(
                f"quality.k: {max(ks)} needs more than {own.shape[0]} held-out images of class "
                f"{name}: lower it, or raise data.heldout"
            )
        manifolds.append(balls(own, ks, metric, device))
    accepted = [held_by_others(manifold) > 0 for manifold in manifolds]
    origin = MID_GREY if embedding == "pixels" else 0.0
    kernel = kernel_reference(images.vectors, images.labels, len(classes), origin, device)
    return Reference(embedding, classes, manifolds, accepted, kernel)


def references(study: NeighborData, ks: Sequence[int], device: torch.device) -> list[Reference]:
    """The held-out images of a study in every embedding."""
    real = study.real
    rows, labels = real.rows[real.heldout], real.heldout_labels
    return [
        reference(name, metric, Images(study.of_real(name, rows), labels), real.classes, ks, device)
        for name, metric in study.metrics.items()
    ]


def of_runs(study: NeighborData, real: Sequence[Reference]) -> Iterator[Quality]:
    """The quality of every run."""
    for path, model in study.runs:
        images = read_embedded_samples(path, model)
        trained = subset_of(study.subsets, model.path, model.run.ratio, model.run.seed).proportions
        found = Quality(model.run, [], {})
        for each in real:
            generated = Images(of_run(each.embedding, images, model), model.labels)
            measured, accepted = of_generated(each, model.run, generated, trained)
            found.measured.extend(measured)
            found.accepted[each.embedding] = accepted
        yield found


def of_generated(
    real: Reference, run: Run, generated: Images, trained: np.ndarray
) -> tuple[list[Measured], np.ndarray]:
    """(all measures of one run, which images lie on the manifold of their class, bool [N, K]).

    trained: proportions of the training images [C]; recall and coverage of all images, and KID of
    all, are those of held-out images mixed so.
    """
    counts = np.zeros((len(generated.labels), len(real.ks)), dtype=np.int64)
    for label, manifold in enumerate(real.manifolds):
        counts[generated.labels == label] = held(generated.of_class(label), manifold)
    measured = [
        *_precisions(real, run, counts, generated.labels),
        *_recalls(real, run, generated, trained),
        *_distances(real, run, real.kernel.compare(*generated), trained),
    ]
    return measured, counts > 0


def of_heldout(
    real: Reference, study: str, proportions: Mapping[str, np.ndarray]
) -> Iterator[Measured]:
    """What new real images would reach, for every ratio, mixed with its training proportions [C].

    Precision: the held-out images among the others, leaving one out. Recall: the same, as both sets
    then are of one kind. Expected of as many new images: density 1, KID 0, `expected_coverage`.
    """
    sizes = np.array([len(flags) for flags in real.accepted])
    for ratio, trained in proportions.items():
        run = Run(study, ratio, REAL, ALL)
        yield from _expected(real, run, "kid", 0, np.zeros(len(sizes)), trained)
        for column, k in enumerate(real.ks):
            accepted = [_share(flags[:, column]) for flags in real.accepted]
            yield from _mixed(real, run, "precision", k, accepted, trained)
            yield from _mixed(real, run, "recall", k, accepted, trained)
            yield from _expected(real, run, "density", k, np.ones(len(sizes)), trained)
            covered = np.array([expected_coverage(size, size, [k])[0] for size in sizes])
            yield from _expected(real, run, "coverage", k, covered, trained)


def manifold_of(
    study: NeighborData,
    real: Sequence[Reference],
    found: Sequence[Quality],
    embedding: str,
    k: int,
) -> Manifold:
    """Which images of all runs lie on the manifold, in one embedding and for one k.

    UserError for runs from different noise.
    """
    models = [model for _, model in study.runs]
    for model in models:
        if not same_noise(model, models[0]):
            raise UserError(
                f"{model.path}: not from the same noise as {models[0].path}: sample and embed again"
            )
    [chosen] = [each for each in real if each.embedding == embedding]
    column = chosen.ks.index(k)
    return Manifold(
        tuple(one.run for one in found),
        models[0].noise,
        np.stack([one.accepted[embedding][:, column] for one in found]),
        acceptance=np.array([flags[:, column].mean() for flags in chosen.accepted]),
        heldout=np.array([len(flags) for flags in chosen.accepted]),
        k=k,
        embedding=embedding,
        classes=tuple(chosen.classes),
    )


def _precisions(
    real: Reference, run: Run, counts: np.ndarray, labels: np.ndarray
) -> Iterator[Measured]:
    """Precision and density; counts: balls of its class that hold each image, int [N, K].

    Of all images it is kept which are accepted, so that models can be compared image by image.
    """
    precision, density = real.metric("precision"), real.metric("density")
    groups = {"": slice(None)} | {name: labels == c for c, name in enumerate(real.classes)}
    for (column, k), (name, own) in product(enumerate(real.ks), groups.items()):
        inside = counts[own, column]
        kept = None if name else (inside > 0).astype(np.float64)
        share = _share(inside > 0)
        yield Measured(run, precision, share, share=True, class_name=name, k=k, values=kept)
        yield mean_of(inside / k, run, density, name, k)


def _recalls(
    real: Reference, run: Run, generated: Images, trained: np.ndarray
) -> Iterator[Measured]:
    """Recall and coverage of each class and of all.

    Both grow with the number of generated images, so no more of a class are taken than there are
    held-out ones. Recall is NaN where these are no more than k.
    """
    recalled, covered = [], []
    for label, manifold in enumerate(real.manifolds):
        first = generated.of_class(label, most=len(manifold.radii))
        own = balls(first, real.ks, manifold.metric, manifold.device)
        recalled.append(held(manifold.vectors, own) > 0)
        covered.append(covers(first, manifold))
    sizes = np.bincount(generated.labels, minlength=len(real.classes))
    for column, k in enumerate(real.ks):
        shares = [
            _share(flags[:, column]) if size > k else Estimate(np.nan, np.nan, np.nan, len(flags))
            for flags, size in zip(recalled, sizes, strict=True)
        ]
        yield from _mixed(real, run, "recall", k, shares, trained)
        shares = [_share(flags[:, column]) for flags in covered]
        yield from _mixed(real, run, "coverage", k, shares, trained)


def _mixed(
    real: Reference, run: Run, name: str, k: int, shares: Sequence[Estimate], trained: np.ndarray
) -> Iterator[Measured]:
    """A share of the held-out images of each class, and of all, mixed with shares [C]."""
    metric = real.metric(name)
    yield Measured(run, metric, mixed_share(shares, trained), share=True, k=k)
    for class_name, share in zip(real.classes, shares, strict=True):
        yield Measured(run, metric, share, share=True, class_name=class_name, k=k)


def _expected(
    real: Reference, run: Run, name: str, k: int, values: np.ndarray, trained: np.ndarray
) -> Iterator[Measured]:
    """What is known without an error of each class, [C], and of all, mixed with shares [C]."""
    sizes = [len(flags) for flags in real.accepted]
    found = [(trained @ values, sum(sizes), ""), *zip(values, sizes, real.classes, strict=True)]
    for value, n, class_name in found:
        estimate = Estimate(float(value), np.nan, np.nan, n)
        yield Measured(run, real.metric(name), estimate, class_name=class_name, k=k)


def _distances(
    real: Reference, run: Run, compared: KernelComparison, trained: np.ndarray
) -> Iterator[Measured]:
    """KID of all images and of each class."""
    metric, images = real.metric("kid"), len(compared.generated)
    estimate, values = compared.of_all(trained)
    yield Measured(run, metric, estimate._replace(n=images), values=values)
    for label, name in enumerate(real.classes):
        estimate = compared.of_class(label)
        n = int(np.count_nonzero(compared.generated == label))
        yield Measured(run, metric, estimate._replace(n=n), class_name=name)


def _share(flags: np.ndarray) -> Estimate:
    """The share of images that have a property, bool [N], with Wilson's interval."""
    return wilson(int(np.count_nonzero(flags)), len(flags))
