"""Which generated images lie on the manifold of the real images of their class. Imports no torch.

One archive a study, written by measure_quality.py; this is its one reader.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from depthbias.estimates.runs import Run, as_json, read_run
from depthbias.measures.samples import is_noise
from depthbias.system.errors import UserError
from depthbias.system.files import read_npz, write_npz
from depthbias.vision.embeddings import EMBEDDINGS

MEMBERS = ("noise", "accepted", "acceptance", "heldout", "k", "embedding", "classes")


@dataclass(frozen=True)
class Manifold:
    """The generated images of a study's runs [R] that are accepted as images of their class.

    accepted: bool [R, N], whether image i of a run, from noise[i], lies in the ball of a held-out
    image of the class that the classifier gave it; a ball reaches to the k-th nearest one in
    `embedding`. acceptance: float64 [C], the share of the held-out images, int [C], of each of
    `classes` that lie in a ball of another one.
    """

    runs: tuple[Run, ...]
    noise: np.ndarray
    accepted: np.ndarray
    acceptance: np.ndarray
    heldout: np.ndarray
    k: int
    embedding: str
    classes: tuple[str, ...]

    def of(self, run: Run) -> np.ndarray:
        """Which images of a run are accepted, bool [N], in the order of `noise`."""
        if run not in self.runs:
            told = f"{run.ratio}, {run.architecture}, seed {run.seed}, {run.sampler}"
            raise UserError(f"the manifold has no run {told}: measure the quality again")
        return self.accepted[self.runs.index(run)]


def write_manifold(path: Path, manifold: Manifold) -> None:
    """Write the archive of a study."""
    runs = {"runs": np.array([as_json(run) for run in manifold.runs])}
    write_npz(path, runs | {name: np.asarray(getattr(manifold, name)) for name in MEMBERS})


def read_manifold(path: Path, study: str | None) -> Manifold:
    """The archive of a study; UserError if it is damaged, or of another study."""
    told, noise, accepted, *rest = read_npz(path, "runs", *MEMBERS)
    acceptance, heldout, k, embedding, classes = rest
    runs = tuple(read_run(path, text, study) for text in np.atleast_1d(told))
    images = accepted.dtype == bool and accepted.ndim == 2 and len(accepted) == len(set(runs))
    shares = acceptance.dtype.kind == "f" and heldout.dtype.kind in "iu"
    one_a_class = acceptance.shape == heldout.shape == classes.shape == (classes.size,)
    if not (
        images
        and is_noise(noise, accepted.shape[1])
        and shares
        and one_a_class
        and classes.size > 0
        and ((acceptance >= 0) & (acceptance <= 1) & (heldout >= 1)).all()
        and k.ndim == 0
        and k.dtype.kind in "iu"
        and k >= 1
        and str(embedding) in EMBEDDINGS
    ):
        raise UserError(f"{path}: is damaged: measure the quality again")
    names = tuple(map(str, classes))
    return Manifold(runs, noise, accepted, acceptance, heldout, int(k), str(embedding), names)
