"""Sampling: depthbias.diffusion.samplers against diffusers' DDIMPipeline."""

from unittest import mock

import numpy as np
import torch
from diffusers import DDIMPipeline, DDIMScheduler, UNet2DModel
from diffusers.pipelines.ddim import pipeline_ddim

from benchmarks.turns import Row, in_turns, row
from depthbias.diffusion.network_denoiser import NetworkDenoiser
from depthbias.diffusion.noise import initial_noise
from depthbias.diffusion.samplers import sample
from depthbias.diffusion.schedules import noise_levels
from depthbias.diffusion.unet import build_unet
from depthbias.system.compute import fast_layout, matmul_precision, without_tf32


class Ours:
    """What scripts/sample.py does with a batch."""

    def __init__(self, model: UNet2DModel, steps: int, batch: int, device: torch.device) -> None:
        config = model.config
        model.to(device=device, memory_format=fast_layout(config.sample_size, device))
        self.denoiser = NetworkDenoiser(model, "ddpm", clip=True)
        self.sigmas, self.batch, self.device = noise_levels("ddpm", steps), batch, device
        self.shape = (config.in_channels, config.sample_size, config.sample_size)

    def __call__(self) -> np.ndarray:
        return sample(
            self.denoiser,
            "ddim",
            self.sigmas,
            noise_seed=0,
            indices=range(self.batch),
            shape=self.shape,
            device=self.device,
        )


class Theirs:
    """The pipeline, on the same timesteps and with the noise found again after clipping x0.

    The pipeline's defaults keep the noise predicted before clipping, which is another method.
    """

    def __init__(self, model: UNet2DModel, steps: int, batch: int, device: torch.device) -> None:
        scheduler = DDIMScheduler(timestep_spacing="trailing", clip_sample=True)
        self.pipeline = DDIMPipeline(model, scheduler).to(device)
        self.pipeline.set_progress_bar_config(disable=True)
        self.steps, self.batch = steps, batch

    def __call__(self) -> np.ndarray:
        images = self.pipeline(
            batch_size=self.batch,
            num_inference_steps=self.steps,
            use_clipped_model_output=True,
            output_type="np",
        ).images
        return (images * 255).round().astype(np.uint8)


def check(ours: Ours, theirs: Theirs) -> str:
    """Start both from the same noise, without TF32, and compare the images."""
    noise = initial_noise(0, range(ours.batch), ours.shape).to(ours.device)
    with without_tf32():
        with mock.patch.object(pipeline_ddim, "randn_tensor", lambda *_, **__: noise):
            expected = theirs()
        found = ours()
    assert found.shape == expected.shape
    assert found.std() > 1, "an image of one colour would prove nothing"
    away = np.abs(found.astype(int) - expected)
    assert away.max() <= 1, f"images differ by {away.max()} levels of 255"
    return f"images, {away.max()} of 255 levels"


def measure(
    unet: str,
    *,
    size: int,
    channels: int,
    width: float,
    batch: int,
    steps: int,
    turns: int,
    device: torch.device,
) -> Row:
    """Images a second of both, one batch a turn."""
    torch.manual_seed(0)
    model = build_unet(unet, channels=channels, size=size, width=width).eval()
    twin = UNet2DModel.from_config(model.config).eval()
    twin.load_state_dict(model.state_dict())
    ours, theirs = Ours(model, steps, batch, device), Theirs(twin, steps, batch, device)
    checked = check(ours, theirs)
    seconds = in_turns(ours, theirs, turns)
    name = f"{unet}, {size}x{size}x{channels}, batch {batch}, {matmul_precision(device)}"
    return row(f"sampling, DDIM, {steps} steps", name, "DDIMPipeline", batch, seconds, checked)
