"""The watermark: exact without diffusion, an exact null, and lost where it cannot be seen."""

import numpy as np
import pytest
import torch
from scipy.stats import kstest

from depthbias.diffusion.gaussian_denoiser import GaussianDenoiser
from depthbias.diffusion.inversion import invert
from depthbias.diffusion.noise import initial_noise
from depthbias.diffusion.samplers import ddim
from depthbias.diffusion.schedules import levels_from
from depthbias.estimates.runs import Run
from depthbias.estimates.tidy import of, tidy
from depthbias.system.errors import UserError
from depthbias.theory.attacks import ATTACKS, attack
from depthbias.theory.watermark import band, distance, draw_keys, inject, p_values
from depthbias.theory.watermark_names import ATTACKS as ATTACK_NAMES
from depthbias.theory.watermark_names import BANDS
from depthbias.theory.watermark_rows import (
    GaussianCarrier,
    Plan,
    SampledCarrier,
    correlation,
    direction_rows,
    directions_of,
    psnr,
    slope,
    watermark_rows,
)

RUN = Run("s", "90-10", "depth2", "0", "ddim-9")


def noise(count, shape, seed=0):
    made = torch.randn(count, *shape, generator=torch.Generator().manual_seed(seed))
    return made.double()


@pytest.mark.parametrize("size", [7, 8])
@pytest.mark.parametrize("name", BANDS)
def test_a_band_is_its_own_mirror_image_and_counts_each_pair_once(name, size):
    found = band(name, size, 2)
    mirror = found.mask.flip(0, 1).roll((1, 1), (0, 1))
    assert torch.equal(found.mask, mirror) and found.mask.any() and not found.mask.all()
    partner = found.counted.flip(0, 1).roll((1, 1), (0, 1))
    assert torch.equal(found.counted | partner, found.mask)
    assert torch.equal(found.counted & partner, found.own)
    assert found.freedom == int(found.mask.sum())


def test_the_low_band_is_around_the_constant_and_the_high_one_around_the_finest():
    low, high = band("low", 8, 1), band("high", 8, 1)
    assert low.mask.nonzero().tolist() == [[0, 1], [0, 7], [1, 0], [7, 0]]
    assert high.mask.nonzero().tolist() == [[3, 4], [4, 3], [4, 4], [4, 5], [5, 4]]
    assert low.own.sum() == 0 and high.own.nonzero().tolist() == [[4, 4]]


@pytest.mark.parametrize(("name", "radius"), [("middle", 2), ("low", 0.5), ("low", 5)])
def test_impossible_bands_are_refused_in_one_line(name, radius):
    with pytest.raises(UserError, match=r"band|radius") as error:
        band(name, 8, radius)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", BANDS)
def test_what_is_injected_is_detected_without_error(name):
    x, chosen = noise(5, (2, 8, 8)), band(name, 8, 2)
    keys = draw_keys(3, range(5), (2, 8, 8))
    marked = inject(x, keys, chosen, 0.7)
    assert distance(marked, keys, chosen, 0.7).max() < 1e-13
    assert distance(x, keys, chosen, 0.7).min() > 0.3
    assert (p_values(marked, keys, chosen, 0.7) < 1e-12).all()
    outside = torch.fft.fft2(marked - x)[..., ~chosen.mask]
    assert outside.abs().max() < 1e-12


def test_keys_belong_to_the_image():
    assert torch.equal(draw_keys(3, [4], (1, 8, 8))[0], draw_keys(3, range(5), (1, 8, 8))[4])


@pytest.mark.parametrize("name", BANDS)
def test_keys_know_nothing_of_the_noise_of_the_same_seed(name):
    shape = (1, 8, 8)
    x, keys = initial_noise(0, range(500), shape).double(), draw_keys(0, range(500), shape)
    assert kstest(p_values(x, keys, band(name, 8, 2), 1.0), "uniform").pvalue > 1e-3


@pytest.mark.parametrize("name", BANDS)
@pytest.mark.parametrize("kind", ["noise", "constant", "large"])
def test_the_null_is_uniform_whatever_the_image(name, kind):
    count, shape, sigma = 2000, (1, 8, 8), 1.3
    x = {
        "noise": sigma * noise(count, shape),
        "constant": torch.full((count, *shape), 0.4, dtype=torch.float64),
        "large": 6 * noise(1, shape).expand(count, *shape),
    }[kind]
    p = p_values(x, draw_keys(11, range(count), shape), band(name, 8, 2), sigma)
    assert kstest(p, "uniform").pvalue > 1e-3
    assert (p < 0.01).mean() == pytest.approx(0.01, abs=0.007)


def test_a_null_that_counts_pairs_twice_would_not_be_uniform():
    count, shape = 2000, (1, 8, 8)
    keys, chosen = draw_keys(11, range(count), shape), band("low", 8, 2)
    twice = chosen._replace(counted=chosen.mask)
    p = p_values(noise(count, shape), keys, twice, 1.0)
    assert kstest(p, "uniform").pvalue < 1e-3


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("channels", [1, 3])
def test_attacks_keep_shape_and_kind_and_change_something(name, channels):
    images = np.random.default_rng(0).integers(0, 256, (3, 16, 16, channels), dtype=np.uint8)
    before = images.copy()
    found = attack(name, images)
    assert found.shape == images.shape and found.dtype == np.uint8
    assert np.array_equal(found, images) == (name == "none")
    assert np.array_equal(before, images) and np.array_equal(found, attack(name, images))
    assert ATTACKS.keys() == ATTACK_NAMES.keys()


