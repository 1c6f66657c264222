"""Local linearity, and everything that is measured of a model's Jacobian, on known denoisers."""

import numpy as np
import pytest
import torch

from depthbias.diffusion.gaussian_denoiser import GaussianDenoiser
from depthbias.estimates.runs import Run
from depthbias.measures.structure_files import Structure
from depthbias.system.errors import UserError
from depthbias.theory.local_linearity import Settings, departures, measure, step_length
from depthbias.theory.model_rows import model_rows
from depthbias.theory.trajectory_states import states_at

SHAPE = (1, 4, 4)


def drawn(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


@pytest.fixture(scope="module")
def gaussian():
    vectors = torch.linalg.qr(drawn(16, 16))[0]
    return GaussianDenoiser(drawn(*SHAPE, seed=1), vectors, 4 * 0.6 ** torch.arange(16.0))


def square(x, sigma):
    return x**2


def test_the_published_steps_are_percentages_of_the_noise():
    abar = 1 / (1 + 11.8**2)  # t = 0.7 of 1000 linear steps
    step = step_length(11.8, 3 * 64 * 64, 36)
    assert step * abar**0.5 == pytest.approx(40, rel=0.01)


def test_departures_of_a_square_are_known():
    x, steps = torch.full((1, *SHAPE), 3.0).double(), torch.full((1, 16), 1.0).double()
    found = departures(square, x, 1.0, steps, 6 * steps)
    values = {name: float(value) for name, value in found.items()}
    assert values == pytest.approx({"norm": 16 / 15, "cosine": 1, "error": 1 / 7})
    back = departures(square, x, 1.0, -steps, -6 * steps)  # the change is 5, the slope 6
    assert float(back["error"]) == pytest.approx(1 / 6)
    turned = torch.cat([steps[:, :8], -steps[:, 8:]], dim=1)
    cosine = float(departures(square, x, 1.0, turned, 6 * turned)["cosine"])
    assert cosine == pytest.approx((16 * 15 + 4 * 3) / ((256 + 16) * (225 + 9)) ** 0.5)


def test_a_gaussian_is_linear_symmetric_and_of_its_own_rank(gaussian):
    states = [drawn(3, *SHAPE), drawn(3, *SHAPE)]
    heard = []
    found = measure(gaussian, states, [0.3, 3.0], gaussian, Settings([5, 40], 0, 50), heard.append)
    assert heard == [1, 2] and found["jacobian_rank"].shape == (2, 3)
    assert np.all(found["jacobian_rank"] == found["jacobian_rank:gaussian"])
    assert found["jacobian_rank:gaussian"][1] < found["jacobian_rank:gaussian"][0] < 1
    assert np.all(found["jacobian_rank_error"] == 0)
    assert {values.dtype for values in found.values()} == {np.dtype(float)}
    assert np.all(found["jacobian_asymmetry"] < 1e-12)
    for kind in ("leading", "random"):
        for strength in (5, 40):
            assert np.allclose(found[f"local_norm:{kind}@{strength}"], 1, atol=1e-9)
            assert np.allclose(found[f"local_cosine:{kind}@{strength}"], 1, atol=1e-9)
            assert np.all(found[f"local_error:{kind}@{strength}"] < 1e-9)


def test_a_curved_denoiser_departs_more_with_longer_steps(gaussian):
    found = measure(square, [drawn(3, *SHAPE)], [0.5], gaussian, Settings([5, 40], 0, 50))
    for kind in ("leading", "random"):
        near, far = (found[f"local_error:{kind}@{strength}"] for strength in (5, 40))
        assert np.all(far > 2 * near) and np.all(near > 0)
    assert np.all(found["jacobian_asymmetry"] == 0)  # diagonal
    again = measure(square, [drawn(3, *SHAPE)], [0.5], gaussian, Settings([5, 40], 0, 7))
    assert np.allclose(again["local_error:random@40"], found["local_error:random@40"])


def test_trajectories_pass_the_levels_in_their_order(gaussian):
    noise = drawn(2, *SHAPE)
    low, high, start = states_at(gaussian, noise, [0.5, 30.0, 80.0])
    assert torch.equal(start, 80 * noise)
    for state, level in ((high, 30.0), (low, 0.5)):
        exact = gaussian.flow(start, 80.0, level)
        assert float((state - exact).norm() / exact.norm()) < 0.05
    assert float((high - gaussian.flow(start, 80.0, 0.5)).norm()) > 10


@pytest.mark.parametrize(
    ("levels", "words"),
    [([1.0, 0.5], "must increase"), ([1.0, 90.0], "begin at 80"), ([0.0, 1.0], "positive")],
)
def test_impossible_levels_are_refused_in_one_line(gaussian, levels, words):
    with pytest.raises(UserError, match=words) as error:
        states_at(gaussian, drawn(1, *SHAPE), levels)
    assert "\n" not in str(error.value)


def test_rows_have_slopes_on_depth_and_end_where_a_measure_does():
    runs = []
    for depth in (2, 3, 4):
        for seed in (0, 1, 2):
            noise = np.random.default_rng(10 * depth + seed).normal(size=(1, 6)) / 100
            values = {
                "jacobian_rank": 0.8 + 0.05 * depth + noise,
                "jacobian_rank:gaussian": np.array([[0.4]]),
                "local_cosine:random@5": np.full((1, 6), -0.99) + noise,
                "local_norm:random@5": np.full((1, 6), 1.3) + noise,
            }
            run = Run("s", "90-10", f"depth{depth}", str(seed))
            runs.append(Structure(run, np.array([1.0]), values))
    rows = list(model_rows("jacobian", runs))
    (slope,) = [row for row in rows if row["metric"] == "jacobian_rank_per_depth"]
    assert slope["architecture"] == "published" and slope["class"] == "middle"
    assert slope["lower"] < 0.05 < slope["upper"] and slope["upper"] - slope["lower"] < 0.05
    at_level = [row for row in rows if row.get("sigma") == 1.0]
    rank = [row for row in at_level if row["metric"] == "jacobian_rank"]
    assert max(row["upper"] for row in rank) == 1  # of depth 4, whose interval would pass it
    cosines = [row for row in at_level if row["metric"] == "local_cosine:random"]
    assert min(row["lower"] for row in cosines) == -1 and cosines[0]["k"] == 5
    norms = [row for row in at_level if row["metric"] == "local_norm:random"]
    assert max(row["upper"] for row in norms) > 1.2
