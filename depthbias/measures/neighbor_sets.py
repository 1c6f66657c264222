"""What is compared with the training images of a study: held-out, training and generated images."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from depthbias.data.subsets import Subset, read_subset, subset_of
from depthbias.estimates.intervals import Estimate, stream
from depthbias.estimates.runs import REAL, TRAIN, Run
from depthbias.measures.copy_thresholds import calibrate
from depthbias.measures.embedding_files import RealEmbedded, RunEmbedded, read_all
from depthbias.measures.nearest import Rows, Vectors, nearest, nearest_others
from depthbias.measures.neighbor_rows import (
    NeighborSettings,
    Neighbours,
    Queries,
    find,
    find_others,
)
from depthbias.measures.real_mixes import draw_mix, mix_counts
from depthbias.measures.samples import read_samples, same_noise
from depthbias.system.errors import UserError
from depthbias.system.files import map_npz


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
        self.study, self.images = study, map_npz(images, "images")
        self.real, runs = read_all(real, embedded, study)
        self.runs = list(zip(samples, runs, strict=True))
        self.subsets = [read_subset(path, self.real.classes) for path in subsets]
        for model in runs:
            subset_of(self.subsets, model.path, model.run.ratio, model.run.seed)
        self.metrics = {name: self.real.metric(name) for name in names}

    def __len__(self) -> int:
        """How many sets of images `compare` yields."""
        return len(self.runs) + 2 * len(self.subsets)

    def compare(
        self, options: NeighborSettings
    ) -> Iterator[tuple[Queries, list[Neighbours], Subset]]:
        """(images, their neighbours in each embedding, the training images)."""
        for subset in self.subsets:
            training = {name: self.of_real(name, subset.rows) for name in self.metrics}
            for queries, neighbours in (
                *([self._heldout(subset, training, options)] if self.apart(subset) else []),
                self._training(subset, training, options),
                *self._generated(subset, training, options),
            ):
                yield queries, neighbours, subset

    def apart(self, subset: Subset) -> bool:
        """Whether the models have not seen what stands for held-out images.

        In an audit without held-out images they are training images, and never compared with
        themselves.
        """
        return not np.isin(self.real.rows[self.real.heldout], subset.rows).any()

    def threshold(self, name: str, device: torch.device) -> Estimate:
        """The cosine in an embedding above which images are copies, calibrated on held-out ones."""
        heldout, cosines = self.real.rows[self.real.heldout], []
        for subset in self.subsets:
            mixed = self.of_real(name, heldout[self._mix(subset)])
            training = self.of_real(name, subset.rows)
            if self.apart(subset):
                distances, _ = nearest(mixed, training, 1, self.metrics[name], device)
            else:
                own = np.searchsorted(subset.rows, heldout[self._mix(subset)])
                distances, _ = nearest_others(training, own, 1, self.metrics[name], device)
            cosines.append(1 - distances[:, 0])
        return calibrate(cosines)

    def of_real(self, name: str, rows: np.ndarray) -> Vectors:
        """Vectors of rows of the data set, in one of the embeddings."""
        return real_vectors(name, self.images, self.real, rows)

    def _heldout(
        self, subset: Subset, training: dict[str, Vectors], options: NeighborSettings
    ) -> tuple[Queries, list[Neighbours]]:
        """All held-out images; a mix of them with the training proportions stands for the whole."""
        rows, overall = self.real.rows[self.real.heldout], self._mix(subset)
        neighbours = [
            find(name, metric, self.of_real(name, rows), training[name], options, overall)
            for name, metric in self.metrics.items()
        ]
        labels = self.real.heldout_labels
        return Queries(
            self._background(REAL, subset), self.images[rows], labels, overall
        ), neighbours

    def _mix(self, subset: Subset) -> np.ndarray:
        """Which of the held-out images stand for all classes: mixed as the training images are."""
        labels, classes = self.real.heldout_labels, self.real.classes
        mixed = mix_counts(subset.counts, np.bincount(labels, minlength=len(classes)))
        return draw_mix(labels, mixed, classes, "held out", subset.ratio, subset.seed)

    def _training(
        self, subset: Subset, training: dict[str, Vectors], options: NeighborSettings
    ) -> tuple[Queries, list[Neighbours]]:
        """Training images among the others: as many as a model has samples, or all."""
        count = max(len(model.labels) for _, model in self.runs)
        order = stream("training", subset.ratio, subset.seed).permutation(len(subset.rows))
        chosen = np.sort(order[:count])
        neighbours = [
            find_others(name, metric, chosen, training[name], options)
            for name, metric in self.metrics.items()
        ]
        images, labels = self.images[subset.rows[chosen]], subset.labels[chosen]
        overall = np.arange(len(chosen))
        return Queries(self._background(TRAIN, subset), images, labels, overall), neighbours

    def _generated(
        self, subset: Subset, training: dict[str, Vectors], options: NeighborSettings
    ) -> Iterator[tuple[Queries, list[Neighbours]]]:
        """The images of every model that was trained on the subset."""
        for path, model in self.runs:
            if (model.run.ratio, model.run.seed) != (subset.ratio, subset.seed):
                continue
            images = read_embedded_samples(path, model)
            order = np.arange(len(images))
            neighbours = [
                find(name, metric, of_run(name, images, model), training[name], options, order)
                for name, metric in self.metrics.items()
            ]
            yield Queries(model.run, images, model.labels, order), neighbours

    def _background(self, architecture: str, subset: Subset) -> Run:
        return Run(self.study, subset.ratio, architecture, subset.seed)


def read_embedded_samples(path: Path, embedded: RunEmbedded) -> np.ndarray:
    """The images uint8 [N, H, W, C] of a run that was embedded; UserError if they are others."""
    samples = read_samples(path, embedded.run.study)
    if samples.run != embedded.run or not same_noise(samples, embedded):
        raise UserError(f"{embedded.path}: not the images of {path}: embed them again")
    return samples.images


def of_run(name: str, images: np.ndarray, embedded: RunEmbedded) -> Vectors:
    """Vectors of the images of a run, in one of the embeddings."""
    return images.reshape(len(images), -1) if name == "pixels" else embedded.vectors(name)


def real_vectors(name: str, images: np.ndarray, real: RealEmbedded, rows: np.ndarray) -> Vectors:
    """Vectors of rows of the data set, in one of the embeddings."""
    if name == "pixels":
        return Rows(images, rows)
    return Rows(real.vectors(name), real.positions(rows))
