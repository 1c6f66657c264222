"""Which generated images lie on the manifold of the real images of their class. Imports no torch.

One archive a run, written by measure_manifold.py; this is its one reader.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from depthbias.estimates.runs import Run, as_json, read_run
from depthbias.measures.samples import noise_of
from depthbias.system.errors import UserError
from depthbias.system.files import read_npz, write_npz
from depthbias.vision.embeddings import EMBEDDINGS

MEMBERS = (
    "run",
    "noise_seed",
    "indices",
    "accepted",
    "acceptance",
    "k",
    "embedding",
    "classes",
)


@dataclass(frozen=True)
class Manifold:
    """The generated images of one run that are accepted as images of their class.

    accepted: bool [N], whether image i, from noise (noise_seed, indices[i]), lies in a
    k-nearest-neighbour ball of a held-out image of the class that the classifier gave it;
    acceptance: float64 [C], the share of held-out images of each of `classes` that lie in a ball of
    another one; embedding: what distances were measured in.
    """

    path: Path
    run: Run
    noise_seed: int
    indices: np.ndarray
    accepted: np.ndarray
    acceptance: np.ndarray
    k: int
    embedding: str
    classes: tuple[str, ...]


def write_manifold(manifold: Manifold) -> None:
    """Write the archive at the path of the manifold."""
    content = {name: getattr(manifold, name) for name in MEMBERS}
    content["run"] = as_json(manifold.run)
    write_npz(manifold.path, {name: np.asarray(value) for name, value in content.items()})


def read_manifold(path: Path, study: str | None = None) -> Manifold:
    """The archive of one run; UserError if it is damaged, or of another study."""
    text, noise_seed, indices, accepted, *rest = read_npz(path, *MEMBERS)
    acceptance, k, embedding, classes = rest
    run = read_run(path, text, study)
    images = accepted.dtype == bool and noise_of(noise_seed, indices, accepted.size)
    shares = acceptance.dtype.kind == "f" and acceptance.shape == classes.shape
    whole = shares and accepted.ndim == classes.ndim == 1 and classes.size > 0
    if not (
        images
        and whole
        and ((acceptance >= 0) & (acceptance <= 1)).all()
        and k.ndim == 0
        and k.dtype.kind in "iu"
        and k >= 1
        and str(embedding) in EMBEDDINGS
    ):
        raise UserError(f"{path}: is damaged: measure the manifold again")
    names = tuple(map(str, classes))
    return Manifold(
        path,
        run,
        int(noise_seed),
        indices,
        accepted,
        acceptance,
        int(k),
        str(embedding),
        names,
    )
