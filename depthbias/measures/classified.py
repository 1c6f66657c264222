"""The generated images of every run of a study as they count in the arms of a measurement."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from depthbias.data.subsets import Subset, check_classes, subset_of
from depthbias.estimates.intervals import stream
from depthbias.estimates.runs import Run
from depthbias.measures.manifolds import Manifold, read_manifold
from depthbias.measures.samples import read_classes, same_noise
from depthbias.system.errors import UserError


@dataclass(frozen=True)
class Classified:
    """The classified samples of one run beside the class proportions that it was trained on.

    labels: most probable class, int [N]; decided: whether its probability reaches the threshold,
    bool [N]; accepted: whether the image lies on the manifold of that class, bool [N]; image i was
    made from noise[i], seed and index; trained: training proportions [K].
    """

    run: Run
    trained: np.ndarray
    labels: np.ndarray
    decided: np.ndarray
    accepted: np.ndarray
    noise: np.ndarray

    def counts(self, which: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Images of each class, int [K], among all or some of the images."""
        return np.bincount(self.labels[which], minlength=len(self.trained))


@dataclass(frozen=True)
class Acceptance:
    """How often real images of each class lie on the manifold of the others.

    rates: [K], above 0; images: int [K] that they were measured on; draws: resamples.
    """

    classes: Sequence[str]
    rates: np.ndarray
    images: np.ndarray
    draws: int

    @cached_property
    def drawn(self) -> np.ndarray:
        """Resampled rates [B, K], the same for all models: Jeffreys' posterior."""
        accepted = self.rates * self.images
        return np.stack(
            [
                stream("acceptance", name).beta(count + 0.5, of - count + 0.5, self.draws)
                for name, count, of in zip(self.classes, accepted, self.images, strict=True)
            ],
            axis=1,
        )


def read_accepted(
    path: Path, study: str, classes: Sequence[str], draws: int
) -> tuple[Manifold, Acceptance]:
    """The manifold of a study, and how often it accepts real images of these classes.

    UserError for a class of which it accepts none.
    """
    manifold = read_manifold(path, study)
    check_classes(path, manifold.classes, classes)
    for name, rate in zip(classes, manifold.acceptance, strict=True):
        if rate == 0:
            raise UserError(
                f"{path}: no held-out image of class {name} lies in the ball of another one: "
                "raise quality.manifold_k"
            )
    return manifold, Acceptance(classes, manifold.acceptance, manifold.heldout, draws)


def read_classified(
    paths: Iterable[Path],
    study: str,
    classes: Sequence[str],
    subsets: Sequence[Subset],
    threshold: float,
    manifold: Manifold,
) -> list[Classified]:
    """The runs in the order of their files; an image is decided from this top probability on.

    UserError for a run of another study or with other classes, one that is there twice, and one
    whose subset or manifold is not there, or has other noise.
    """
    places: dict[Run, Path] = {}
    runs = []
    for path in paths:
        model = read_classes(path, study)
        check_classes(path, model.classes, classes)
        if model.run in places:
            raise UserError(f"{path}: the same run as {places[model.run]}: give each run once")
        if not same_noise(model, manifold):
            raise UserError(
                f"{path}: not from the noise of the manifold: measure the quality again"
            )
        places[model.run] = path
        runs.append(
            Classified(
                model.run,
                trained=subset_of(subsets, path, model.run.ratio, model.run.seed).proportions,
                labels=model.labels,
                decided=~model.undecidable(threshold),
                accepted=manifold.of(model.run),
                noise=model.noise,
            )
        )
    return runs
