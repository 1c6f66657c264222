"""What is compared with the training images of a study: held-out, training and generated images."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from depthbias.estimates.intervals import stream
from depthbias.estimates.runs import Run
from depthbias.measures.embedding_files import RunEmbedded, read_all
from depthbias.measures.nearest import Rows, Vectors
from depthbias.measures.neighbor_rows import (
    NeighborSettings,
    Neighbours,
    Queries,
    find,
    find_others,
)
from depthbias.measures.real_mixes import draw_mix, mix_counts
from depthbias.system.errors import UserError
from depthbias.system.files import map_npz, read_json, read_npz


class Subset:
    """A training subset: rows of the data set with their classes, images of each class."""

    def __init__(self, path: Path) -> None:
        content = read_json(path)
        try:
            self.key = str(content["ratio"]), str(content["seed"])
            self.rows = np.array(content["indices"], dtype=np.int64)
            self.labels = np.array(content["labels"], dtype=np.int64)
            self.counts = np.array(content["counts"], dtype=np.int64)
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{path}: not a training subset ({error}): draw it again") from error


class NeighborData:
    """The images of a study and their vectors; UserError unless all files belong together.

    images: the data set (.npz); real: its embedded images; samples, embedded: generated images and
    the same embedded, both in the same order; names: the embeddings to compare in.
    """

    def __init__(
        self,
        study: str,
        images: Path,
        real: Path,
        subsets: Sequence[Path],
        samples: Sequence[Path],
        embedded: Sequence[Path],
        names: Sequence[str],
    ) -> None:
        self.images = map_npz(images, "images")
        self.real, runs = read_all(real, embedded, study)
        self.runs = list(zip(samples, runs, strict=True))
        self.subsets = [Subset(path) for path in subsets]
        known = {subset.key for subset in self.subsets}
        for _, one in self.runs:
            if (one.run.ratio, one.run.seed) not in known:
                missing = f"{one.run.ratio} of seed {one.run.seed}"
                raise UserError(f"{one.path}: no subset {missing} was given")
        self.metrics = {name: self.real.metric(name) for name in names}

    def __len__(self) -> int:
        """How many sets of images `compare` yields."""
        return len(self.runs) + 2 * len(self.subsets)

    def compare(
        self, options: NeighborSettings
    ) -> Iterator[tuple[Queries, list[Neighbours], np.ndarray]]:
        """(images, their neighbours in each embedding, rows of the training images [M])."""
        for subset in self.subsets:
            training = {name: self._of_real(name, subset.rows) for name in self.metrics}
            for queries, found in (
                self._heldout(subset, training, options),
                self._training(subset, training, options),
                *self._generated(subset, training, options),
            ):
                yield queries, found, subset.rows

    def _of_real(self, name: str, rows: np.ndarray) -> Vectors:
        """Vectors of rows of the data set."""
        if name == "pixels":
            return Rows(self.images, rows)
        return Rows(self.real.vectors(name), self.real.positions(rows))

    def _heldout(
        self, subset: Subset, training: dict[str, Vectors], options: NeighborSettings
    ) -> tuple[Queries, list[Neighbours]]:
        """All held-out images; a mix of them with the training proportions stands for the whole."""
        real = self.real
        rows, labels = real.rows[real.heldout], real.labels[real.heldout]
        mixed = mix_counts(subset.counts, np.bincount(labels, minlength=len(real.classes)))
        whole = draw_mix(labels, mixed, real.classes, "held out", *subset.key)
        found = [
            find(name, metric, self._of_real(name, rows), training[name], options)
            for name, metric in self.metrics.items()
        ]
        return Queries(_background("real", subset), self.images[rows], labels, whole), found

    def _training(
        self, subset: Subset, training: dict[str, Vectors], options: NeighborSettings
    ) -> tuple[Queries, list[Neighbours]]:
        """Training images among the others: as many as a model has samples, or all."""
        count = max(len(one.labels) for _, one in self.runs)
        order = stream("training", *subset.key).permutation(len(subset.rows))
        chosen = np.sort(order[:count])
        found = [
            find_others(name, metric, chosen, training[name], options)
            for name, metric in self.metrics.items()
        ]
        images, labels = self.images[subset.rows[chosen]], subset.labels[chosen]
        whole = np.arange(len(chosen))
        return Queries(_background("train", subset), images, labels, whole), found

    def _generated(
        self, subset: Subset, training: dict[str, Vectors], options: NeighborSettings
    ) -> Iterator[tuple[Queries, list[Neighbours]]]:
        """The images of every model that was trained on the subset."""
        for path, one in self.runs:
            if (one.run.ratio, one.run.seed) != subset.key:
                continue
            images = _samples(path, one)
            found = [
                find(
                    name,
                    metric,
                    images.reshape(len(images), -1) if name == "pixels" else one.vectors(name),
                    training[name],
                    options,
                )
                for name, metric in self.metrics.items()
            ]
            yield Queries(one.run, images, one.labels, np.arange(len(images))), found


def _background(kind: str, subset: Subset) -> Run:
    return Run(subset.key[0], kind, subset.key[1], "")


def _samples(path: Path, embedded: RunEmbedded) -> np.ndarray:
    images, described = read_npz(path, "images", "run")
    if len(images) != len(embedded.labels) or str(described) != embedded.described:
        raise UserError(f"{embedded.path}: not the images of {path}: embed them again")
    return np.asarray(images)
