"""Measure the errors of one denoiser on held-out and training images, and whether it diverged."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from depthbias.diffusion.denoiser import Denoiser
from depthbias.diffusion.noise import initial_noise
from depthbias.measures.chosen_images import Chosen
from depthbias.measures.linearity import in_batches
from depthbias.system.errors import UserError


@torch.no_grad()
def measure(
    denoiser: Denoiser,
    cuts: Sequence[Denoiser],
    heldout: Chosen,
    training: Chosen,
    sigmas: Sequence[float],
    *,
    noise_seed: int,
    batch_size: int,
    report: Callable[[int], None] = lambda done: None,
) -> dict[str, np.ndarray]:
    """The arrays of DenoisingErrors that are errors and residuals, by name.

    cuts: the denoiser with its first 1, 2 ... stages; `report` hears how many levels are done.
    """
    batched = in_batches(denoiser, batch_size)
    parts = {"heldout": heldout, "training": training}
    noises = {name: _noise(part, noise_seed) for name, part in parts.items()}
    found: dict[str, list[np.ndarray]] = {"cut_errors": []}
    for sigma in sigmas:
        for name, (images, *_) in parts.items():
            errors = squared_errors(batched, images, noises[name], sigma)
            found.setdefault(f"{name}_errors", []).append(errors)
            residuals = np.sqrt(_a_pixel(batched(images, sigma) - images)) / sigma
            found.setdefault(f"{name}_residuals", []).append(residuals)
        for cut in cuts:
            small = in_batches(cut, batch_size)
            errors = squared_errors(small, heldout.images, noises["heldout"], sigma)
            found["cut_errors"].append(errors)
        report(len(found["heldout_errors"]))
    shape = (len(sigmas), len(cuts), len(heldout.images))
    cut_errors = np.array(found.pop("cut_errors")).reshape(shape).swapaxes(0, 1)
    return {name: np.stack(rows) for name, rows in found.items()} | {"cut_errors": cut_errors}


@torch.no_grad()
def squared_errors(denoiser: Denoiser, images: Tensor, noise: Tensor, sigma: float) -> np.ndarray:
    """|D(x + s e; s) - x|^2 a pixel of every image, float64 [N]."""
    return _a_pixel(denoiser(images + sigma * noise, sigma) - images)


def constant_errors(heldout: Chosen, mean: Tensor) -> np.ndarray:
    """Errors [M] of the denoiser that always gives `mean` [C, H, W], of the training images."""
    return _a_pixel(heldout.images - mean)


def check_trained(
    path: Path,
    denoiser: Denoiser,
    untaught: Denoiser,
    heldout: Chosen,
    constant: np.ndarray,
    weights: np.ndarray,
    noise_seed: int,
) -> None:
    """UserError for a model that diverged to finite nonsense or learned nothing; path: its weights.

    Its held-out loss has to be below that of the best constant image at one level: the first at
    which `untaught`, the denoiser of a network whose output is 0, is twice as wrong as that image,
    and at most that of a noise four times as large as its loss. There 20 steps are enough, which
    they are not at higher levels. constant, weights: [M], the latter of sum 1.
    """
    loss, noise = float(weights @ constant), _noise(heldout, noise_seed)

    def loss_of(model: Denoiser, sigma: float) -> float:
        return float(weights @ squared_errors(model, heldout.images, noise, sigma))

    levels = np.geomspace(0.5, 2, 100) * loss**0.5
    sigma = next((s for s in levels if loss_of(untaught, s) >= 2 * loss), levels[-1])
    own = loss_of(denoiser, float(sigma))
    if not own <= loss:
        raise UserError(
            f"{path}: its held-out loss at noise level {sigma:.2g} is {own:.3g}, above the "
            f"{loss:.3g} of the best constant image: it diverged or learned nothing; lower "
            "training.learning_rate, or raise training.budget"
        )


def _noise(chosen: Chosen, seed: int) -> Tensor:
    shape = chosen.images.shape[1:]
    return initial_noise(seed, chosen.rows.tolist(), shape).to(chosen.images)


def _a_pixel(difference: Tensor) -> np.ndarray:
    """Mean square over the pixels and channels of every image, float64 [N]."""
    squares: np.ndarray = difference.double().square().flatten(1).mean(1).cpu().numpy()
    return squares
