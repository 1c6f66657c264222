"""Which held-out and training images denoising errors are measured on.

Training needs this for its log, so it imports no other measure: a change of those trains nothing
anew.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from depthbias.data.pixels import to_float
from depthbias.data.splits import Split
from depthbias.data.subsets import Subset, check_classes
from depthbias.estimates.intervals import stream
from depthbias.system.errors import UserError
from depthbias.system.files import map_npz


class Chosen(NamedTuple):
    """Images to measure on: float [N, C, H, W] on the device, their rows and labels int [N]."""

    images: Tensor
    rows: np.ndarray
    labels: np.ndarray


def choose(
    path: Path, rows: np.ndarray, labels: np.ndarray, count: int, device: torch.device, *key: str
) -> Chosen:
    """Up to `count` of some rows of a data set, of all classes alike as far as they go.

    path: the prepared images; `key` names the draw.
    """
    order = stream("denoising", *key).permutation(len(rows))
    place = np.empty(len(rows), dtype=np.int64)  # among those of its class
    for name in np.unique(labels):
        own = order[labels[order] == name]
        place[own] = np.arange(len(own))
    kept = np.sort(np.argsort(place, kind="stable")[:count])
    images = map_npz(path, "images")
    if rows.max() >= len(images):
        raise UserError(f"{path}: has {len(images)} images, fewer than its split says: prepare it")
    pixels = torch.from_numpy(np.asarray(images[rows[kept]])).to(device)
    return Chosen(to_float(pixels), rows[kept], labels[kept])


def choose_heldout(path: Path, split: Split, count: int, device: torch.device) -> Chosen:
    """Up to `count` held-out images, the same for every model."""
    return choose(path, *split.rows("calibration", "control"), count, device, "held-out")


def choose_both(
    path: Path, split: Split, subset: Subset, counts: tuple[int, int], device: torch.device
) -> tuple[Chosen, Chosen]:
    """(held-out images, the same for every model; training images), up to so many of each."""
    check_classes(subset.path, subset.classes, split.classes)
    heldout = choose_heldout(path, split, counts[0], device)
    key = ("training", subset.ratio, subset.seed)
    return heldout, choose(path, subset.rows, subset.labels, counts[1], device, *key)
