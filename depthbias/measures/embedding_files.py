"""Archives of embedded images, as embed.py and embed_real.py write them. Imports no torch."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from depthbias.diffusion.architectures import get_architecture
from depthbias.estimates.runs import Run
from depthbias.system.errors import UserError
from depthbias.system.files import map_npz, read_npz, write_npz

REMEDY = "embed all images of the study again"


@dataclass(frozen=True)
class Embedded:
    """The embedded images of one run, or the real ones.

    labels: class of every image, int [N], among `classes`. about: what the embeddings are, by name,
    and under "diversity" what `sums` were measured by: float64 [M, K], the summed distance of each
    image to those of every class (`pairs.weighted`). Of a run M = N, of real images M is the number
    of held-out ones.
    """

    path: Path
    labels: np.ndarray
    classes: tuple[str, ...]
    about: Mapping[str, Any]
    sums: np.ndarray

    def metric(self, name: str) -> Any:
        """How distances in an embedding are measured; UserError if it is not there."""
        if name not in self.about:
            raise UserError(f"{self.path}: has no embedding {name}: {REMEDY}")
        return self.about[name]["metric"]

    def vectors(self, name: str) -> np.ndarray:
        """A memory map of the vectors float32 [N, D] in one of the embeddings."""
        self.metric(name)
        return map_npz(self.path, name)


@dataclass(frozen=True)
class RunEmbedded(Embedded):
    """Image i is from noise (noise_seed, indices[i]); described: run as JSON."""

    run: Run
    described: str
    noise_seed: int
    indices: np.ndarray


@dataclass(frozen=True)
class RealEmbedded(Embedded):
    """rows: rows of the data set, sorted, int [N]; heldout: which are no training images, [N]."""

    rows: np.ndarray
    heldout: np.ndarray

    @cached_property
    def heldout_labels(self) -> np.ndarray:
        """Classes of the held-out images, int [M], as in `sums`."""
        return self.labels[self.heldout]

    def positions(self, rows: np.ndarray) -> np.ndarray:
        """Where rows of the data set are in the archive; UserError for one that is not there."""
        found = np.searchsorted(self.rows, rows)
        if not np.isin(rows, self.rows).all():
            raise UserError(f"{self.path}: does not hold all training images: {REMEDY}")
        return found


def write_embedded(
    path: Path,
    vectors: Mapping[str, np.ndarray],
    about: Mapping[str, Any],
    others: Mapping[str, np.ndarray | str],
) -> None:
    """Write vectors, to be memory-mapped, with their description and the other members."""
    write_npz(path, {**vectors, **others, "about": json.dumps(about)}, compress=False)


def read_run(path: Path, study: str) -> RunEmbedded:
    """The archive of one run; UserError if it is of another study."""
    names = ("labels", "classes", "about", "sums", "run", "noise_seed", "indices")
    labels, classes, about, sums, run, noise_seed, indices = read_npz(path, *names)
    keys = {key: str(value) for key, value in json.loads(str(run)).items()}
    if keys.pop("study") != study:
        raise UserError(f"{path}: not a run of study {study}: leave it out")
    get_architecture(keys["architecture"])
    return RunEmbedded(
        path,
        labels,
        tuple(map(str, classes)),
        json.loads(str(about)),
        sums,
        Run(**keys),
        str(run),
        int(noise_seed),
        indices,
    )


def read_real(path: Path) -> RealEmbedded:
    """The archive of the real images of a study."""
    names = ("labels", "classes", "about", "sums", "rows", "heldout")
    labels, classes, about, sums, rows, heldout = read_npz(path, *names)
    described = json.loads(str(about))
    return RealEmbedded(path, labels, tuple(map(str, classes)), described, sums, rows, heldout)


def read_all(
    real: Path, runs: Iterable[Path], study: str
) -> tuple[RealEmbedded, list[RunEmbedded]]:
    """Real images and runs that were embedded in the same way; UserError if they were not."""
    first = read_real(real)
    found = [read_run(path, study) for path in runs]
    check_alike(first, found)
    return first, found


def check_alike(first: Embedded, others: Iterable[Embedded]) -> None:
    """UserError unless all were embedded in the same way as the first."""
    for one in others:
        if one.about != first.about or one.classes != first.classes:
            raise UserError(f"{one.path}: not embedded as {first.path} was: {REMEDY}")
