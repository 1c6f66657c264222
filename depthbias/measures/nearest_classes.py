"""The class that the training images nearest to a noised image vote for.

[BIAS] (arXiv 2505.17560), equations 1 and 2, likens a diffusion model to these k-NN classifiers,
and its depth to k. They are exact, so they are the curves that round trips are held against.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from depthbias.data.subsets import Subset
from depthbias.diffusion.multi_delta_denoiser import BLOCK_VALUES
from depthbias.estimates.runs import TRAIN
from depthbias.measures.nearest import Rows, Vectors, nearest
from depthbias.measures.round_trips import noise_of_trips
from depthbias.measures.trip_classes import TripClasses
from depthbias.system.files import map_npz

NEIGHBORS = (1, 3, 10, 30, 100)
GREY_LEVELS = 127.5  # a unit of noise, where images span -1 to 1


def twins(
    trips: TripClasses, subset: Subset, images_path: Path, device: torch.device
) -> Iterator[TripClasses]:
    """What neighbours make of the noised images of a model: one for each k, and weighted votes.

    subset: the training images of the model, which vote; images_path: the prepared images.
    """
    images = map_npz(images_path, "images")
    clean = images[trips.rows].reshape(len(trips.rows), -1).astype(np.float64)
    noise = noise_of_trips(
        trips.rows, trips.decoded.shape[1], clean.shape[1:], trips.noise_seed, trips.run.seed
    ).numpy()
    training = torch.from_numpy(images[subset.rows].reshape(len(subset.rows), -1)).to(device)
    labels = torch.from_numpy(subset.labels).to(device)
    found: dict[int, list[np.ndarray]] = {}
    for level in trips.levels.tolist():
        noised = (clean + level * GREY_LEVELS * noise).reshape(-1, clean.shape[1])
        voted = voted_classes(noised, Rows(images, subset.rows), subset.labels, NEIGHBORS, device)
        weighted = weighted_classes(
            torch.from_numpy(noised).to(device),
            training,
            labels,
            level * GREY_LEVELS,
            len(trips.classes),
        )
        for k, classes in (voted | {0: weighted}).items():
            found.setdefault(k, []).append(classes.reshape(noise.shape[:2]))
    run = trips.run._replace(architecture=TRAIN)
    for k, decoded in found.items():
        yield replace(trips, run=run, decoded=np.stack(decoded), k=k)


def voted_classes(
    noised: np.ndarray,
    training: Vectors,
    labels: np.ndarray,
    neighbors: tuple[int, ...],
    device: torch.device,
) -> dict[int, np.ndarray]:
    """{k: class int8 [Q]}: the most frequent among the k nearest of `training` [N, D], exactly.

    noised: [Q, D]; labels: int [N]. Of classes with equally many votes the one with the nearest
    image. Numbers of neighbours above N are left out.
    """
    counted = [k for k in neighbors if k <= training.shape[0]]
    _, found = nearest(noised, training, max(counted), device=device)
    votes = labels[found][:, :, None] == np.arange(labels.max() + 1)
    later = votes.argmax(axis=1) / votes.shape[1]  # below 1: it decides between equal numbers alone
    return {k: (votes[:, :k].sum(axis=1) - later).argmax(axis=1).astype(np.int8) for k in counted}


def weighted_classes(
    noised: Tensor, training: Tensor, labels: Tensor, sigma: float, classes: int
) -> np.ndarray:
    """The class of the largest weight, int8 [Q]: softmax(-|x - y|^2 / 2 s^2), summed over a class.

    noised: [Q, D], training: [N, D], on one device, in one scale. This is the class that the
    optimal denoiser of the training images, the multi-delta, gives most weight at this level.
    """
    origin = training[0].double()
    query = noised.double() - origin
    total = query.new_full((len(query), classes), -torch.inf)
    for rows in torch.arange(len(training), device=training.device).split(
        max(1, BLOCK_VALUES // training.shape[1])
    ):
        images = training[rows].double() - origin
        exponents = (query @ images.T - images.square().sum(1) / 2) / sigma**2
        for name in range(classes):
            own = exponents[:, labels[rows] == name].logsumexp(1)
            total[:, name] = torch.logaddexp(total[:, name], own)
    chosen: np.ndarray = total.argmax(1).to(torch.int8).cpu().numpy()
    return chosen
