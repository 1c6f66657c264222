"""How intervals are made: closed forms, and second implementations by plain numpy."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, logit

from depthbias.estimates.intervals import (
    QUANTILES,
    Estimate,
    combined,
    draw_shares,
    from_draws,
    independent_share,
    mixed_share,
    over_seeds,
    share_over_seeds,
    stream,
    student_half_width,
    wilson,
)


def quantiles(draws):
    return np.quantile(draws, [0.025, 0.975])


def test_limits_hold_95_percent():
    assert QUANTILES == (0.025, 0.975)
    assert Estimate._fields == ("value", "lower", "upper", "n")


@pytest.mark.parametrize(("count", "n"), [(0, 7), (3, 7), (7, 7), (1, 1), (2.5, 9.6)])
def test_wilson_is_the_root_of_its_quadratic(count, n):
    """|p - count/n| = z sqrt(p (1 - p) / n) at both limits."""
    found = wilson(count, n)
    assert found.value == count / n and found.n == round(n) and isinstance(found.n, int)
    for limit in found[1:3]:
        reach = stats.norm.ppf(0.975) * np.sqrt(limit * (1 - limit) / n)
        assert abs(limit - count / n) == pytest.approx(reach, abs=1e-8)
    assert 0 <= found.lower <= found.value <= found.upper <= 1


def test_no_image_has_no_share():
    found = wilson(0, 0)
    assert np.isnan(found[:3]).all() and found.n == 0


def test_a_mix_has_the_error_of_kishs_number_of_images():
    """Effective n = 1 / sum w^2 / n: 1 / (.81 / 30 + .01 / 5)."""
    found = mixed_share([wilson(24, 30), wilson(1, 5)], np.array([0.9, 0.1]))
    n = round(1 / (0.81 / 30 + 0.01 / 5))
    assert found == pytest.approx(wilson(0.74 * n, n)) and found.n == n == 34
    missing = Estimate(np.nan, np.nan, np.nan, 5)
    none = mixed_share([wilson(24, 30), missing], np.array([0.9, 0.1]))
    assert np.isnan(none[:3]).all() and none.n == n
    for empty in (wilson(0, 0), missing._replace(n=0)):
        none = mixed_share([wilson(24, 30), empty], np.array([0.9, 0.1]))
        assert np.isnan(none[:3]).all() and none.n == 0


def test_streams_are_named():
    first = stream("a", "b").random(3)
    np.testing.assert_array_equal(stream("a", "b").random(3), first)
    others = [stream(*key).random(3) for key in (("b", "a"), ("ab",), ("a",), ("a", "b", ""))]
    assert len({tuple(one) for one in [first, *others]}) == 5


def test_resampled_shares_are_dirichlet_by_class():
    """A class has its own stream: another number of another class leaves its gamma alone."""
    counts, names = np.array([7, 0, 3]), ["a", "b", "c"]
    draws = draw_shares(counts, 20_000, names, "key")
    assert draws.shape == (20_000, 3) and draws.sum(axis=1) == pytest.approx(np.ones(20_000))
    total = 11.5
    for k, count in enumerate(counts):
        law = stats.beta(count + 0.5, total - count - 0.5)
        assert stats.kstest(draws[:, k], law.cdf).pvalue > 0.01
    gammas = np.stack(
        [
            stream("key", n).standard_gamma(c + 0.5, 20_000)
            for n, c in zip(names, counts, strict=True)
        ],
        axis=1,
    )
    np.testing.assert_allclose(draws, gammas / gammas.sum(axis=1, keepdims=True))
    odds = draws[:, 0] / draws[:, 2]
    moved = draw_shares(np.array([7, 5, 3]), 20_000, names, "key")
    np.testing.assert_allclose(moved[:, 0] / moved[:, 2], odds)
    assert not np.allclose(draw_shares(counts, 20_000, names, "other"), draws)


def test_percentiles_hold_the_value():
    draws = np.linspace(0, 1, 1001)
    assert from_draws(0.4, draws, 9) == pytest.approx((0.4, 0.025, 0.975, 9))
    assert from_draws(-1.0, draws, 9) == pytest.approx((-1, -1, 0.975, 9))
    assert from_draws(2.0, draws, 9) == pytest.approx((2, 0.025, 2, 9))
    assert all(type(part) is float for part in from_draws(0.4, draws, 9)[:3])


@pytest.mark.parametrize("freedom", [1, 2, 30])
def test_students_half_width(freedom):
    assert student_half_width(2.0, freedom) == pytest.approx(2 * stats.t.ppf(0.975, freedom))
    assert np.isnan(student_half_width(2.0, 0))


def errors(seed=0, runs=5, draws=4000):
    """Draws that share a level and a tilt, and have an error of their own."""
    rng = np.random.default_rng(seed)
    x = np.arange(runs, dtype=float)
    common = rng.normal(size=draws) + np.outer(x, rng.normal(size=draws))
    return x, common, rng.normal(size=(runs, draws)) * np.arange(1, runs + 1)[:, None] / 3


def test_the_independent_part_is_what_the_design_leaves():
    """The variance of residuals with G - P degrees of freedom, over that of the estimate."""
    x, common, own = errors()
    design = np.stack([np.ones(5), x], axis=1)
    weights = (x - x.mean()) / ((x - x.mean()) ** 2).sum()
    draws = 7 + common + own
    centred = draws - draws.mean(axis=1, keepdims=True)
    residuals = np.stack(
        [column - design @ np.linalg.lstsq(design, column, rcond=None)[0] for column in centred.T]
    )
    variance = (residuals**2).sum(axis=1).mean() / 3
    expected = variance * (weights @ weights) / (weights @ centred).var()
    assert 0.02 < expected < 0.98
    assert independent_share(draws, weights, design) == pytest.approx(expected)
    assert independent_share(common, weights, design) == pytest.approx(0, abs=1e-9)
    assert independent_share(50 * (own - own.mean(axis=0)), np.full(5, 0.2), design) in (0, 1)
    assert independent_share(draws[:2], weights[:2], design[:2]) == 0  # as many runs as columns
    assert independent_share(draws[:3], np.array([-0.5, 0, 0.5]), design[:3]) > 0
    assert independent_share(np.ones((5, 9)), weights, design) == 0  # no error at all


@pytest.mark.parametrize("independent", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("half_width", [0.1, 3.0])
def test_two_errors_are_combined_side_by_side(independent, half_width):
    """The independent part stands in place of the half width where it is wider, not beside it."""
    draws = np.linspace(-1, 3, 4001)  # about a value of 0.5
    lower, upper = quantiles(draws)
    below, above = 0.5 - lower, upper - 0.5
    found = combined(0.5, half_width, draws, 4, independent)
    for distance, limit in ((below, 0.5 - found.lower), (above, found.upper - 0.5)):
        own = max(half_width, distance * independent**0.5)
        assert limit == pytest.approx(np.hypot(own, distance * (1 - independent) ** 0.5))
    assert (found.value, found.n) == (0.5, 4)
    assert combined(0.5, half_width, draws, 4) == combined(0.5, half_width, draws, 4, 0.0)


def test_draws_on_one_side_leave_the_other_limit_to_the_half_width():
    found = combined(0.0, 0.2, np.linspace(1, 2, 101), 1)
    assert found.lower == pytest.approx(-0.2) and found.upper > 1.9
    found = combined(0.0, 0.2, np.linspace(-2, -1, 101), 1)
    assert found.upper == pytest.approx(0.2) and found.lower < -1.9


def seeds(values, spread, common):
    """Draws [S, B] about values, with an error of each seed and one of all."""
    rng = np.random.default_rng(1)
    own = spread * rng.normal(size=(len(values), 3000))
    return np.array(values)[:, None] + own + common * rng.normal(size=3000)


def test_seeds_vary_by_student_and_the_draws_come_beside():
    values, draws = np.array([1.0, 2.0, 4.0]), seeds([1, 2, 4], 0.5, 0.8)
    half = stats.t.ppf(0.975, 2) * stats.sem(values)
    independent = independent_share(draws, np.full(3, 1 / 3), np.ones((3, 1)))
    assert 0.01 < independent < 0.5
    expected = combined(values.mean(), half, draws.mean(axis=0), 30, independent)
    assert over_seeds(values, draws, 30) == pytest.approx(expected, rel=1e-12)
    one = over_seeds(values[:1], draws[:1], 10)
    assert one.value == 1 and np.isnan([one.lower, one.upper]).all() and one.n == 10


def test_shares_over_seeds_are_combined_on_the_logit_scale():
    values, n = np.array([0.1, 0.2, 0.15]), 300
    draws = np.clip(seeds(values, 0.01, 0.02), 0.001, 0.999)
    mean = values.mean()
    half = stats.t.ppf(0.975, 2) * stats.sem(values) / (mean * (1 - mean))
    independent = independent_share(draws, np.full(3, 1 / 3), np.ones((3, 1)))
    made = combined(logit(mean), half, logit(draws.mean(axis=0)), n, independent)
    found = share_over_seeds(values, draws, n)
    assert found == pytest.approx((mean, expit(made.lower), expit(made.upper), n), rel=1e-12)


@pytest.mark.parametrize(("value", "end"), [(0.0, 0.005), (1.0, 0.995)])
def test_a_share_of_nothing_or_all_counts_as_half_an_image_away(value, end):
    """Of 100 images: the interval is that of half an image, and holds the share."""
    values, draws = np.full(2, value), np.full((2, 50), value)
    draws[:, ::2] = end
    found = share_over_seeds(values, draws, 100)
    assert (found.value, found.n) == (value, 100)
    limits = sorted([value, end])
    assert [found.lower, found.upper] == pytest.approx(limits, abs=1e-9)
