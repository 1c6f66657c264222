"""Objectives against diffusers' scheduler, closed forms and a second implementation in NumPy."""

import math

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler

from depthbias.diffusion.objectives import (
    alpha_bars,
    ddpm_loss,
    edm_denoise,
    edm_loss,
    measure_sigma_data,
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_alpha_bars_are_those_of_diffusers():
    bars = alpha_bars()
    scheduler = DDPMScheduler(num_train_timesteps=1000, beta_schedule="linear")
    assert bars.dtype == torch.float64
    torch.testing.assert_close(bars.float(), scheduler.alphas_cumprod, rtol=2e-5, atol=0)
    by_numpy = np.cumprod(1 - (1e-4 + (0.02 - 1e-4) * np.arange(1000) / 999))
    np.testing.assert_allclose(bars.numpy(), by_numpy, rtol=1e-12)


def test_ddpm_noises_as_diffusers_does_and_asks_for_the_noise():
    images = torch.rand(64, 2, 4, 4, generator=seeded(1)) * 2 - 1
    seen = {}

    def network(x, t):
        seen.update(x=x, t=t)
        return torch.zeros_like(x)

    loss = ddpm_loss(network, images, alpha_bars(), seeded())
    generator = seeded()
    t = torch.randint(0, 1000, (64,), generator=generator)
    noise = torch.randn(images.shape, generator=generator)
    assert torch.equal(seen["t"], t)
    expected = DDPMScheduler(num_train_timesteps=1000).add_noise(images, noise, t)
    torch.testing.assert_close(seen["x"], expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(loss, noise.square().mean())


def test_ddpm_loss_of_a_network_that_knows_the_image_is_zero():
    image = torch.linspace(-1, 1, 16).view(1, 1, 4, 4)
    bars = alpha_bars()

    def network(x, t):
        bar = bars.float()[t].view(-1, 1, 1, 1)
        return (x - bar.sqrt() * image) / (1 - bar).sqrt()

    assert ddpm_loss(network, image.expand(32, -1, -1, -1), bars, seeded()) < 1e-6


def test_ddpm_timesteps_cover_all_levels_evenly():
    drawn = []

    def network(x, t):
        drawn.append(t)
        return x

    ddpm_loss(network, torch.zeros(200_000, 1, 1, 1), alpha_bars(), seeded())
    counts = torch.bincount(drawn[0], minlength=1000)
    assert len(counts) == 1000
    # 200 expected at each level, standard deviation 14: 6 of them leave room for 1000 levels
    assert counts.min() > 115
    assert counts.max() < 285


@pytest.mark.parametrize("sigma_data", [0.3, 1.0])
def test_edm_preconditioning_by_hand(sigma_data):
    x = torch.randn(5, 1, 2, 2, generator=seeded(), dtype=torch.float64)
    sigma = torch.tensor([0.002, 0.1, 0.5, 3.0, 80.0], dtype=torch.float64)
    d = edm_denoise(lambda v, t: torch.tanh(v) + t.view(-1, 1, 1, 1), x, sigma, sigma_data)
    for i, s in enumerate(sigma.tolist()):
        total = s * s + sigma_data**2
        inner = np.tanh(x[i].numpy() / math.sqrt(total)) + math.log(s) / 4
        expected = sigma_data**2 / total * x[i].numpy()
        expected = expected + s * sigma_data / math.sqrt(total) * inner
        np.testing.assert_allclose(d[i].numpy(), expected, rtol=1e-12)


def test_edm_loss_is_one_before_training_on_data_of_that_deviation():
    """With F = 0 on data ~ N(0, sd^2) the weighted error is 1 at every sigma: so w is made."""
    data = 0.7 * torch.randn(20_000, 1, 4, 4, generator=seeded(1))
    loss = edm_loss(lambda x, t: torch.zeros_like(x), data, 0.7, seeded())
    assert abs(loss.item() - 1) < 0.02


def test_edm_noise_levels_are_log_normal():
    drawn = []

    def network(x, t):
        drawn.append(4 * t)
        return x

    edm_loss(network, torch.zeros(100_000, 1, 1, 1), 0.5, seeded())
    assert abs(drawn[0].mean().item() + 1.2) < 0.02
    assert abs(drawn[0].std().item() - 1.2) < 0.02


def test_sigma_data_of_uint8_images():
    images = torch.randint(0, 256, (7, 4, 4, 3), generator=seeded(), dtype=torch.uint8)
    expected = np.std(images.numpy() / 127.5 - 1)
    assert measure_sigma_data(images) == pytest.approx(expected, rel=1e-12)
    assert measure_sigma_data(torch.full((2, 2, 2, 1), 9, dtype=torch.uint8)) == 1.0
