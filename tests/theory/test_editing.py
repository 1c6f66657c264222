"""Edits of a region: directions, their closed form on a Gaussian, and what is measured of them."""

import numpy as np
import pytest
import torch

from depthbias.diffusion.gaussian_denoiser import GaussianDenoiser
from depthbias.diffusion.samplers import heun
from depthbias.diffusion.schedules import levels_from
from depthbias.system.errors import UserError
from depthbias.theory import editing
from depthbias.theory.edit_directions import (
    leading,
    random_directions,
    region_mask,
    without,
)
from depthbias.theory.editing import KINDS, SHOWN, Place, Settings, find_directions, measure
from depthbias.theory.jacobians import ImplicitJacobian, WholeJacobian

SHAPE = (1, 4, 4)
ALL = torch.ones(16, dtype=torch.bool)
UPPER = region_mask([0, 2], [0, 4], SHAPE)


def drawn(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def generator():
    return torch.Generator().manual_seed(5)


@pytest.fixture(scope="module")
def gaussian():
    """Variances 2, 1.2, 0.72 ... in random directions."""
    vectors = torch.linalg.qr(drawn(16, 16))[0]
    return GaussianDenoiser(drawn(*SHAPE, seed=1), vectors, 2 * 0.6 ** torch.arange(16.0))


def flow(gaussian):
    return lambda x, sigma: gaussian.flow(x, sigma, 0.0)


def settings(mask=ALL, kept=0, strengths=(5, 40)):
    return Settings(mask, kept, strengths, 0, 50)


def test_the_edit_of_a_gaussian_is_the_closed_form(gaussian):
    """lam sqrt(l_i / (s^2 + l_i)) u_i, whatever the image."""
    x, sigma, strength = drawn(3, *SHAPE), 0.7, 20
    directions, settled = find_directions(gaussian, x, sigma, settings())
    assert bool(settled.all())
    length = strength / 100 * sigma * 4
    for place in (0, 1):
        vector = directions["loco"][:, place]
        u, variance = gaussian.vectors[:, place], float(gaussian.values[place])
        assert torch.allclose((vector @ u).abs(), torch.ones(3).double())
        found = Place(flow(gaussian), x, sigma).edit(vector, strength)
        expected = length * (variance / (sigma**2 + variance)) ** 0.5 * vector
        assert torch.allclose(found, expected, atol=1e-12)


def test_a_sampler_edits_a_gaussian_as_the_closed_form_does(gaussian):
    def carry(x, sigma):
        *_, image = heun(gaussian, x, levels_from(sigma, "edm", 40))
        return image

    x = drawn(1, *SHAPE)
    vector = gaussian.vectors[:, 0][None]
    found = Place(carry, x, 0.7).edit(vector, 20)
    exact = Place(flow(gaussian), x, 0.7).edit(vector, 20)
    assert float((found - exact).norm() / exact.norm()) < 0.01


def test_edits_of_a_gaussian_are_linear_and_the_same_everywhere(gaussian):
    states = [drawn(3, *SHAPE), drawn(3, *SHAPE, seed=4)]
    asked = settings(UPPER, kept=2)
    found = measure(gaussian, flow(gaussian), states, [0.5, 1.0], asked).values
    for kind in KINDS:
        assert f"edit_linearity:{kind}@5" not in found
        assert np.allclose(found[f"edit_linearity:{kind}@40"], 1)
        for strength in (5, 40):
            for name in ("composability", "transferability"):
                assert np.allclose(found[f"edit_{name}:{kind}@{strength}"], 1)
        gains = [found[f"edit_gain:{kind}@{strength}"] for strength in (5, 40)]
        assert np.allclose(gains[0], gains[1]) and gains[0].max() < 1
        parts = found[f"edit_localisation:{kind}@5"]
        assert parts.shape == (2, 3) and parts.min() > 0 and parts.max() < 1
    # Another level turns a direction that is no principal one.
    turned = found["edit_homogeneity:random@5"]
    assert turned.max() < 0.999 and turned.min() > 0.5
    assert np.allclose(turned[0], turned[0, 0]) is False  # random directions differ by image
    assert np.all(found["edit_settled"] == 1)
    assert np.all(found["edit_gain:unprojected@5"] > found["edit_gain:random@5"])


def test_one_level_has_no_homogeneity(gaussian):
    found = measure(gaussian, flow(gaussian), [drawn(2, *SHAPE)], [0.5], settings()).values
    assert not [name for name in found if "homogeneity" in name] and "edit_gain:loco@5" in found


def test_what_is_measured_of_a_curved_image_is_known():
    """The image is x squared, pixel by pixel: an edit e of step v at x is 2 x v + v^2."""
    x = torch.full((2, 1, 1, 2), 1.0).double()
    x[1] = 3
    square = Place(lambda x, sigma: x**2, x, 1.0)
    other = Place(lambda x, sigma: x**2, -x, 2.0)
    directions = torch.tensor([[[1.0, 0], [0, 1]], [[1, 0], [1, 0]]]).double()
    mask = torch.tensor([True, False])
    found, edits = editing.properties(square, other, directions, [50, 100], mask)
    step = 2**0.5
    assert torch.allclose(edits[1][:, 0], torch.tensor([2 * step + 2, 6 * step + 2]).double())
    assert found["gain@100"].tolist() == pytest.approx([2 + step, 6 + step])
    assert found["localisation@100"].tolist() == [1, 1]
    assert found["composability@100"][0] == pytest.approx(1)
    assert found["transferability@50"].tolist() == pytest.approx([1, 1])
    assert found["homogeneity@50"].tolist() == pytest.approx([-1, -1])
    slanted = torch.tensor([[[0.5**0.5, 0.5**0.5], [1, 0]]]).double().expand(2, -1, -1)
    turned, _ = editing.properties(square, other, slanted, [50, 100], mask)
    assert turned["localisation@50"].tolist() == pytest.approx([0.5, 0.5])
    assert "linearity@50" not in turned
    assert turned["linearity@100"].tolist() == pytest.approx([1, 1])
    # Steps (h + w, h) together, (h, h) and (w, 0) apart.
    w = 0.5 * step
    h = w / step

    def of(value):
        return 2 * value + value**2

    expected = torch.tensor([[of(h + w), of(h)], [of(h) + of(w), of(h)]]).double()
    cosine = editing.cosine(*expected.split(1))
    assert float(turned["composability@50"][0]) == pytest.approx(float(cosine))


def test_directions_of_a_region_are_those_of_its_rows():
    matrix = torch.diag(torch.arange(16.0, 0, -1).double())
    found = leading(WholeJacobian(matrix[None]), ~UPPER, 2, generator())
    assert found.vectors[0].abs().argmax(1).tolist() == [8, 9]
    assert found.values[0].tolist() == pytest.approx([8, 7])


def test_subspace_iteration_finds_the_singular_vectors_of_the_region(gaussian):
    turn = torch.linalg.qr(drawn(16, 16, seed=7))[0]

    def denoise(x, sigma):  # its Jacobian is not symmetric
        return (gaussian(x, sigma).flatten(1) @ turn).view(x.shape)

    implicit = ImplicitJacobian(denoise, drawn(2, *SHAPE), 0.7, 20)
    whole = leading(implicit.whole(), UPPER, 3, generator())
    found = leading(implicit, UPPER, 3, generator())
    assert found.settled.tolist() == [True, True] and found.vectors.shape == (2, 3, 16)
    assert torch.allclose(found.values, whole.values, rtol=1e-3)
    cosines = torch.linalg.svdvals(found.vectors @ whole.vectors.mT)
    assert float(cosines.min()) > 0.999


def test_a_subspace_settles_though_its_vectors_turn():
    """Equal singular values leave the vectors free within the subspace."""
    matrix = torch.diag(torch.tensor([3.0, 3, 3] + [0.5] * 13)).double()

    def denoise(x, sigma):
        return (x.flatten(1) @ matrix).view(x.shape)

    found = leading(ImplicitJacobian(denoise, drawn(1, *SHAPE), 1.0, 20), ALL, 3, generator())
    assert bool(found.settled) and float(found.vectors[0, :, 3:].abs().max()) < 1e-3


def test_what_never_settles_says_so(gaussian, monkeypatch):
    monkeypatch.setattr("depthbias.theory.edit_directions.MOST_ROUNDS", 1)
    found = leading(ImplicitJacobian(gaussian, drawn(1, *SHAPE), 0.7, 20), ALL, 2, generator())
    assert found.settled.tolist() == [False]


def test_what_acts_outside_is_projected_off(gaussian):
    found, _ = find_directions(gaussian, drawn(1, *SHAPE), 0.7, settings(UPPER, kept=3))
    outside = leading(WholeJacobian(gaussian.matrix(0.7)[None]), ~UPPER, 3, generator())
    assert float((found["loco"] @ outside.vectors.mT).abs().max()) < 1e-12
    assert float((found["unprojected"] @ outside.vectors.mT).abs().max()) > 0.05
    assert torch.allclose(found["loco"].norm(dim=2), torch.ones(1, 2).double())
    assert float(found["random-inside"][..., ~UPPER].abs().max()) == 0
    assert float(found["random"][..., ~UPPER].abs().max()) > 0


def test_nothing_left_is_refused_in_one_line():
    lines = torch.eye(4).double()[None]
    with pytest.raises(UserError, match="project off fewer"):
        without(lines[:, :1], lines[:, :2])
    assert torch.equal(without(lines[:, :1], lines[:, 1:]), lines[:, :1])


def test_random_directions_are_unit_vectors_without_a_preference():
    found = random_directions((400, 1, 16), generator())
    assert torch.allclose(found.norm(dim=2), torch.ones(400, 1).double())
    assert float(found.mean(0).abs().max()) < 0.06


def test_pictures_stand_in_the_order_of_their_names(gaussian):
    states = [0.3 * drawn(2, *SHAPE)]
    pictures = measure(gaussian, flow(gaussian), states, [0.5], settings()).pictures
    assert pictures.shape == (1, len(SHOWN), 2, 4, 4, 1) and pictures.dtype == np.uint8
    original, back, ahead = (pictures[0, SHOWN.index(name)].astype(float) for name in SHOWN[:3])
    inside = (original > 0) & (original < 255) & (back % 255 > 0) & (ahead % 255 > 0)
    assert np.abs(ahead + back - 2 * original)[inside].max() <= 2
    assert np.abs(ahead - original).max() > 5


@pytest.mark.parametrize(
    ("rows", "columns", "words"),
    [
        ([2, 2], [0, 4], "rows 2 to 2"),
        ([3, 2], [0, 4], "rows 3 to 2"),
        ([0, 2], [0, 5], "columns 0 to 5"),
        ([0, 2], [-1, 4], "columns -1 to 4"),
        ([0], [0, 4], "rows 0"),
    ],
)
def test_a_region_that_is_empty_or_outside_is_refused_in_one_line(rows, columns, words):
    with pytest.raises(UserError, match=words) as error:
        region_mask(rows, columns, SHAPE)
    assert "0 to 4, the image" in str(error.value) and "\n" not in str(error.value)


def test_a_region_is_its_rows_and_columns_in_every_channel():
    mask = region_mask([1, 3], [0, 1], (3, 4, 4)).view(3, 4, 4)
    assert mask.sum() == 6 and bool(mask[:, 1:3, 0].all())
