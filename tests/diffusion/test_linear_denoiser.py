"""Linear distillation: closed forms, gradient descent as a second way, and its errors."""

import math

import numpy as np
import pytest
import torch

from depthbias.diffusion.gaussian_denoiser import GaussianDenoiser
from depthbias.diffusion.linear_denoiser import LinearDenoiser, _least_squares
from depthbias.diffusion.noise import noisy_batches
from depthbias.diffusion.samplers import SAMPLERS
from depthbias.diffusion.schedules import edm_sigmas
from depthbias.system.errors import UserError


def draw(count, *shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, *shape, generator=generator, dtype=torch.float64)


def bent(x, sigma):
    """A denoiser that is not linear."""
    return torch.tanh(1.5 * x + 0.4 * x.flip(-1)) + 0.1 * sigma


class Recorder:
    """A denoiser that keeps what it was asked and what it said."""

    def __init__(self, denoiser):
        self.denoiser, self.calls = denoiser, []

    def __call__(self, x, sigma):
        result = self.denoiser(x, sigma)
        self.calls.append((x.flatten(1), result.flatten(1)))
        return result

    def pairs(self):
        inputs, outputs = zip(*self.calls, strict=True)
        return torch.cat(inputs), torch.cat(outputs)


@pytest.mark.parametrize("count", [40, 6], ids=["full-rank", "rank-5"])
def test_distilling_a_gaussian_returns_it(count):
    images = 0.4 * draw(count, 1, 3, 4) * torch.linspace(0.1, 2, 4) - 0.5
    gaussian, levels = GaussianDenoiser.fit(images), edm_sigmas(10).tolist()
    linear = LinearDenoiser.distill(gaussian, images, levels)
    for level in levels:
        weight, bias = linear.maps[level]
        slope, mean = gaussian.matrix(level), gaussian.mean.flatten()
        torch.testing.assert_close(weight, slope, rtol=0, atol=1e-6)
        torch.testing.assert_close(bias, mean - slope @ mean, rtol=0, atol=1e-6)


def test_in_float32_a_gaussian_comes_back_as_precisely_as_it_answers():
    images = (0.4 * draw(40, 1, 3, 4) - 0.5).float()
    gaussian = GaussianDenoiser.fit(images)
    for level in (80.0, 1.0, 0.002):
        weight, _ = LinearDenoiser.distill(gaussian, images, level).maps[level]
        torch.testing.assert_close(weight, gaussian.matrix(level), rtol=0, atol=1e-5)


def test_any_affine_denoiser_is_returned_and_applied():
    slope, bias = draw(6, 6, seed=1), draw(6, seed=2)

    def affine(x, sigma):
        return (sigma * x.flatten(1) @ slope.T + bias).view(x.shape)

    linear = LinearDenoiser.distill(affine, draw(10, 1, 2, 3), [0.5, 2.0])
    torch.testing.assert_close(linear.maps[2.0][0], 2 * slope)
    x = draw(4, 1, 2, 3, seed=3)
    torch.testing.assert_close(linear(x, 0.5), affine(x, 0.5))
    mixed = linear(x, torch.tensor([0.5, 2.0, 2.0, 0.5]))
    expected = torch.cat([affine(x[:1], 0.5), affine(x[1:3], 2.0), affine(x[3:], 0.5)])
    torch.testing.assert_close(mixed, expected)


def test_cubes_of_gaussian_noise_have_slope_three_variances():
    """E[z^3 z] / E[z^2] = 3 v for z ~ N(0, v): a closed form for a D that is not linear."""
    linear = LinearDenoiser.distill(
        lambda x, sigma: x**3, torch.zeros(5, 1, 1, 2), 0.5, samples=200_000, batch_size=50_000
    )
    weight, bias = linear.maps[0.5]
    torch.testing.assert_close(weight, 0.75 * torch.eye(2).double(), rtol=0, atol=0.02)
    torch.testing.assert_close(bias, torch.zeros(2).double(), rtol=0, atol=0.01)


def test_gradient_descent_on_the_same_samples_ends_at_the_closed_form():
    """The twin: full-batch descent on the mean of |W x + b - D(x)|^2."""
    recorder = Recorder(bent)
    closed = LinearDenoiser.distill(recorder, 0.7 * draw(30, 1, 2, 2), 1.0, samples=300)
    x, y = recorder.pairs()
    weight, bias = torch.zeros(4, 4, dtype=x.dtype), torch.zeros(4, dtype=x.dtype)
    for _ in range(1000):
        residual = x @ weight.T + bias - y
        weight -= 0.2 * 2 * residual.T @ x / len(x)
        bias -= 0.2 * 2 * residual.mean(0)
    torch.testing.assert_close(closed.maps[1.0][0], weight, rtol=0, atol=1e-9)
    torch.testing.assert_close(closed.maps[1.0][1], bias, rtol=0, atol=1e-9)


