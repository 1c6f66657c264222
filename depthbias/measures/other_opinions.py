"""The classifiers of a study, its own and others, asked about real and generated images."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from depthbias.data.splits import Split
from depthbias.data.subsets import check_classes
from depthbias.estimates.intervals import stream
from depthbias.estimates.runs import Run
from depthbias.measures.embedding_files import read_embedded, read_real
from depthbias.measures.nearest import Vectors
from depthbias.measures.neighbor_sets import of_run, real_vectors
from depthbias.measures.opinions import Opinions
from depthbias.measures.samples import join, read_classes, read_samples, same_noise
from depthbias.system.errors import UserError
from depthbias.vision.classifier import Classifier, classify, train_classifier
from depthbias.vision.other_classifiers import NETWORK, equal_draw, fit, log_odds_of

# Probabilities [N, K] of images uint8 [N, S, S, C], given with their vectors in an embedding.
Ask = Callable[[np.ndarray, Callable[[str], Vectors]], np.ndarray]


class RealImages:
    """The real images of a study: uint8 [M, S, S, C], their split, the file of their vectors."""

    def __init__(self, images: np.ndarray, split: Split, embedded: Path) -> None:
        self.images, self.split, self.embedded = images, split, read_real(embedded)
        check_classes(embedded, self.embedded.classes, split.classes)

    def vectors(self, rows: np.ndarray, name: str) -> Vectors:
        """Vectors of rows of the data set in an embedding."""
        return real_vectors(name, self.images, self.embedded, rows)


def others(
    real: RealImages,
    names: Sequence[str],
    most: int,
    training: Mapping[str, Any],
    device: torch.device,
) -> dict[str, Ask]:
    """The classifiers of these names, fitted on the pool.

    most: images of each class for those that are fitted in an embedding; training: options of the
    networks, which learn from all.
    """
    classes, pool = real.split.classes, real.split.pool
    rows, labels = equal_draw(pool, most, lambda k: stream("other classifiers", classes[k]))
    found: dict[str, Ask] = {}
    for name in names:
        kind, _, of = name.partition("-")
        if kind == NETWORK:
            options = {**training, "seed": int(of)}
            network = train_classifier(real.images, pool, **options, device=device)
            found[name] = partial(_ask_network, network.to(device))
        else:
            vectors = _whole(real.vectors(rows, of))
            fitted = fit(name, real.embedded.metric(of), vectors, labels)
            found[name] = partial(_ask_fitted, fitted, of)
    return found


def _ask_network(
    network: Classifier, images: np.ndarray, vectors: Callable[[str], Vectors]
) -> np.ndarray:
    return classify(network, images)


def _ask_fitted(
    fitted: Any, embedding: str, images: np.ndarray, vectors: Callable[[str], Vectors]
) -> np.ndarray:
    return np.asarray(fitted.predict_proba(_whole(vectors(embedding))))


def _whole(vectors: Vectors) -> np.ndarray:
    """Vectors in memory, float32 [N, D]."""
    return np.asarray(vectors[np.arange(vectors.shape[0])], dtype=np.float32)


def opinions_of(
    study: str,
    real: RealImages,
    own: tuple[str, Classifier],
    others: Mapping[str, Ask],
    runs: Sequence[tuple[Path, Path, Path]],
    report: Callable[[int], None] = lambda done: None,
) -> Opinions:
    """What the study's own classifier, (name, network), and others say.

    runs: the files of samples, of their classes and of the same embedded, of every run.
    """
    heldout, truth = real.split.rows("calibration")
    images = real.images[heldout]
    told = [classify(own[1], images)]
    told += [ask(images, partial(real.vectors, heldout)) for ask in others.values()]
    found: dict[Run, np.ndarray] = {}
    noises: list[np.ndarray] = []
    for samples, classes, embedded in runs:
        generated = join(read_samples(samples, study), read_classes(classes, study))
        check_classes(classes, generated.classes, real.split.classes)
        model = read_embedded(embedded, study)
        if model.run != generated.run or not same_noise(model, generated):
            raise UserError(f"{embedded}: not the images of {samples}: embed them again")
        if noises and not np.array_equal(noises[0], generated.noise):
            raise UserError(f"{samples}: not from the noise of the other runs: sample again")
        noises.append(generated.noise)
        vectors = partial(of_run, images=generated.images, embedded=model)
        asked = [ask(generated.images, vectors) for ask in others.values()]
        found[generated.run] = log_odds_of(np.stack([generated.probabilities, *asked], axis=1))
        report(len(found))
    return Opinions(
        tuple(found),
        (own[0], *others),
        real.split.classes,
        noises[0],
        np.stack(list(found.values())),
        log_odds_of(np.stack(told, axis=1)),
        truth,
    )
