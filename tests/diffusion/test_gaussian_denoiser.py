"""The Gaussian and multi-delta denoisers by other formulas, and samplers beside the closed ODE."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

import depthbias.diffusion.gaussian_denoiser
import depthbias.diffusion.multi_delta_denoiser
from depthbias.diffusion.gaussian_denoiser import GaussianDenoiser
from depthbias.diffusion.multi_delta_denoiser import DeltaDenoiser
from depthbias.diffusion.samplers import SAMPLERS
from depthbias.diffusion.schedules import edm_sigmas
from depthbias.system.errors import UserError

SHAPE = (1, 3, 4)
SIZE = 12
BAD_LEVELS = [
    0.0,
    -1.0,
    math.inf,
    math.nan,
    torch.tensor([1.0, 0.0]),
    torch.tensor([math.nan, 1.0]),
]


def draw_images(count, seed=0, shape=SHAPE):
    """Images with unequal variances, correlations and a mean."""
    generator = torch.Generator().manual_seed(seed)
    size = math.prod(shape)
    mix = torch.randn(size, size, generator=generator, dtype=torch.float64) / size
    mix *= torch.linspace(0.2, 2, size, dtype=torch.float64)[:, None]
    flat = torch.randn(count, size, generator=generator, dtype=torch.float64) @ mix + 0.3
    return flat.view(count, *shape)


def draw_queries(count, sigma, seed=1, shape=SHAPE):
    generator = torch.Generator().manual_seed(seed)
    return sigma * torch.randn(count, *shape, generator=generator, dtype=torch.float64)


def covariance_of(images):
    return torch.from_numpy(np.cov(images.flatten(1).numpy().T, bias=True))


def isotropic_gaussian(values, mean=0.0):
    """A Gaussian in len(values) dimensions with these variances along the axes."""
    size = len(values)
    vectors = torch.eye(size, dtype=torch.float64)
    level = torch.full((1, 1, size), mean, dtype=torch.float64)
    return GaussianDenoiser(level, vectors, torch.tensor(values, dtype=torch.float64))


# Fit


def test_fit_finds_the_mean_and_covariance_in_blocks_of_any_size(monkeypatch):
    images = draw_images(50)
    monkeypatch.setattr(depthbias.diffusion.gaussian_denoiser, "BLOCK_VALUES", 7 * SIZE)
    gaussian = GaussianDenoiser.fit(images)
    rebuilt = gaussian.vectors * gaussian.values @ gaussian.vectors.T
    torch.testing.assert_close(rebuilt, covariance_of(images), rtol=0, atol=1e-14)
    torch.testing.assert_close(gaussian.mean, images.mean(0), rtol=0, atol=1e-14)
    assert (gaussian.rank, gaussian.note) == (SIZE, "")
    assert (gaussian.values.diff() <= 0).all() and (gaussian.values > 0).all()


def test_a_covariance_of_low_rank_works_and_says_so():
    images = draw_images(5)
    gaussian = GaussianDenoiser.fit(images)
    assert gaussian.rank == 4
    assert "rank 4 in 12 dimensions" in gaussian.note and "other 8" in gaussian.note
    x = draw_queries(6, 2.0)
    covariance = covariance_of(images)
    wiener = covariance @ torch.linalg.inv(covariance + 4.0 * torch.eye(SIZE, dtype=x.dtype))
    mean = images.mean(0)
    expected = mean + ((x - mean).flatten(1) @ wiener.T).view(x.shape)
    torch.testing.assert_close(gaussian(x, 2.0), expected, rtol=0, atol=1e-12)


def test_equal_images_have_rank_0_and_are_returned():
    images = torch.full((9, *SHAPE), -0.3)  # float32: its mean is exact in float64
    gaussian = GaussianDenoiser.fit(images)
    assert gaussian.rank == 0 and "rank 0" in gaussian.note
    torch.testing.assert_close(gaussian(torch.randn(2, *SHAPE), 0.5), images[:2])


def test_constant_pixels_stay_what_they_are():
    images = draw_images(40).float()
    images[:, :, 0] = -1.0
    gaussian = GaussianDenoiser.fit(images)
    assert gaussian.rank == SIZE - 4
    denoised = gaussian(images + torch.randn(images.shape), 1.0)
    torch.testing.assert_close(denoised[:, :, 0], images[:, :, 0], rtol=0, atol=1e-6)


# The denoiser


def test_gaussian_is_the_score_of_the_noisy_density():
    """Tweedie: D = x + s^2 grad log p(x; s), with the density and its gradient from torch."""
    images, sigma = draw_images(60), 0.7
    x = draw_queries(5, 1.0).flatten(1).requires_grad_()
    covariance = covariance_of(images) + sigma**2 * torch.eye(SIZE, dtype=x.dtype)
    density = torch.distributions.MultivariateNormal(images.mean(0).flatten(), covariance)
    (score,) = torch.autograd.grad(density.log_prob(x).sum(), x)
    expected = (x + sigma**2 * score).detach().view(5, *SHAPE)
    denoised = GaussianDenoiser.fit(images)(x.detach().view(5, *SHAPE), sigma)
    torch.testing.assert_close(denoised, expected, rtol=0, atol=1e-11)


def test_every_image_can_have_its_own_level():
    gaussian, x = GaussianDenoiser.fit(draw_images(30)), draw_queries(3, 1.0)
    levels = torch.tensor([0.01, 1.0, 50.0])
    single = torch.cat([gaussian(x[i : i + 1], float(levels[i])) for i in range(3)])
    torch.testing.assert_close(gaussian(x, levels), single, rtol=0, atol=1e-15)


def test_gaussian_limits_are_the_image_and_the_mean():
    images = draw_images(60)
    gaussian, x = GaussianDenoiser.fit(images), draw_queries(4, 1.0)
    torch.testing.assert_close(gaussian(x, 1e-6), x, rtol=0, atol=1e-7)
    torch.testing.assert_close(gaussian(x, 1e6), images.mean(0).expand_as(x), rtol=0, atol=1e-7)


def test_matrix_is_the_slope():
    gaussian, x = GaussianDenoiser.fit(draw_images(20)), draw_queries(4, 3.0)
    steps = (gaussian(x, 0.4) - gaussian(x[:1], 0.4)).flatten(1)
    torch.testing.assert_close(steps, (x - x[:1]).flatten(1) @ gaussian.matrix(0.4).T)


@pytest.mark.parametrize("kind", [GaussianDenoiser.fit, DeltaDenoiser])
@pytest.mark.parametrize("sigma", BAD_LEVELS)
def test_levels_that_are_not_positive_and_finite_are_refused(kind, sigma):
    with pytest.raises(ValueError, match="noise levels are positive and finite"):
        kind(draw_images(4))(draw_queries(2, 1.0), sigma)


@pytest.mark.parametrize("kind", [GaussianDenoiser.fit, DeltaDenoiser])
def test_wrong_shapes_are_refused(kind):
    denoiser = kind(draw_images(4))
    with pytest.raises(ValueError, match="shape"):
        denoiser(torch.zeros(2, 1, 4, 3), 1.0)
    with pytest.raises(ValueError, match="3 noise levels for 2 images"):
        denoiser(draw_queries(2, 1.0), torch.ones(3))


@pytest.mark.parametrize("kind", [GaussianDenoiser.fit, DeltaDenoiser])
def test_no_images_and_images_with_nan_are_user_errors(kind):
    with pytest.raises(UserError, match="at least one image"):
        kind(torch.empty(0, *SHAPE))
    images = draw_images(4)
    images[2, 0, 1, 1] = math.nan
    with pytest.raises(UserError, match="not finite"):
        kind(images)


@pytest.mark.parametrize("kind", [GaussianDenoiser.fit, DeltaDenoiser])
def test_results_are_like_the_noisy_images(kind):
    denoiser = kind(draw_images(4).float())
    for dtype in (torch.float32, torch.float64):
        result = denoiser(draw_queries(2, 1.0).to(dtype), 0.5)
        assert (result.dtype, result.shape) == (dtype, (2, *SHAPE))


# The probability-flow ODE


def test_flow_solves_the_ode():
    """dx/ds = (x - D(x; s)) / s, by an adaptive solver of another library."""
    gaussian = GaussianDenoiser.fit(draw_images(6))  # of low rank
    x = draw_queries(1, 5.0)

    def slope(sigma, state):
        here = torch.from_numpy(state).view(x.shape)
        return ((here - gaussian(here, sigma)) / sigma).flatten().numpy()

    found = solve_ivp(
        slope, (5.0, 0.05), x.flatten().numpy(), rtol=1e-10, atol=1e-12, method="DOP853"
    )
    flown = gaussian.flow(x, 5.0, 0.05).flatten().numpy()
    np.testing.assert_allclose(found.y[:, -1], flown, rtol=0, atol=1e-8)


def test_flow_can_be_cut_and_ends_in_the_data():
    gaussian, x = GaussianDenoiser.fit(draw_images(6)), draw_queries(2, 80.0)
    halfway = gaussian.flow(gaussian.flow(x, 80.0, 1.0), 1.0, 0.1)
    torch.testing.assert_close(halfway, gaussian.flow(x, 80.0, 0.1), rtol=0, atol=1e-12)
    torch.testing.assert_close(gaussian.flow(x, 3.0, 3.0), x)
    ended = (gaussian.flow(x, 80.0, 0.0) - gaussian.mean).flatten(1)
    outside = ended - ended @ gaussian.vectors @ gaussian.vectors.T
    assert outside.abs().max() < 1e-12
    with pytest.raises(ValueError, match="not negative"):
        gaussian.flow(x, 80.0, -0.1)


# The stated bands hold for variances like those of images of 64 to 1,000 pixels.
VARIANCES = [30.0, 10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.003]
BANDS = [("ddim", 10, 0.18, 0.37), ("ddim", 40, 0.05, 0.10), ("heun", 40, 0.004, 0.02)]


def sampled_and_exact(sampler, steps):
    """Where a sampler and the closed form take the same noise, [directions] each."""
    gaussian = isotropic_gaussian(VARIANCES, mean=0.2)
    x = gaussian.mean + torch.full((1, 1, 1, len(VARIANCES)), 80.0, dtype=torch.float64)
    sigmas = torch.cat([edm_sigmas(steps), torch.zeros(1, dtype=torch.float64)])
    *_, sampled = SAMPLERS[sampler](gaussian, x, sigmas)
    exact = gaussian.flow(x, 80.0, 0.0)
    return [(state - gaussian.mean).flatten() for state in (sampled, exact)]


@pytest.mark.parametrize(("sampler", "steps", "least", "most"), BANDS)
def test_samplers_miss_the_closed_form_by_as_much_as_they_should(sampler, steps, least, most):
    sampled, exact = sampled_and_exact(sampler, steps)
    error = (sampled / exact - 1).abs()
    assert least < error.min() and error.max() < most, error


def test_euler_is_the_product_of_its_steps():
    """Each step scales a direction by (l + s s') / (l + s^2): what the bands above rest on."""
    sampled, _ = sampled_and_exact("ddim", 10)
    sigmas = np.append(edm_sigmas(10).numpy(), 0.0)
    variances = np.array(VARIANCES)[:, None]
    steps = (variances + sigmas[:-1] * sigmas[1:]) / (variances + sigmas[:-1] ** 2)
    np.testing.assert_allclose(sampled.numpy(), 80.0 * steps.prod(1), rtol=1e-9)


# The multi-delta denoiser


def test_delta_is_the_softmax_of_squared_distances(monkeypatch):
    monkeypatch.setattr(depthbias.diffusion.multi_delta_denoiser, "BLOCK_VALUES", 3 * SIZE)
    images, x = draw_images(20), draw_queries(5, 0.8)
    levels = torch.tensor([0.1, 0.3, 1.0, 3.0, 30.0], dtype=torch.float64)
    squares = torch.cdist(x.flatten(1), images.flatten(1)).square()
    weights = torch.softmax(-squares / (2 * levels[:, None] ** 2), dim=1)
    expected = (weights @ images.flatten(1)).view(x.shape)
    torch.testing.assert_close(DeltaDenoiser(images)(x, levels), expected, rtol=0, atol=1e-12)


def test_delta_of_two_images_is_a_hyperbolic_tangent():
    image = draw_images(1)
    x, sigma = draw_queries(3, 0.5), 0.6
    along = (x * image).flatten(1).sum(1) / sigma**2
    expected = along.tanh()[:, None, None, None] * image
    found = DeltaDenoiser(torch.cat([image, -image]))(x, sigma)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_delta_limits_are_the_nearest_image_and_the_mean(dtype):
    images = draw_images(300).to(dtype)
    x = draw_queries(20, 1.0).to(dtype)
    delta = DeltaDenoiser(images)
    nearest = torch.cdist(x.double().flatten(1), images.double().flatten(1)).argmin(1)
    torch.testing.assert_close(delta(x, 0.002), images[nearest], rtol=0, atol=1e-6)
    mean = images.double().mean(0).to(dtype).expand_as(x)
    torch.testing.assert_close(delta(x, 1e5), mean, rtol=0, atol=1e-6)


def test_delta_far_from_all_images_is_still_the_nearest():
    images = draw_images(50)
    x = images[17] + 1e-4 * draw_queries(1, 1.0)
    x[0] += 100.0  # all weights underflow unless the largest is taken out
    nearest = torch.cdist(x.flatten(1), images.flatten(1)).argmin()
    torch.testing.assert_close(DeltaDenoiser(images)(x, 0.01)[0], images[nearest])
