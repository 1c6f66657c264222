"""What several classifiers make of the same images. Imports no torch.

One archive a study, written by compare_classifiers.py; this is its one reader.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from depthbias.estimates.confusion import confusion_counts
from depthbias.estimates.runs import Run, as_json, read_run
from depthbias.measures.samples import is_noise
from depthbias.system.errors import UserError
from depthbias.system.files import read_npz, write_npz

MEMBERS = ("names", "classes", "noise", "log_odds", "heldout", "truth")


@dataclass(frozen=True)
class Opinions:
    """The log-odds of each class against the rest by every classifier, the study's own first.

    log_odds: float32 [R, N, C, K], of image i, from noise[i], of each run by each of `names` [C];
    heldout: float32 [H, C, K], of the held-out images that calibrate; truth: their classes int [H].
    """

    runs: tuple[Run, ...]
    names: tuple[str, ...]
    classes: tuple[str, ...]
    noise: np.ndarray
    log_odds: np.ndarray
    heldout: np.ndarray
    truth: np.ndarray

    def of(self, run: Run) -> np.ndarray:
        """Log-odds [N, C, K] of the images of a run, in the order of `noise`."""
        if run not in self.runs:
            told = f"{run.ratio}, {run.architecture}, seed {run.seed}, {run.sampler}"
            raise UserError(f"no other classifier saw {told}: compare the classifiers again")
        return self.log_odds[self.runs.index(run)]

    def confusion(self, name: str) -> np.ndarray:
        """int [K, K]: held-out images that a classifier takes for class i among true j."""
        found = self.heldout[:, self.names.index(name)].argmax(axis=1)
        return confusion_counts(found, self.truth, len(self.classes))


def write_opinions(path: Path, opinions: Opinions) -> None:
    """Write the archive of a study."""
    runs = {"runs": np.array([as_json(run) for run in opinions.runs])}
    write_npz(path, runs | {name: np.asarray(getattr(opinions, name)) for name in MEMBERS})


def read_opinions(path: Path, study: str) -> Opinions:
    """The archive of a study; UserError if it is damaged, or of another study."""
    told, names, classes, noise, log_odds, heldout, truth = read_npz(path, "runs", *MEMBERS)
    runs = tuple(read_run(path, text, study) for text in np.atleast_1d(told))
    shape = (len(set(runs)), len(noise), names.size, classes.size)
    if not (
        names.ndim == classes.ndim == 1
        and log_odds.shape == shape
        and is_noise(noise, shape[1])
        and heldout.shape == (truth.size, *shape[2:])
        and log_odds.dtype.kind == heldout.dtype.kind == "f"
        and np.isfinite(log_odds).all()
        and np.isfinite(heldout).all()
        and truth.ndim == 1
        and truth.dtype.kind in "iu"
        and np.array_equal(np.unique(truth), np.arange(classes.size))
    ):
        raise UserError(f"{path}: is damaged: compare the classifiers again")
    texts = tuple(map(str, names)), tuple(map(str, classes))
    return Opinions(runs, *texts, noise, log_odds, heldout, truth)
