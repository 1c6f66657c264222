"""NetworkDenoiser against diffusers, and against closed forms with a network that is known."""

import math

import pytest
import torch
from diffusers import DDPMScheduler, EDMEulerScheduler

from depthbias.diffusion.network_denoiser import NetworkDenoiser
from depthbias.diffusion.schedules import ddpm_sigmas
from depthbias.diffusion.unet import build_unet


class Recorder(torch.nn.Module):
    """A network that gives a constant and remembers what it was given."""

    def __init__(self, output=0.25):
        super().__init__()
        self.output = output

    def forward(self, x, time, return_dict=True):
        self.x, self.time = x, time
        return (torch.full_like(x, self.output),)


@pytest.fixture(scope="module")
def architecture():
    torch.manual_seed(0)
    return build_unet("depth2", channels=1, size=8, width=0.5).eval()


@pytest.fixture
def x():
    return torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(1))


def test_levels_are_those_of_diffusers():
    bars = DDPMScheduler().alphas_cumprod.double()
    assert torch.allclose(ddpm_sigmas(), ((1 - bars) / bars).sqrt(), rtol=1e-4)
    assert ddpm_sigmas()[0] == pytest.approx(math.sqrt(1e-4 / (1 - 1e-4)), rel=1e-9)


@pytest.mark.parametrize("t", [0, 1, 437, 999])
@pytest.mark.parametrize("clip", [False, True])
def test_ddpm_equals_the_prediction_of_diffusers(architecture, x, t, clip):
    sigma = float(ddpm_sigmas()[t])
    scheduler = DDPMScheduler(clip_sample=clip)
    with torch.no_grad():
        expected = scheduler.step(architecture(x, t).sample, t, x).pred_original_sample
        found = NetworkDenoiser(architecture, "ddpm", clip=clip)(x * math.sqrt(1 + sigma**2), sigma)
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))
    assert (found.abs().max() <= 1) == clip


@pytest.mark.parametrize("sigma", [0.002, 0.5, 80.0])
def test_edm_equals_the_preconditioning_of_diffusers(architecture, x, sigma):
    scheduler = EDMEulerScheduler(sigma_data=0.7)
    with torch.no_grad():
        noise = scheduler.precondition_noise(torch.tensor([sigma]))
        output = architecture(scheduler.precondition_inputs(x, sigma), noise).sample
        expected = scheduler.precondition_outputs(x, output, torch.tensor(sigma))
        found = NetworkDenoiser(architecture, "edm", sigma_data=0.7)(x, sigma)
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_ddpm_formula_with_a_known_network(x):
    network = Recorder(output=0.25)
    x0 = NetworkDenoiser(network, "ddpm")(x, 2.0)
    assert torch.allclose(network.x, x / math.sqrt(5), atol=1e-6)
    assert torch.allclose(x0, x - 0.5, atol=1e-6)


def test_time_interpolates_the_logarithm_of_sigma_and_stays_at_the_ends(x):
    network = Recorder()
    denoiser, levels = NetworkDenoiser(network, "ddpm"), ddpm_sigmas()
    between = {
        0.25: levels[300] ** 0.75 * levels[301] ** 0.25,
        0.5: (levels[300] * levels[301]).sqrt(),
    }
    for fraction, sigma in between.items():
        denoiser(x, float(sigma))
        assert float(network.time) == pytest.approx(300 + fraction, abs=1e-4)
    for sigma, t in [(0.002, 0), (1e4, 999), (float(levels[640]), 640)]:
        denoiser(x, sigma)
        assert float(network.time) == t


@pytest.mark.parametrize("objective", ["ddpm", "edm"])
def test_one_sigma_an_image(architecture, x, objective):
    denoiser = NetworkDenoiser(architecture, objective, sigma_data=0.7)
    sigmas = [0.05, 1.7, 60.0]
    with torch.no_grad():
        together = denoiser(x, torch.tensor(sigmas))
        each = [denoiser(x[i : i + 1], sigma) for i, sigma in enumerate(sigmas)]
        same = denoiser(x, torch.tensor(1.7))
        assert torch.allclose(same, denoiser(x, 1.7), atol=1e-5)
    assert torch.allclose(together, torch.cat(each), rtol=1e-4, atol=1e-4)


def test_a_denoiser_can_be_differentiated(architecture):
    denoiser = NetworkDenoiser(architecture, "ddpm")
    x = torch.randn(1, 1, 8, 8, generator=torch.Generator().manual_seed(2), requires_grad=True)
    v = torch.randn(1, 1, 8, 8, generator=torch.Generator().manual_seed(3))
    (gradient,) = torch.autograd.grad(denoiser(x, 0.5).sum(), x)
    with torch.no_grad():
        step = 1e-2
        difference = (denoiser(x + step * v, 0.5) - denoiser(x - step * v, 0.5)).sum() / (2 * step)
    assert float((gradient * v).sum()) == pytest.approx(float(difference), rel=1e-2)


@pytest.mark.parametrize("sigma", [0.0, -1.0, math.nan, math.inf])
def test_sigma_must_be_positive_and_finite(x, sigma):
    denoiser = NetworkDenoiser(Recorder(), "ddpm")
    with pytest.raises(ValueError, match="positive and finite"):
        denoiser(x, sigma)
    with pytest.raises(ValueError, match="positive and finite"):
        denoiser(x, torch.tensor([1.0, sigma, 1.0]))


def test_wrong_objectives_are_refused():
    with pytest.raises(ValueError, match="'flow' is none of ddpm, edm"):
        NetworkDenoiser(Recorder(), "flow")
    for wrong in (None, 0.0, -1.0):
        with pytest.raises(ValueError, match="sigma_data"):
            NetworkDenoiser(Recorder(), "edm", sigma_data=wrong)
