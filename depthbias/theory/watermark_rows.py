"""How well a watermark is found, how visible it is, and what becomes of it in each direction.

`sigma` is the noise level at which the mark is made, `class` what the image went through. The
metric is NAME:BAND. Two carriers take noised images to images and back: a trained model by DDIM,
and the Gaussian of its training images in closed form, which is the prediction.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from scipy.stats import kstest
from torch import Tensor

from depthbias.data.pixels import to_float, to_uint8
from depthbias.diffusion.denoiser import Denoiser
from depthbias.diffusion.gaussian_denoiser import GaussianDenoiser
from depthbias.diffusion.inversion import invert
from depthbias.diffusion.noise import initial_noise
from depthbias.diffusion.objectives import Objective
from depthbias.diffusion.samplers import ddim
from depthbias.diffusion.schedules import SIGMA_MAX, SIGMA_MIN, edm_sigmas, levels_from
from depthbias.estimates.intervals import Estimate
from depthbias.estimates.measurements import Measured, mean_of, share_of
from depthbias.estimates.runs import Run
from depthbias.measures.membership import auc, side
from depthbias.theory.attacks import attack
from depthbias.theory.watermark import band, draw_keys, draw_marks, inject, p_values

FALSE_POSITIVES = 0.01
ROC = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)  # false positives shown
MARK = 0.25  # deviation of the white mark, of that of the noise
ROUNDING = 1 / 12  # squared error of rounding to a grey level: what no PSNR can be above
Rows = Iterator[dict[str, Any]]


class Plan(NamedTuple):
    """bands and their radius; sigmas: levels of embedding; attacks: what images go through."""

    bands: Sequence[str]
    radius: float
    sigmas: Sequence[float]
    attacks: Sequence[str]
    images: int
    noise_seed: int
    key_seed: int


class Carrier(Protocol):
    """Takes noised images at a level to images, float [N, C, S, S] on the CPU, and back."""

    def noised(self, noise: Tensor, sigma: float) -> Tensor:
        """What standard normal noise has become at a level."""

    def image(self, x: Tensor, sigma: float) -> Tensor:
        """The image that x at a level becomes."""

    def back(self, images: Tensor, sigma: float) -> Tensor:
        """What an image was at a level."""


class SampledCarrier:
    """A denoiser on a device with DDIM and its inversion, `steps` for each way."""

    def __init__(
        self,
        denoiser: Denoiser,
        objective: Objective,
        steps: int,
        batch_size: int,
        device: torch.device,
    ) -> None:
        self.denoiser, self.objective, self.device = denoiser, objective, device
        self.steps, self.batch_size = steps, batch_size

    def noised(self, noise: Tensor, sigma: float) -> Tensor:
        return self._follow(ddim, SIGMA_MAX * noise, edm_sigmas(self.steps, sigma, SIGMA_MAX))

    def image(self, x: Tensor, sigma: float) -> Tensor:
        return self._follow(ddim, x, levels_from(sigma, self.objective, self.steps))

    def back(self, images: Tensor, sigma: float) -> Tensor:
        return self._follow(invert, images, levels_from(sigma, self.objective, self.steps))

    @torch.inference_mode()
    def _follow(self, method: Any, x: Tensor, sigmas: Tensor) -> Tensor:
        done = []
        for part in x.split(self.batch_size):
            state = part.to(self.device)
            for following in method(self.denoiser, state, sigmas):
                state = following
            done.append(state.cpu())
        found = torch.cat(done)
        if not bool(found.isfinite().all()):
            raise FloatingPointError("images on their way are not finite")
        return found


class GaussianCarrier:
    """The probability-flow ODE of a Gaussian, exact."""

    def __init__(self, gaussian: GaussianDenoiser) -> None:
        self.gaussian = gaussian

    def noised(self, noise: Tensor, sigma: float) -> Tensor:
        return self.gaussian.flow(SIGMA_MAX * noise, SIGMA_MAX, sigma)

    def image(self, x: Tensor, sigma: float) -> Tensor:
        return self.gaussian.flow(x, sigma, 0.0)

    def back(self, images: Tensor, sigma: float) -> Tensor:
        return self.gaussian.flow(images, SIGMA_MIN, sigma)  # a finished image is at this level


def watermark_rows(carrier: Carrier, run: Run, shape: Sequence[int], plan: Plan) -> Rows:
    """Rows of every level, band and attack; shape: (C, S, S) of the images."""
    indices = range(plan.images)
    noise = initial_noise(plan.noise_seed, indices, shape)
    keys = draw_keys(plan.key_seed, indices, shape)
    bands = {name: band(name, shape[1], plan.radius) for name in plan.bands}
    for sigma in plan.sigmas:
        x = carrier.noised(noise, sigma)
        plain = to_uint8(carrier.image(x, sigma)).numpy()
        marked = {
            name: to_uint8(carrier.image(inject(x, keys, chosen, sigma), sigma)).numpy()
            for name, chosen in bands.items()
        }
        for name, images in marked.items():
            yield _row(mean_of(psnr(images, plain), run, f"watermark_psnr:{name}"), sigma)
        for course in plan.attacks:
            clean = _received(carrier, attack(course, plain), sigma)
            for name, chosen in bands.items():
                seen = _received(carrier, attack(course, marked[name]), sigma)
                given = (keys, chosen, sigma)
                found = p_values(seen, *given), p_values(clean, *given)
                yield from _detection(run, name, course, sigma, *found)


def _received(carrier: Carrier, images: np.ndarray, sigma: float) -> Tensor:
    """Images uint8 [N, S, S, C] taken back to a level."""
    return carrier.back(to_float(torch.from_numpy(images)), sigma)


def psnr(images: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Peak signal-to-noise ratio, dB [N], of pairs of images uint8 [N, S, S, C].

    At most 58.9, which is the error of rounding to grey levels.
    """
    apart = (images.astype(float) - others) ** 2
    error = apart.reshape(len(apart), -1).mean(axis=1)
    return np.asarray(10 * np.log10(255**2 / np.maximum(error, ROUNDING)))


