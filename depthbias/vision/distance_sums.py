"""Summed squared distances of every image to those of each class, without the pairs."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from depthbias.data.pixels import to_float
from depthbias.system.errors import UserError
from depthbias.vision.lpips_distance import BATCH, as_backbone, embed

KEPT_BYTES = 4 << 30  # embeddings up to this size are kept, larger ones computed a second time


def vector_distance_sums(vectors: Tensor | np.ndarray) -> np.ndarray:
    """`distance_sums` of vectors [N, D] that are in memory or mapped, as one class: [N, 1]."""

    def blocks() -> Iterator[Tensor]:
        for start in range(0, len(vectors), BATCH):
            block = vectors[start : start + BATCH]  # may be a memory map, which is read-only
            yield block if isinstance(block, Tensor) else torch.as_tensor(np.array(block))

    return distance_sums(blocks, np.zeros(len(vectors), dtype=np.int64), 1)


def image_distance_sums(
    images: np.ndarray,
    backbone: Any,
    labels: np.ndarray,
    classes: int,
    device: str | torch.device = "cpu",
) -> np.ndarray:
    """`distance_sums` of images uint8 [N, H, W, C], float64 [N, classes].

    One network pass an image; a second one for those whose embeddings are beyond the first 4 GB.
    """
    layers = as_backbone(backbone)
    kept: dict[int, Tensor] = {}

    def blocks() -> Iterator[Tensor]:
        for start in range(0, len(images), BATCH):
            if start in kept:
                yield kept[start]
                continue
            batch = torch.as_tensor(np.array(images[start : start + BATCH]), device=device)
            phi = embed(to_float(batch), layers)
            if (len(kept) + 1) * phi.numel() * phi.element_size() <= KEPT_BYTES:
                kept[start] = phi
            yield phi

    return distance_sums(blocks, labels, classes)


def distance_sums(
    blocks: Callable[[], Iterable[Tensor]], labels: np.ndarray, classes: int
) -> np.ndarray:
    """Summed squared distance of each embedding to all those of each class: float64 [N, classes].

    blocks: called three times; all embeddings in order, as blocks [n, D]. labels: int [N]. With n_b
    images of class b and S_b and q_b their sums of phi and |phi|^2, image i has
    n_b |phi_i|^2 + q_b - 2 phi_i . S_b. UserError for values that are not finite.
    """
    counts = torch.as_tensor(np.bincount(labels, minlength=classes))
    first = next(iter(blocks()), torch.zeros((1, 1)))
    origin = first[0].double()  # distances do not depend on it, rounding does
    vectors = origin.new_zeros((len(origin), classes))
    squares = torch.zeros(classes, dtype=torch.float64)
    for block, members in _with_members(blocks(), labels, classes):
        block -= origin
        vectors += block.T @ members
        squares += (block.square().sum(dim=1) @ members).cpu()
    if not torch.isfinite(squares).all():
        raise UserError("the embeddings hold values that are not finite: embed the images again")
    sums = [torch.zeros((0, classes), dtype=torch.float64)]
    for block, _ in _with_members(blocks(), labels, classes):
        block -= origin
        lengths, dots = block.square().sum(dim=1).cpu(), (block @ vectors).cpu()
        sums.append(counts * lengths[:, None] + squares - 2 * dots)
    return torch.cat(sums).clamp_(min=0).numpy()


def _with_members(
    blocks: Iterable[Tensor], labels: np.ndarray, classes: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Each block copied to float64, with the classes of its images as one-hot rows [n, classes]."""
    start = 0
    for block in blocks:
        own = torch.as_tensor(labels[start : start + len(block)])
        start += len(block)
        members = functional.one_hot(own, classes).to(block.device, torch.float64)
        yield block.to(torch.float64, copy=True), members
