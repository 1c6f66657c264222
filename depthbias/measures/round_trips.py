"""Round trips of images: noise is added up to a level, and the probability-flow ODE takes it away.

[BIAS] (arXiv 2505.17560), equations 4 and 5, compares the class of the image that is encoded with
the class of the image that is decoded.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from depthbias.data.pixels import to_uint8
from depthbias.data.splits import Split
from depthbias.data.subsets import Subset
from depthbias.diffusion.denoiser import Denoiser
from depthbias.diffusion.samplers import SAMPLERS
from depthbias.estimates.intervals import stream
from depthbias.measures.chosen_images import choose_both


class Travellers(NamedTuple):
    """Images that make round trips, each once: float [N, C, H, W] on the device.

    rows: of the data set, rising, and labels: int [N]; heldout, own, shared: bool [N], which are
    held out, in the training subset of the model, and in the first subset of its ratio. Held-out
    and shared ones are the same for all models of a ratio, so their bias and variance are defined.
    """

    images: Tensor
    rows: np.ndarray
    labels: np.ndarray
    heldout: np.ndarray
    own: np.ndarray
    shared: np.ndarray


def choose_travellers(
    path: Path, split: Split, own: Subset, first: Subset, count: int, device: torch.device
) -> Travellers:
    """Up to `count` held-out images, as many of the model's subset and of the first subset.

    Of all classes alike as far as they go; path: the prepared images.
    """
    heldout, mine = choose_both(path, split, own, (count, count), device)
    shared = choose_both(path, split, first, (count, count), device)[1]
    parts = (heldout, mine, shared)
    rows, places = np.unique(np.concatenate([part.rows for part in parts]), return_index=True)
    images = torch.cat([part.images for part in parts])[torch.from_numpy(places).to(device)]
    labels = np.concatenate([part.labels for part in parts])[places]
    return Travellers(images, rows, labels, *(np.isin(rows, part.rows) for part in parts))


def noise_of_trips(
    rows: np.ndarray, noises: int, shape: Sequence[int], noise_seed: int, seed: str
) -> Tensor:
    """Standard normal float32 [noises, N, *shape], for the images of these rows.

    A noise depends on (noise seed, seed of the training subset, row, its number) alone: it is the
    same for all depths, ratios and levels, and independent for the training sets, as the one-way
    analysis of variance takes it to be.
    """
    drawn = [
        stream("round trip", str(noise_seed), seed, str(row)).standard_normal(
            (noises, *shape), dtype=np.float32
        )
        for row in rows.tolist()
    ]
    return torch.from_numpy(np.stack(drawn, axis=1))


@torch.inference_mode()
def decoded(
    denoiser: Denoiser,
    sampler: str,
    images: Tensor,
    noise: Tensor,
    sigmas: Tensor,
    batch_size: int,
) -> Iterator[np.ndarray]:
    """Batches of images uint8 [n, H, W, C], in the order of noise [J, N, C, H, W], flattened.

    images: [N, C, H, W]; sampler: a key of SAMPLERS that needs no noise; sigmas: from the level of
    the round trip down to 0. FloatingPointError if an image is not finite.
    """
    level = float(sigmas[0])
    noised = (images + level * noise.to(images)).flatten(0, 1)
    for x in noised.split(batch_size):
        for state in SAMPLERS[sampler](denoiser, x, sigmas):
            x = state
        if not bool(x.isfinite().all()):
            raise FloatingPointError(f"images decoded from noise level {level:g} are not finite")
        yield to_uint8(x).cpu().numpy()