def _detection(
    run: Run, name: str, course: str, sigma: float, marked: np.ndarray, clean: np.ndarray
) -> Rows:
    """Rows of one band and attack, from p-values [N] of marked and of unmarked images."""

    def measured(metric: str) -> tuple[Run, str, str]:
        return run, f"watermark_{metric}:{name}", course

    yield _row(share_of(marked < FALSE_POSITIVES, *measured("detected")), sigma)
    yield _row(share_of(clean < FALSE_POSITIVES, *measured("false")), sigma)
    for level in ROC:
        row = _row(share_of(marked <= level, *measured("roc")), sigma)
        yield row | {"k": level}
    alike = np.zeros(len(marked), dtype=int)
    one = side(alike, np.ones(1))
    area = auc(-marked, -clean, (one, one))
    uniform = _exactly(float(kstest(clean, "uniform").pvalue), len(clean))
    for metric, estimate in (("auc", area), ("null_p", uniform)):
        about, full, _ = measured(metric)
        yield _row(Measured(about, full, estimate, class_name=course), sigma)


def _row(measured: Measured, sigma: float) -> dict[str, Any]:
    return measured.row | {"sigma": sigma}


class Directions(NamedTuple):
    """An orthonormal basis [d, d] of the pixels, and the variance [d] of training images along it.

    Falling variances; 0 in the null space.
    """

    basis: Tensor
    variance: Tensor


def directions_of(gaussian: GaussianDenoiser) -> Directions:
    """The principal directions of a Gaussian, completed by a basis of its null space."""
    vectors = gaussian.vectors
    whole, _ = torch.linalg.qr(vectors, mode="complete")
    basis = torch.cat([vectors, whole[:, gaussian.rank :]], dim=1)
    return Directions(
        basis, torch.cat([gaussian.values, gaussian.values.new_zeros(len(basis) - gaussian.rank)])
    )


def direction_rows(
    carrier: Carrier, run: Run, directions: Directions, shape: Sequence[int], plan: Plan
) -> Rows:
    """What becomes of a small white mark along each principal direction, `k` from 1.

    watermark_gain: slope of its change of the image on its change of the noised image;
    watermark_kept: correlation of the latter with what detection finds of it in the image, rounded
    to grey levels; watermark_variance: of the training images.
    """
    indices, basis = range(plan.images), directions.basis
    noise = initial_noise(plan.noise_seed, indices, shape)
    mark = draw_marks(plan.key_seed, indices, shape).float()
    for sigma in plan.sigmas:
        x = carrier.noised(noise, sigma)
        put = sigma * MARK * mark
        plain, marked = carrier.image(x, sigma), carrier.image(x + put.to(x), sigma)
        back = _received(carrier, to_uint8(marked).numpy(), sigma)
        along = [part.flatten(1).double() @ basis for part in (put, marked - plain, back - x)]
        for k, (injected, seen, found) in enumerate(
            zip(*(a.T.numpy() for a in along), strict=True)
        ):
            for metric, estimate in (
                ("gain", slope(injected, seen)),
                ("kept", correlation(injected, found)),
                ("variance", _exactly(float(directions.variance[k]), plan.images)),
            ):
                yield _row(Measured(run, f"watermark_{metric}", estimate, k=k + 1), sigma)


def _exactly(value: float, n: int) -> Estimate:
    return Estimate(value, np.nan, np.nan, n)


def slope(x: np.ndarray, y: np.ndarray) -> Estimate:
    """Least-squares slope through 0 of y on x [N], with its normal interval."""
    value = float(x @ y / (x @ x))
    error = np.sqrt(((y - value * x) ** 2).sum() / (len(x) - 1) / (x @ x))
    return Estimate(value, value - 1.96 * error, value + 1.96 * error, len(x))


def correlation(x: np.ndarray, y: np.ndarray) -> Estimate:
    """Pearson's correlation of x and y [N], with Fisher's interval; 0 where y does not vary."""
    if y.std() == 0:
        return _exactly(0.0, len(y))
    value = float(np.corrcoef(x, y)[0, 1])
    reach = 1.96 / np.sqrt(len(x) - 3)
    middle = np.arctanh(np.clip(value, -1 + 1e-12, 1 - 1e-12))
    return Estimate(value, float(np.tanh(middle - reach)), float(np.tanh(middle + reach)), len(x))
