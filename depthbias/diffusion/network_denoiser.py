"""A trained network as a denoiser D(x, sigma) -> x0 (see denoiser.py for the contract)."""

import math
from collections.abc import Sequence
from typing import get_args

import numpy as np
import torch
from torch import Tensor

from depthbias.diffusion.objectives import Objective, Prediction, edm_denoise
from depthbias.diffusion.schedules import ddpm_sigmas


class ZeroNetwork(torch.nn.Module):
    """A network that has learned nothing: its output is 0."""

    def forward(self, x: Tensor, time: Tensor, return_dict: bool = True) -> tuple[Tensor]:
        return (torch.zeros_like(x),)


class NetworkDenoiser:
    """A trained network, a U-Net or another, as a denoiser for every sigma > 0.

    ddpm (arXiv 2006.11239): D = x - sigma eps(x / sqrt(1 + sigma^2), t), where t interpolates
    ln sigma between the levels of training (`bars`: abar_t, 1000 unless told, from 0.01 to 157);
    outside of them t stays at the end. Networks of others may predict v = sqrt(abar_t) eps -
    sqrt(1 - abar_t) x0 (arXiv 2202.00512) or the image ("sample") in the place of eps. edm
    (arXiv 2206.00364, eq. 7): D = c_skip x + c_out F(c_in x, ln(sigma) / 4), which needs
    `sigma_data`, the standard deviation of the training images. With `clip`, D is clipped to
    [-1, 1], where images lie: right when sampling, wrong when the denoiser itself is studied.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        objective: Objective,
        sigma_data: float | None = None,
        clip: bool = False,
        *,
        prediction: Prediction = "epsilon",
        bars: Sequence[float] | None = None,
    ) -> None:
        if prediction not in get_args(Prediction):
            raise ValueError(
                f"prediction {prediction!r} is none of {', '.join(get_args(Prediction))}"
            )
        if objective not in get_args(Objective):
            raise ValueError(f"objective {objective!r} is none of {', '.join(get_args(Objective))}")
        if objective == "edm" and not (sigma_data and sigma_data > 0):
            raise ValueError(f"sigma_data {sigma_data!r}: the edm objective needs a positive one")
        self.model = model.eval()
        self.objective = objective
        self.sigma_data = sigma_data
        self.clip = clip
        self.prediction: Prediction = prediction
        self.bars = bars
        self._log_levels = ddpm_sigmas(bars).log().numpy()

    def of(self, model: torch.nn.Module, clip: bool | None = None) -> "NetworkDenoiser":
        """Another network in its place, clipped as this one unless `clip` says how."""
        return NetworkDenoiser(
            model,
            self.objective,
            self.sigma_data,
            self.clip if clip is None else clip,
            prediction=self.prediction,
            bars=self.bars,
        )

    def clipped(self) -> "NetworkDenoiser":
        """The same network as it is sampled."""
        return self.of(self.model, clip=True)

    def __call__(self, x: Tensor, sigma: float | Tensor) -> Tensor:
        """The estimate of x0, shape of x. ValueError if a sigma is not positive and finite.

        A float, unlike a tensor, never waits for the device.
        """
        if isinstance(sigma, Tensor):
            positive = bool(((sigma > 0) & (sigma < math.inf)).all())
            levels = sigma.to(x)
        else:
            positive = 0 < sigma < math.inf
            levels = torch.full((1,), sigma, dtype=x.dtype, device=x.device)
        if not positive:
            raise ValueError(f"sigma {sigma}: noise levels are positive and finite")
        if self.objective == "edm":
            assert self.sigma_data is not None
            x0 = edm_denoise(self._network, x, levels, self.sigma_data)
        else:
            x0 = self._image(x, levels.view(-1, 1, 1, 1), self._timesteps(sigma, x))
        return x0.clamp(-1.0, 1.0) if self.clip else x0

    def _image(self, x: Tensor, s: Tensor, time: Tensor) -> Tensor:
        """x0 by a network trained on sqrt(abar_t) x, abar_t = 1 / (1 + s^2)."""
        root = (1 + s * s).rsqrt()
        output = self._network(root * x, time)
        if self.prediction == "epsilon":
            return x - s * output
        return output if self.prediction == "sample" else root * (root * x - s * output)

    def _network(self, x: Tensor, time: Tensor) -> Tensor:
        output: Tensor = self.model(x, time, return_dict=False)[0]
        return output

    def _timesteps(self, sigma: float | Tensor, x: Tensor) -> Tensor:
        """t, mostly between two integers, float32 [1] or [N] on the device of x."""
        steps = np.arange(len(self._log_levels))
        if isinstance(sigma, Tensor):
            log_sigma = sigma.detach().double().log().cpu().reshape(-1).numpy()
            times = np.interp(log_sigma, self._log_levels, steps)
            return torch.as_tensor(times, dtype=torch.float32, device=x.device)
        time = float(np.interp(math.log(sigma), self._log_levels, steps))
        return torch.full((1,), time, device=x.device)
