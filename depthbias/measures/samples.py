"""The samples of a run, and what the classifier made of them: the one reader of both archives."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from depthbias.estimates.runs import Run, read_run
from depthbias.system.errors import UserError
from depthbias.system.files import read_npz


@dataclass(frozen=True)
class Samples:
    """The images of one run: uint8 [N, H, W, C]; image i starts from noise[i], (seed, index)."""

    path: Path
    run: Run
    noise: np.ndarray
    images: np.ndarray


@dataclass(frozen=True)
class Classes:
    """What the classifier made of the samples of one run: probabilities [N, K] of `classes` [K]."""

    path: Path
    run: Run
    noise: np.ndarray
    classes: tuple[str, ...]
    probabilities: np.ndarray

    @property
    def labels(self) -> np.ndarray:
        """The most probable class of every image, int [N]."""
        return self.probabilities.argmax(axis=1)

    def undecidable(self, threshold: float) -> np.ndarray:
        """Which images have no class with at least this probability, bool [N]."""
        return self.probabilities.max(axis=1) < threshold


@dataclass(frozen=True)
class Generated(Classes):
    """Samples with their classes."""

    images: np.ndarray


def read_samples(path: Path, study: str | None = None) -> Samples:
    """One archive of samples; UserError if it is damaged, or of another study."""
    text, noise, images = read_npz(path, "run", "noise", "images")
    run = read_run(path, text, study)
    if not (images.ndim == 4 and images.dtype == np.uint8 and is_noise(noise, len(images))):
        raise UserError(f"{path}: holds no image or is damaged: sample again")
    return Samples(path, run, noise, images)


def read_classes(path: Path, study: str | None = None) -> Classes:
    """One archive of classes; UserError if it is damaged, or of another study."""
    names = ("run", "noise", "classes", "probabilities")
    text, noise, classes, probabilities = read_npz(path, *names)
    run = read_run(path, text, study)
    if not (
        probabilities.ndim == 2
        and probabilities.shape[1] == classes.size
        and probabilities.dtype.kind == "f"
        and classes.ndim == 1
        and is_noise(noise, len(probabilities))
    ):
        raise UserError(f"{path}: holds no image or is damaged: classify the samples again")
    return Classes(path, run, noise, tuple(map(str, classes)), probabilities)


def noise_of(seeds: Sequence[int], count: int) -> np.ndarray:
    """(seed, index) of `count` noises of each seed, int [len(seeds) * count, 2]."""
    return np.stack([np.repeat(seeds, count), np.tile(np.arange(count), len(seeds))], axis=1)


def is_noise(noise: np.ndarray, images: int) -> bool:
    """Whether these are seed and index of the noises of so many images, 1 or more, each once."""
    if noise.dtype.kind not in "iu" or noise.shape != (images, 2) or images == 0:
        return False
    return bool(noise.min() >= 0) and len(np.unique(noise, axis=0)) == images


class FromNoise(Protocol):
    """Anything whose image i came from noise[i], (seed, index)."""

    @property
    def noise(self) -> np.ndarray: ...


def same_noise(first: FromNoise, second: FromNoise) -> bool:
    """Whether image i of both came from the same noise, for every i."""
    return np.array_equal(first.noise, second.noise)


def join(samples: Samples, classes: Classes) -> Generated:
    """Samples with their classes; UserError unless these are of the same run and noise."""
    if samples.run != classes.run or not same_noise(samples, classes):
        raise UserError(
            f"{classes.path}: {len(classes.noise)} images classified, not the "
            f"{len(samples.noise)} of {samples.path}: classify again"
        )
    return Generated(**vars(classes), images=samples.images)


def read_generated(samples: Sequence[Path], classes: Sequence[Path]) -> list[Generated]:
    """Every archive of samples with the archive of classes of the same run, in any order.

    UserError when one is missing or does not fit.
    """
    by_run = {found.run: found for found in map(read_classes, classes)}
    models = []
    for images in map(read_samples, samples):
        if images.run not in by_run:
            raise UserError(
                f"{images.path}: no classes of this run: give the file that classify.py made"
            )
        models.append(join(images, by_run[images.run]))
    return models
