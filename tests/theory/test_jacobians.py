"""The Jacobian of a denoiser: exact, implicit and sketched, against maps that are known."""

import pytest
import torch

from depthbias.diffusion.gaussian_denoiser import GaussianDenoiser
from depthbias.diffusion.network_denoiser import NetworkDenoiser
from depthbias.diffusion.unet import build_unet
from depthbias.theory import jacobians
from depthbias.theory.jacobians import (
    ImplicitJacobian,
    WholeJacobian,
    asymmetry,
    jacobian_at,
    rank,
    rank_ratio,
    sketch,
    spectrum,
)

SHAPE = (1, 8, 8)


def drawn(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def generator():
    return torch.Generator().manual_seed(5)


@pytest.fixture(scope="module")
def gaussian():
    """Variances from 4 down to 0.0009 in random directions."""
    vectors = torch.linalg.qr(drawn(64, 64))[0]
    return GaussianDenoiser(drawn(*SHAPE, seed=1), vectors, 4 * 0.875 ** torch.arange(64.0))


@pytest.fixture(scope="module")
def curved():
    """A denoiser that is not linear, whose Jacobian is not symmetric and of no full rank."""
    inner, outer = drawn(64, 64, seed=2) / 8, drawn(64, 64, seed=3) / 8

    def denoise(x, sigma):
        return (torch.tanh(x.flatten(1) @ inner / sigma) @ outer).view(x.shape) + x / (1 + sigma**2)

    return denoise


def test_the_whole_jacobian_of_a_gaussian_is_its_matrix(gaussian):
    found = jacobian_at(gaussian, drawn(2, *SHAPE), 0.7, batch_size=100)
    assert isinstance(found, WholeJacobian)
    assert torch.allclose(found.matrix, gaussian.matrix(0.7), atol=1e-12)


def test_rows_are_gradients_of_pixels_and_columns_changes_of_the_input(curved):
    x = drawn(2, *SHAPE)
    whole = ImplicitJacobian(curved, x, 0.5, batch_size=50).whole()
    step = torch.zeros(64, dtype=torch.float64)
    step[17] = 1e-5
    change = curved(x + step.view(SHAPE), 0.5) - curved(x - step.view(SHAPE), 0.5)
    assert torch.allclose(whole.matrix[..., 17], change.flatten(1) / 2e-5, atol=1e-8)
    assert float(asymmetry(whole, generator()).min()) > 0.1  # so that a transpose would be seen


def test_products_by_differentiation_are_those_of_the_matrix(curved):
    x, vectors = drawn(3, *SHAPE), drawn(3, 4, 64, seed=2)
    implicit = ImplicitJacobian(curved, x, 0.5, batch_size=5)
    whole = implicit.whole()
    assert torch.allclose(implicit.times(vectors), whole.times(vectors), atol=1e-10)
    assert torch.allclose(implicit.transposed(vectors), whole.transposed(vectors), atol=1e-10)
    assert torch.allclose(whole.times(vectors)[1, 2], whole.matrix[1] @ vectors[1, 2])


def test_a_network_with_attention_has_products_as_well():
    """Forward mode has no rule for it; two backward passes have."""
    torch.manual_seed(0)
    net = build_unet("depth2", channels=1, size=8, width=0.25)
    with torch.no_grad():
        for weight in net.parameters():
            weight.add_(0.05 * torch.randn_like(weight))
    network, x = NetworkDenoiser(net.double(), "edm", 0.5), drawn(1, *SHAPE)
    one, two = drawn(1, 1, 64, seed=1), drawn(1, 1, 64, seed=2)
    found = ImplicitJacobian(network, x, 0.5, batch_size=9)
    step = 1e-5 * one.view(x.shape)
    change = (network(x + step, 0.5) - network(x - step, 0.5)).flatten(1) / 2e-5
    ahead = found.times(one)
    assert torch.allclose(ahead[0], change, atol=1e-7)
    assert float((found.transposed(two) * one).sum()) == pytest.approx(float((ahead * two).sum()))


def test_the_rank_is_where_the_squares_pass_98_percent():
    values = torch.tensor([[3.0, 0.5, 0.1], [1, 1, 1], [1, 0.1, 0], [0, 0, 0]]).double()
    total = values.square().sum(1)
    assert rank(values, total).tolist() == [2, 3, 1, 0]
    assert rank(torch.tensor([[1.0]]), torch.tensor([4.0])).tolist() == [2]  # one more than known


def test_the_rank_of_a_gaussian_is_that_of_its_variances(gaussian):
    for sigma, most in ((0.01, 64), (0.5, 40), (50.0, 16)):
        found = spectrum(jacobian_at(gaussian, drawn(1, *SHAPE), sigma, 100), generator())
        gains = gaussian.values / (gaussian.values + sigma**2)
        assert torch.allclose(found.values[0], gains, atol=1e-12)
        ratio, error = rank_ratio(found)
        kept = int(((gains**2).cumsum(0) <= 0.9801 * (gains**2).sum()).sum()) + 1
        assert kept <= most and float(ratio) == kept / 64 and float(error) == 0


def test_a_map_of_known_rank_and_its_asymmetry():
    left, right = torch.linalg.qr(drawn(20, 5))[0], torch.linalg.qr(drawn(20, 5, seed=1))[0]
    found = WholeJacobian((left @ right.T)[None])
    assert float(rank_ratio(spectrum(found, generator()))[0]) == 5 / 20
    shift = torch.roll(torch.eye(4), 1, 0)[None]  # |J - J^T|^2 = 8, |J|^2 = 4
    assert float(asymmetry(WholeJacobian(shift), generator())) == pytest.approx(2**0.5)
    assert float(asymmetry(WholeJacobian(torch.eye(4)[None]), generator())) == 0


@pytest.mark.parametrize("sigma", [0.5, 5.0])
def test_the_sketch_agrees_with_the_exact_rank_within_its_error(curved, sigma, monkeypatch):
    x = drawn(4, *SHAPE)
    exact = spectrum(jacobian_at(curved, x, sigma, 200), generator())
    monkeypatch.setattr(jacobians, "EXACT", 0)
    implicit = jacobian_at(curved, x, sigma, 200)
    assert isinstance(implicit, ImplicitJacobian)
    found = spectrum(implicit, generator())
    (ratio, error), (truth, none) = rank_ratio(found), rank_ratio(exact)
    assert none.tolist() == [0, 0, 0, 0]
    assert bool(((ratio - truth).abs() <= error + 1 / 64).all())
    near = (found.total - exact.total).abs()
    assert bool((near <= 4 * found.error + 1e-9 * exact.total).all())
    if sigma == 0.5:
        turned = (found.vectors[:, 0] * exact.vectors[:, 0]).sum(1).abs()
        assert float(turned.min()) > 0.9


def test_a_sketch_is_as_large_as_the_rank_needs(gaussian):
    few = ImplicitJacobian(gaussian, drawn(1, *SHAPE), 50.0, 200)
    assert spectrum(few, generator()).values.shape == (1, 32)
    many = ImplicitJacobian(gaussian, drawn(1, *SHAPE), 0.01, 200)
    whole = spectrum(many, generator())
    assert whole.values.shape == (1, 64) and float(whole.error) < 1e-12


def test_a_small_sketch_says_what_it_leaves_out(gaussian):
    truth = float(gaussian.matrix(0.7).square().sum())
    found = sketch(ImplicitJacobian(gaussian, drawn(8, *SHAPE), 0.7, 200), 6, generator())
    held = found.values.square().sum(1)
    assert float(held.max()) < 0.8 * truth
    assert float(found.error.min()) > 0 and float((found.total.mean() / truth - 1).abs()) < 0.05
    gains = gaussian.values / (gaussian.values + 0.49)
    assert bool((found.values <= gains[:6] + 1e-12).all())


def test_asymmetry_from_probes_is_near_that_of_the_matrix(curved, gaussian):
    x = drawn(16, *SHAPE)
    implicit = ImplicitJacobian(curved, x, 0.5, 600)
    exact, found = (asymmetry(j, generator()) for j in (implicit.whole(), implicit))
    assert float((found.mean() / exact.mean() - 1).abs()) < 0.05
    none = ImplicitJacobian(gaussian, x[:1], 0.5, 100)
    assert float(asymmetry(none, generator())) < 1e-12