def gaussian(size=4, rank=12):
    """A Gaussian of 4x4 images that vary in 12 of 16 directions."""
    random = torch.Generator().manual_seed(0)
    basis, _ = torch.linalg.qr(torch.randn(size**2, size**2, generator=random).double())
    values = torch.linspace(0.1, 0.005, rank, dtype=torch.float64)  # inside -1 to 1
    return GaussianDenoiser(torch.zeros(1, size, size), basis[:, :rank], values)


def test_inversion_undoes_ddim_as_steps_grow():
    denoiser, x = gaussian(), noise(3, (1, 4, 4))
    errors = []
    for steps in (10, 80):
        sigmas = levels_from(1.0, "edm", steps)
        *_, image = ddim(denoiser, x, sigmas)
        *states, back = invert(denoiser, image, sigmas)
        assert len(states) == steps - 1
        seen = (back - x).flatten(1) @ denoiser.vectors
        errors.append(float(seen.norm() / (x.flatten(1) @ denoiser.vectors).norm()))
    assert errors[1] < errors[0] / 4 and errors[1] < 0.1


def test_the_first_step_back_goes_along_the_slope_at_the_lowest_level():
    denoiser, x = gaussian(), noise(2, (1, 4, 4))
    sigmas = torch.tensor([2.0, 0.5, 0.0])
    first, second = invert(denoiser, x, sigmas)
    torch.testing.assert_close(first, x + (x - denoiser(x, 0.5)))
    torch.testing.assert_close(second, first + 1.5 / 0.5 * (first - denoiser(first, 0.5)))


def test_a_mark_in_the_null_space_is_invisible_and_lost():
    found, sigma = gaussian(), 0.8
    carrier, whole = GaussianCarrier(found), directions_of(found)
    x, null = noise(1, (1, 4, 4)), whole.basis[:, found.rank :]
    put = (noise(1, (1, 4, 4), 5).flatten(1) @ null @ null.T).view(1, 1, 4, 4)
    plain, marked = carrier.image(x, sigma), carrier.image(x + put, sigma)
    assert (marked - plain).abs().max() < 1e-12
    assert (carrier.back(marked, sigma) - carrier.back(plain, sigma)).abs().max() < 1e-9
    seen = (noise(1, (1, 4, 4), 5).flatten(1) @ found.vectors[:, :1] @ found.vectors[:, :1].T).view(
        1, 1, 4, 4
    )
    change = carrier.image(x + seen, sigma) - plain
    torch.testing.assert_close(change, seen * (0.1 / (0.1 + sigma**2)) ** 0.5)


def test_directions_are_orthonormal_and_end_in_the_null_space():
    found = gaussian()
    whole = directions_of(found)
    torch.testing.assert_close(whole.basis.T @ whole.basis, torch.eye(16, dtype=torch.float64))
    assert whole.variance[12:].eq(0).all() and torch.equal(whole.variance[:12], found.values)


def test_gains_of_the_gaussian_are_those_of_the_formula():
    found, sigmas = gaussian(), [0.3, 1.0]
    plan = Plan(["low"], 1, sigmas, ["none"], 40, 0, 0)  # seeds as in params.yaml
    rows = tidy(direction_rows(GaussianCarrier(found), RUN, directions_of(found), (1, 4, 4), plan))
    for sigma in sigmas:
        gain = of(rows, "watermark_gain")
        gain = gain[gain["sigma"] == sigma].sort_values("k")["value"].to_numpy()
        variance = directions_of(found).variance.numpy()
        np.testing.assert_allclose(gain, np.sqrt(variance / (sigma**2 + variance)), atol=1e-6)
    kept = of(rows, "watermark_kept").groupby("k")["value"].mean()
    assert kept[1] > 0.8 and kept.loc[13:].abs().max() < 0.4


def test_rows_of_marks_and_of_none():
    found = gaussian()
    plan = Plan(["low", "high"], 1, [0.5, 2.0], ["none", "noise"], 30, 0, 1)
    for carrier in (
        GaussianCarrier(found),
        SampledCarrier(found, "edm", 12, 16, torch.device("cpu")),
    ):
        rows = tidy(watermark_rows(carrier, RUN, (1, 4, 4), plan))
        assert not rows.duplicated(["metric", "class", "sigma", "k"]).any()
        assert len(of(rows, "watermark_detected")) == 8
        share, false = of(rows, "watermark_detected:low"), of(rows, "watermark_false")
        assert share["n"].eq(30).all() and false["value"].max() < 0.2
        at = of(rows, "watermark_roc:low", k=1.0)
        assert at["value"].eq(1).all()
        assert of(rows, "watermark_psnr:low")["value"].between(3, 58.93).all()
        assert of(rows, "watermark_auc")["value"].between(0, 1).all()
        assert of(rows, "watermark_null_p")["value"].between(0, 1).all()


def test_psnr_of_known_errors():
    images = np.zeros((2, 4, 4, 1), dtype=np.uint8)
    others = images.copy()
    others[1] = 255
    assert psnr(images, others) == pytest.approx([10 * np.log10(255**2 * 12), 0])


def test_slope_and_correlation_of_known_lines():
    x = np.array([1.0, -2.0, 3.0, 0.5, 2.0])
    assert slope(x, 0.3 * x) == pytest.approx((0.3, 0.3, 0.3, 5))
    steep = slope(x, 2 * x + np.array([0.1, 0.1, -0.1, 0.2, 0]))
    assert steep.lower < 2 < steep.upper
    assert correlation(x, -x).value == pytest.approx(-1)
    assert correlation(x, np.zeros(5)).value == 0
