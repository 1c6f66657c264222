"""Least-squares slopes over runs."""

import warnings

import numpy as np
import pytest
from scipy import stats

from depthbias.estimates.intervals import combined, independent_share, over_seeds
from depthbias.estimates.slopes import (
    cr3_error,
    intercept_weights,
    least_squares_slope,
    slope_weights,
)


def still(values):
    """Draws without an error."""
    return np.tile(values[:, None], 3)


def test_weights_are_those_of_the_least_squares_line():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=9), rng.normal(size=9)
    line = stats.linregress(x, y)
    assert slope_weights(x) @ y == pytest.approx(line.slope)
    assert intercept_weights(x) @ y == pytest.approx(line.intercept)


def test_the_error_is_hc3():
    from statsmodels.regression.linear_model import OLS

    rng = np.random.default_rng(0)
    x = np.repeat([2.0, 3, 4], 3)
    y = 0.1 * x + rng.normal(size=9)
    error = OLS(y, np.stack([np.ones(9), x], axis=1)).fit(cov_type="HC3").bse[1]
    found = least_squares_slope(x, y, still(y))
    half_width = stats.t.ppf(0.975, 7) * error
    assert found.upper - found.value == pytest.approx(half_width)
    assert found.value - found.lower == pytest.approx(half_width)


@pytest.mark.parametrize("x", [[2.0, 3.0], [2.0, 2.0, 2.0, 5.0]])
def test_a_run_that_is_alone_at_its_depth_leaves_no_interval(x):
    """Its leverage is 1: what it should have been cannot be told from the others. No warning."""
    values = np.arange(len(x), dtype=float)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = least_squares_slope(np.array(x), values, still(values))
    assert np.isfinite(found.value) and np.isnan(found.lower) and np.isnan(found.upper)


def test_what_runs_share_is_not_taken_for_their_own():
    rng = np.random.default_rng(0)
    design = np.ones((4, 1))
    common, own = rng.normal(size=4000), rng.normal(size=(4, 4000))
    weights = np.full(4, 0.25)
    assert independent_share(np.tile(common, (4, 1)), weights, design) == pytest.approx(0, abs=1e-9)
    assert independent_share(own, weights, design) == pytest.approx(1, abs=0.05)
    # variance of the mean: 1 that is common, 1/4 that is not
    assert independent_share(common + own, weights, design) == pytest.approx(0.2, abs=0.02)
    assert independent_share(own[:1], np.ones(1), np.ones((1, 1))) == 0  # one run tells nothing


def test_a_runs_own_image_error_is_counted_once():
    """The spread of the measured values holds it already; what is common comes on top."""
    rng = np.random.default_rng(0)
    values = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
    spread = over_seeds(values, still(values), 5)
    own = over_seeds(values, values[:, None] + 0.5 * rng.normal(size=(5, 20_000)), 5)
    assert own.upper - own.lower == pytest.approx(spread.upper - spread.lower, rel=0.01)
    shared = over_seeds(values, values[:, None] + 2 * rng.normal(size=20_000), 5)
    expected = np.hypot(spread.upper - spread.value, 1.96 * 2)
    assert shared.upper - shared.value == pytest.approx(expected, rel=0.05)


def test_a_slope_is_made_of_its_parts():
    """Draws that share a tilt: the errors of HC3 and of the draws, by plain numpy."""
    rng = np.random.default_rng(3)
    x = np.array([2.0, 2, 3, 3, 5])
    values = 0.4 * x + rng.normal(size=5)
    draws = values[:, None] + np.outer(x, rng.normal(size=4000)) + rng.normal(size=(5, 4000))
    design = np.stack([np.ones(5), x], axis=1)
    found = least_squares_slope(x[:4], values[:4], draws[:4])
    weights = np.linalg.pinv(design[:4])[1]
    hat = np.diag(design[:4] @ np.linalg.pinv(design[:4]))
    residuals = values[:4] - design[:4] @ np.linalg.pinv(design[:4]) @ values[:4]
    error = np.sqrt(((weights * residuals / (1 - hat)) ** 2).sum())
    independent = independent_share(draws[:4], weights, design[:4])
    half = stats.t.ppf(0.975, 2) * error
    expected = combined(weights @ values[:4], half, weights @ draws[:4], 4, independent)
    assert found == pytest.approx(expected, rel=1e-9) and 0.05 < independent < 0.95
    assert intercept_weights(x) @ values == pytest.approx(np.linalg.pinv(design)[0] @ values)


@pytest.mark.parametrize(("leverage", "known"), [(1.0, False), (1 - 1e-12, False), (0.999, True)])
def test_the_error_of_a_run_of_leverage_1_is_unknown(leverage, known):
    found = cr3_error(np.array([3.0, 4.0]), np.array([1.0, 2.0]), np.array([0.5, leverage]))
    assert np.isfinite(found) == known
    plain = cr3_error(np.array([3.0, 4.0]), np.array([1.0, 2.0]), np.array([0.5, 0.0]))
    assert plain == pytest.approx(10)  # (3 * 1 / .5)^2 + (4 * 2)^2
