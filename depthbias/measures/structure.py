"""Everything that is measured about the linear and Gaussian structure of one denoiser."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from depthbias.diffusion.denoiser import Denoiser
from depthbias.diffusion.gaussian_denoiser import GaussianDenoiser
from depthbias.diffusion.linear_denoiser import LinearDenoiser
from depthbias.diffusion.multi_delta_denoiser import DeltaDenoiser
from depthbias.diffusion.noise import noisy_batches
from depthbias.measures.linearity import (
    ANGLES,
    alignment,
    in_batches,
    linearity,
    relative_error,
    score_error,
    weight_nmse,
)
from depthbias.system.errors import UserError

ALIGNED = (1, 3, 10)  # dimensions of the leading subspaces that are compared


@dataclass(frozen=True)
class Effort:
    """How much is measured at every noise level.

    pairs: image pairs of the linearity score, at most half the images; noisy_images: those of the
    score errors, at most one of every image; samples: noisy images a linear map is fitted to.
    """

    pairs: int
    noisy_images: int
    samples: int
    seed: int
    batch_size: int


class Measurements(NamedTuple):
    """What is measured, float64 [levels, n] by name, and the denoisers that it is compared with."""

    by_name: dict[str, np.ndarray]
    linear: LinearDenoiser
    gaussian: GaussianDenoiser
    delta: DeltaDenoiser


@torch.no_grad()
def measure(
    denoiser: Denoiser,
    images: Tensor,
    sigmas: Sequence[float],
    effort: Effort,
    report: Callable[[int], None] = lambda done: None,
) -> Measurements:
    """Measurements by name, [levels, n], one value a pair or image (n = 1 for a map).

    images: the training images [N, C, H, W] on the device of the denoiser. Names are a metric of
    docs/metrics.md, and after an @ the angle or the index of the singular vector. `report` hears
    how many levels are done. Noise is drawn separately for each measure, so that linear maps are
    judged on noise they were not fitted to, and is the same at every level. UserError for fewer
    than two images.
    """
    if len(images) < 2:
        raise UserError("linearity is measured on pairs: two training images are needed at least")
    gaussian, delta = GaussianDenoiser.fit(images), DeltaDenoiser(images)
    batched = in_batches(denoiser, effort.batch_size)
    rows: list[dict[str, np.ndarray]] = []
    maps: dict[float, tuple[Tensor, Tensor]] = {}
    for sigma in sigmas:
        linear = LinearDenoiser.distill(
            denoiser,
            images,
            sigma,
            samples=effort.samples,
            seed=3 * effort.seed,
            batch_size=effort.batch_size,
        )
        others: dict[str, Denoiser] = {"gaussian": gaussian, "linear": linear, "delta": delta}
        found = _linearity(batched, images, sigma, gaussian.mean.to(images), effort)
        found |= _score_errors(batched, others, images, sigma, effort)
        found |= _maps(linear.maps[sigma][0], gaussian, sigma)
        maps |= linear.maps
        rows.append({name: values.cpu().numpy() for name, values in found.items()})
        report(len(rows))
    values = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    return Measurements(values, LinearDenoiser(maps), gaussian, delta)


def _linearity(
    denoiser: Denoiser, images: Tensor, sigma: float, mean: Tensor, effort: Effort
) -> dict[str, Tensor]:
    pairs = min(effort.pairs, len(images) // 2)
    noisy = _noisy(images, 2 * pairs, sigma, 3 * effort.seed + 1)
    measures = linearity(denoiser, noisy[:pairs], noisy[pairs:], sigma, mean)
    return {
        f"{name}@{angle:g}": values
        for name, rows in measures.items()
        for angle, values in zip(ANGLES, rows, strict=True)
    }


def _score_errors(
    denoiser: Denoiser, others: dict[str, Denoiser], images: Tensor, sigma: float, effort: Effort
) -> dict[str, Tensor]:
    noisy = _noisy(images, min(effort.noisy_images, len(images)), sigma, 3 * effort.seed + 2)
    reference = denoiser(noisy, sigma)
    found = {}
    for name, other in others.items():
        estimate = other(noisy, sigma)
        found[f"score_error:{name}"] = score_error(reference, estimate)
        found[f"score_nmse:{name}"] = relative_error(reference, estimate)
    return found


def _maps(weight: Tensor, gaussian: GaussianDenoiser, sigma: float) -> dict[str, Tensor]:
    found = {"weight_nmse": torch.tensor([weight_nmse(weight, gaussian.matrix(sigma))])}
    same = alignment(weight, gaussian, max(ALIGNED))
    return found | {f"alignment@{k}": same[k - 1 : k] for k in ALIGNED if k <= len(same)}


def _noisy(images: Tensor, count: int, sigma: float, seed: int) -> Tensor:
    """`count` different images, each with noise."""
    return next(noisy_batches(images, count, sigma, seed, count))
