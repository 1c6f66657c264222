"""MoLRG: its posterior against the mixture of full Gaussians; what recovers its subspaces."""

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from depthbias.system.errors import UserError
from depthbias.theory.molrg import draw_bases, draw_points, posterior_mean
from depthbias.theory.recovery import (
    balanced_labels,
    bases_of,
    k_subspaces,
    principal_basis,
    projector_error,
    spectral_labels,
)

SPACE = 48


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def mixture_mean(x, sigma, covariances, shares):
    """Posterior mean of any mixture of centred Gaussians, from its densities."""
    noisy = [c + sigma**2 * np.eye(len(c)) for c in covariances]
    logs = [
        np.log(p) + multivariate_normal(cov=c).logpdf(x) for p, c in zip(shares, noisy, strict=True)
    ]
    weights = np.exp(np.array(logs) - np.logaddexp.reduce(logs))
    means = [c @ np.linalg.solve(n, x.T) for c, n in zip(covariances, noisy, strict=True)]
    return sum(w[:, None] * m.T for w, m in zip(weights, means, strict=True))


@pytest.mark.parametrize("sigma", [0.1, 0.7, 3.0])
@pytest.mark.parametrize("dimensions", [[3], [3, 3], [1, 4, 2]])
def test_the_posterior_mean_is_that_of_the_mixture(sigma, dimensions):
    bases = draw_bases(2, 9, dimensions, generator())
    shares = np.arange(1, len(dimensions) + 1) / np.arange(1, len(dimensions) + 1).sum()
    x = torch.randn(2, 5, 9, generator=generator(1), dtype=torch.float64) * (1 + sigma)
    found = posterior_mean(x, sigma, bases, torch.tensor(shares).log())
    for trial in range(2):
        covariances = [(u @ u.T).numpy() for u in bases[trial]]
        expected = mixture_mean(x[trial].numpy(), sigma, covariances, shares)
        np.testing.assert_allclose(found[trial], expected, rtol=1e-12, atol=1e-12)


def test_every_point_may_have_a_noise_level_of_its_own():
    bases = draw_bases(2, 9, [3, 3], generator())
    x = torch.randn(2, 4, 9, generator=generator(1), dtype=torch.float64)
    sigma = torch.tensor([[0.1, 0.2, 0.5, 1.0], [2.0, 0.3, 0.4, 9.0]], dtype=torch.float64)
    together = posterior_mean(x, sigma, bases)
    for trial in range(2):
        for place in range(4):
            alone = posterior_mean(x[:, [place]], float(sigma[trial, place]), bases)
            torch.testing.assert_close(together[trial, place], alone[trial, 0])


def test_subspaces_are_orthonormal_and_orthogonal_to_each_other():
    bases = draw_bases(3, SPACE, [5, 2], generator())
    joined = torch.cat([bases[:, 0], bases[:, 1, :, :2]], dim=-1)
    torch.testing.assert_close(joined.mT @ joined, torch.eye(7).double().expand(3, 7, 7))
    assert not bases[:, 1, :, 2:].any()


def test_points_lie_in_their_subspace_with_unit_variance():
    bases = draw_bases(1, SPACE, [4, 4], generator())
    points = draw_points(bases, 20_000, generator(1))
    inside = points @ bases
    torch.testing.assert_close(inside @ bases.mT, points)
    covariance = inside[0, 1].T @ inside[0, 1] / 20_000
    torch.testing.assert_close(covariance, torch.eye(4).double(), atol=0.05, rtol=0)


@pytest.mark.parametrize(
    ("dimensions", "words"),
    [([30, 20], "together 50, but the space has 48"), ([0], "at least one")],
)
def test_dimensions_that_do_not_fit_are_refused_in_one_line(dimensions, words):
    with pytest.raises(UserError, match=words) as error:
        draw_bases(1, SPACE, dimensions, generator())
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("count", [3, 4, 5, 6, 9])
def test_pca_misses_as_many_directions_as_points_are_lacking(count):
    bases = draw_bases(4, SPACE, [5], generator())
    found = principal_basis(draw_points(bases, count, generator(1)), 5)
    expected = torch.full((4,), max(5 - count, 0) ** 0.5, dtype=torch.float64)
    torch.testing.assert_close(projector_error(found, bases), expected, atol=1e-6, rtol=0)


def test_the_error_is_that_of_the_projectors_and_ignores_the_order_of_classes():
    true, other = (draw_bases(3, 12, [2, 2], generator(seed)) for seed in (0, 1))
    gaps = (true @ true.mT - other @ other.mT).square().sum((-2, -1)).sqrt()
    crossed = (true @ true.mT - (other @ other.mT).flip(1)).square().sum((-2, -1)).sqrt()
    expected = torch.minimum(gaps.amax(1), crossed.amax(1))
    torch.testing.assert_close(projector_error(other, true), expected)
    assert projector_error(true.flip(1), true).max() < 1e-6


def starts(bases, count, each=6):
    """Squares left and error of K-subspaces from `each` starts, [T, each], a spectral one first."""
    points = draw_points(bases, count, generator(1)).flatten(1, 2)
    random = [balanced_labels(len(points), 2 * count, 2, generator(s)) for s in range(each - 1)]
    labels = torch.stack([spectral_labels(points, 2), *random], dim=1).flatten(0, 1)
    many = points.repeat_interleave(each, 0)
    found, outside = k_subspaces(many, labels, 2, bases.shape[-1])
    fitted = bases_of(many, found, 2, bases.shape[-1])
    error = projector_error(fitted, bases.repeat_interleave(each, 0))
    return outside.view(-1, each), error.view(-1, each)


def test_any_split_into_groups_of_d_fits_exactly():
    outside, error = starts(draw_bases(5, SPACE, [4, 4], generator()), 4)
    assert outside.max() < 1e-9
    assert error[:, 0].max() < 1e-6 and error[:, 1:].amax(1).min() > 1


def test_one_point_more_leaves_one_exact_split():
    outside, error = starts(draw_bases(5, SPACE, [4, 4], generator()), 5)
    exact = outside < 1e-8
    assert exact[:, 0].all() and error[exact].max() < 1e-6
    assert (~exact[:, 1:]).any() and error[~exact].min() > 0.5


def test_k_subspaces_never_lose_squares_and_end_where_no_point_moves():
    bases = draw_bases(6, 12, [3, 3], generator())
    noise = torch.randn(6, 20, 12, generator=generator(3), dtype=torch.float64)
    points = draw_points(bases, 10, generator(1)).flatten(1, 2) + 0.1 * noise
    first = balanced_labels(6, 20, 2, generator(2))
    labels, outside = k_subspaces(points, first, 2, 3)

    def left(given):
        fitted = bases_of(points, given, 2, 3)
        held = (points[:, None] @ fitted).square().sum(-1).gather(1, given[:, None])[:, 0]
        return 1 - held.sum(1) / points.square().sum((1, 2))

    torch.testing.assert_close(outside, left(labels))
    assert (outside <= left(first) + 1e-12).all()
    again, _ = k_subspaces(points, labels, 2, 3)
    assert torch.equal(again, labels)


def test_random_labels_are_balanced():
    labels = balanced_labels(5, 9, 2, generator())
    assert torch.equal(labels.sum(1), torch.full((5,), 4))
    assert len({tuple(row) for row in labels.tolist()}) > 1
