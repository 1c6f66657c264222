"""What the classifier made of the samples of a run, with the run's training proportions."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from depthbias.diffusion.architectures import get_architecture
from depthbias.system.errors import UserError
from depthbias.system.files import read_json, read_npz

RUN_KEYS = ("study", "ratio", "architecture", "seed", "sampler")


@dataclass(frozen=True)
class Subset:
    """Training images of each class [K], and where the file with them is."""

    path: Path
    counts: np.ndarray

    @property
    def proportions(self) -> np.ndarray:
        """Share of each class among the training images, [K]."""
        return self.counts / self.counts.sum()


@dataclass(frozen=True)
class Classified:
    """The classified samples of one run.

    labels: most probable class, int [N]; decided: whether its probability reaches the threshold,
    bool [N]; image i was made from noise (noise_seed, indices[i]); trained: training proportions
    [K].
    """

    ratio: str
    architecture: str
    seed: str
    sampler: str
    trained: np.ndarray
    labels: np.ndarray
    decided: np.ndarray
    noise_seed: int
    indices: np.ndarray

    def counts(self, which: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Images of each class, int [K], among all or some of the images."""
        return np.bincount(self.labels[which], minlength=len(self.trained))


def read_subsets(paths: Iterable[Path], classes: Sequence[str]) -> dict[tuple[str, str], Subset]:
    """{(ratio, seed): subset}; UserError when a file is not a subset of these classes."""
    subsets = {}
    for path in paths:
        content = read_json(path)
        try:
            key, names = (str(content["ratio"]), str(content["seed"])), content["classes"]
            subsets[key] = Subset(path, np.array(content["counts"], dtype=np.int64))
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{path}: not a training subset ({error}): draw it again") from error
        _same_classes(path, names, classes)
    return subsets


def read_classified(
    paths: Iterable[Path],
    study: str,
    classes: Sequence[str],
    subsets: dict[tuple[str, str], Subset],
    threshold: float,
) -> list[Classified]:
    """The runs in the order of their files; an image is decided from this top probability on.

    UserError for a run of another study or with other classes, one that is there twice, one whose
    subset is not there, and an unknown U-Net.
    """
    found: dict[tuple[str, ...], Path] = {}
    runs = []
    for path in paths:
        names = ("run", "classes", "probabilities", "noise_seed", "indices")
        text, own, probabilities, noise_seed, indices = read_npz(path, *names)
        run = _run(path, str(text), study)
        _same_classes(path, own.tolist(), classes)
        key = (run["ratio"], run["architecture"], run["seed"], run["sampler"])
        if key in found:
            raise UserError(f"{path}: the same run as {found[key]}: give each run once")
        found[key] = path
        subset = subsets.get((run["ratio"], run["seed"]))
        if subset is None:
            raise UserError(f"{path}: no subset {run['ratio']} of seed {run['seed']} was given")
        if probabilities.shape != (len(indices), len(classes)) or not len(indices):
            raise UserError(f"{path}: holds no image or is damaged: classify the samples again")
        get_architecture(run["architecture"])
        runs.append(
            Classified(
                *key,
                trained=subset.proportions,
                labels=probabilities.argmax(axis=1),
                decided=probabilities.max(axis=1) >= threshold,
                noise_seed=int(noise_seed),
                indices=indices,
            )
        )
    return runs


def _run(path: Path, text: str, study: str) -> dict[str, str]:
    try:
        run: dict[str, Any] = json.loads(text)
        found = {key: str(run[key]) for key in RUN_KEYS}
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: the run is not described ({error}): sample again") from error
    if found["study"] != study:
        raise UserError(f"{path}: a run of study {found['study']}, not of {study}: leave it out")
    return found


def _same_classes(path: Path, own: Sequence[str], classes: Sequence[str]) -> None:
    if list(own) != list(classes):
        raise UserError(
            f"{path}: its classes are {', '.join(own)}, the classifier's {', '.join(classes)}: "
            "make it again"
        )
