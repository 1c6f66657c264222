"""Archives of embedded images, as embed.py and embed_real.py write them. Imports no torch."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from depthbias.data.splits import is_rows
from depthbias.estimates.runs import Run, read_run
from depthbias.measures.samples import is_noise
from depthbias.system.errors import UserError, reading
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
    """Image i is from noise[i], (seed, index)."""

    run: Run
    noise: np.ndarray


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
        if not np.isin(rows, self.rows).all():
            raise UserError(f"{self.path}: does not hold all training images: {REMEDY}")
        return np.searchsorted(self.rows, rows)


def write_embedded(
    path: Path,
    vectors: Mapping[str, np.ndarray],
    about: Mapping[str, Any],
    others: Mapping[str, np.ndarray | str],
) -> None:
    """Write vectors, to be memory-mapped, with their description and the other members."""
    write_npz(path, {**vectors, **others, "about": json.dumps(about)}, compress=False)


def read_embedded(path: Path, study: str) -> RunEmbedded:
    """The archive of one run; UserError if it is damaged, or of another study."""
    names = ("run", "noise", "labels", "classes", "about", "sums")
    text, noise, *common = read_npz(path, *names)
    run = read_run(path, text, study)
    content = _common(path, *common)
    labels, sums = content[1], content[-1]
    if not (is_noise(noise, len(labels)) and len(sums) == len(labels)):
        raise UserError(f"{path}: is damaged: {REMEDY}")
    return RunEmbedded(*content, run, noise)


def read_real(path: Path) -> RealEmbedded:
    """The archive of the real images of a study; UserError if it is damaged."""
    names = ("rows", "heldout", "labels", "classes", "about", "sums")
    rows, heldout, *common = read_npz(path, *names)
    content = _common(path, *common)
    labels, sums = content[1], content[-1]
    fit = is_rows(rows) and rows.shape == labels.shape == heldout.shape
    if not (fit and heldout.dtype == bool and len(sums) == heldout.sum()):
        raise UserError(f"{path}: is damaged: {REMEDY}")
    return RealEmbedded(*content, rows, heldout)


def _common(
    path: Path, labels: np.ndarray, classes: np.ndarray, about: np.ndarray, sums: np.ndarray
) -> tuple[Path, np.ndarray, tuple[str, ...], dict[str, Any], np.ndarray]:
    """What all archives hold, checked, in the order of the fields of `Embedded`."""
    with reading(path, "the embeddings are not described", REMEDY):
        described = json.loads(str(about))
        told = [described["diversity"]["embedding"], *(e["metric"] for e in described.values())]
        if not all(isinstance(text, str) for text in told):
            raise ValueError("a name is no text")
    whole = labels.size and labels.dtype.kind in "iu" and labels.ndim == classes.ndim == 1
    table = sums.ndim == 2 and sums.dtype.kind == "f" and sums.shape[1] == classes.size
    if not (whole and table and 0 <= labels.min() <= labels.max() < classes.size):
        raise UserError(f"{path}: is damaged: {REMEDY}")
    return path, labels, tuple(map(str, classes)), described, sums


def read_all(
    real: Path, runs: Iterable[Path], study: str
) -> tuple[RealEmbedded, list[RunEmbedded]]:
    """Real images and runs that were embedded in the same way; UserError if they were not."""
    first = read_real(real)
    models = [read_embedded(path, study) for path in runs]
    check_alike(first, models)
    return first, models


def check_alike(first: Embedded, others: Iterable[Embedded]) -> None:
    """UserError unless all were embedded in the same way as the first."""
    for other in others:
        if other.about != first.about or other.classes != first.classes:
            raise UserError(f"{other.path}: not embedded as {first.path} was: {REMEDY}")