def test_least_squares_in_batches_is_that_of_numpy():
    x, y = draw(200, 5) + 3.0, draw(200, 5, seed=1) - 7.0
    weight, bias = _least_squares(zip(x.split(33), y.split(33), strict=True))
    design = np.column_stack([x.numpy(), np.ones(200)])
    expected, *_ = np.linalg.lstsq(design, y.numpy(), rcond=None)
    np.testing.assert_allclose(weight.numpy(), expected[:-1].T, rtol=0, atol=1e-12)
    np.testing.assert_allclose(bias.numpy(), expected[-1], rtol=0, atol=1e-12)


def test_residuals_are_orthogonal_to_the_inputs():
    recorder = Recorder(bent)
    linear = LinearDenoiser.distill(recorder, draw(50, 1, 2, 3), 0.6, samples=500)
    x, y = recorder.pairs()
    assert len(x) == 500
    residual = y - linear(x.view(-1, 1, 2, 3), 0.6).flatten(1)
    assert residual.mean(0).abs().max() < 1e-12
    assert (residual.T @ x / len(x)).abs().max() < 1e-12


def test_levels_are_found_despite_float32_and_others_are_refused():
    linear = LinearDenoiser.distill(bent, draw(50, 1, 2, 3), edm_sigmas(3).tolist())
    x = draw(2, 1, 2, 3)
    level = edm_sigmas(3)[1].float()
    torch.testing.assert_close(linear(x, float(edm_sigmas(3)[1])), linear(x, level.repeat(2)))
    with pytest.raises(ValueError, match=r"sigma 1 was not distilled: 80, .*, 0\.002 were"):
        linear(x, 1.0)
    with pytest.raises(ValueError, match="positive and finite"):
        linear(x, 0.0)


def test_a_linear_denoiser_can_be_sampled_on_its_grid():
    images = 0.4 * draw(40, 1, 2, 3) - 0.5
    gaussian, sigmas = GaussianDenoiser.fit(images), edm_sigmas(8)
    linear = LinearDenoiser.distill(gaussian, images, sigmas.tolist())
    levels = torch.cat([sigmas, torch.zeros(1, dtype=torch.float64)])
    x = 80 * draw(3, 1, 2, 3, seed=5)
    *_, one = SAMPLERS["heun"](linear, x, levels)
    *_, two = SAMPLERS["heun"](gaussian, x, levels)
    torch.testing.assert_close(one, two, rtol=0, atol=1e-6)


def test_errors_name_what_to_do():
    images = draw(10, 1, 2, 3)
    with pytest.raises(UserError, match="6 noisy images cannot fix a linear map of 6 pixels"):
        LinearDenoiser.distill(bent, images, 1.0, samples=6)
    LinearDenoiser.distill(bent, images, 1.0, samples=7)
    with pytest.raises(UserError, match="not finite at sigma 2"):
        LinearDenoiser.distill(lambda x, sigma: x / 0, images, 2.0)
    for level in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match="positive and finite"):
            LinearDenoiser.distill(bent, images, level)


def test_noisy_images_are_every_image_as_often_with_noise_of_the_right_size():
    images = 1000.0 * torch.arange(7.0).view(7, 1, 1, 1).expand(7, 1, 20, 20)
    noisy = torch.cat(list(noisy_batches(images, 21, 0.5, seed=3, batch_size=4)))
    which = (noisy.mean((1, 2, 3)) / 1000).round()
    assert torch.equal(which.long().bincount(), torch.full((7,), 3))
    assert sorted(which[:7].tolist()) == list(range(7))
    noise = noisy - 1000 * which.view(-1, 1, 1, 1)
    assert abs(float(noise.std()) - 0.5) < 0.02
    louder = torch.cat(list(noisy_batches(images, 21, 5.0, seed=3, batch_size=4)))
    torch.testing.assert_close(
        (louder - 1000 * which.view(-1, 1, 1, 1)) / 10, noise, rtol=0, atol=1e-3
    )
    assert len(torch.cat(list(noisy_batches(images, 10, 0.5, seed=3, batch_size=4)))) == 10
    assert not torch.equal(next(noisy_batches(images, 4, 0.5, seed=4, batch_size=4)), noisy[:4])
