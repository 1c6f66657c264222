"""Class proportions and amplification: closed forms, second implementations, coverage."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from coverage_study import (
    coverage_of_control,
    coverage_of_design,
    coverage_of_run,
    coverage_of_trend,
    coverage_over_seeds,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats
from scipy.special import expit, logit
from statsmodels.genmod.families import Binomial
from statsmodels.genmod.generalized_linear_model import GLM

from depthbias.data.subsets import Subset
from depthbias.diffusion.architectures import get_architecture
from depthbias.estimates.arm_names import ARMS, in_arm
from depthbias.estimates.intervals import (
    combined,
    draw_shares,
    independent_share,
    over_seeds,
    share_over_seeds,
    wilson,
)
from depthbias.estimates.runs import Run
from depthbias.estimates.tidy import KEYS, read_rows, write_rows
from depthbias.measures.amplification import depth_trend, kappa
from depthbias.measures.bias_rows import bias_rows
from depthbias.measures.class_shares import Instrument, corrected_prevalence, log_odds, solve_shares
from depthbias.measures.classified import Acceptance, Classified
from depthbias.measures.manifolds import Manifold, write_manifold
from depthbias.measures.real_mixes import control_rows, draw_mix, mix_counts
from depthbias.measures.samples import noise_of
from depthbias.measures.transitions import equal_margins, transition_counts
from depthbias.system.errors import UserError
from depthbias.system.files import write_json, write_npz

SCRIPTS = Path(__file__).parents[2] / "scripts"


def script(name, *arguments):
    command = [sys.executable, str(SCRIPTS / f"{name}.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


# Correction for the classifier's errors


def rogan_gladen(counts, confusion):
    """(share of the first class, its standard deviation): closed form and delta method."""
    n, (n1, n0) = sum(counts), np.sum(confusion, axis=0)
    q, se, sp = counts[0] / n, confusion[0][0] / n1, confusion[1][1] / n0
    p = (q + sp - 1) / (se + sp - 1)
    variance = q * (1 - q) / n + p**2 * se * (1 - se) / n1 + (1 - p) ** 2 * sp * (1 - sp) / n0
    return p, np.sqrt(variance) / (se + sp - 1)


def test_two_classes_are_rogan_and_gladens_estimate():
    counts, confusion = [122, 878], [[475, 15], [25, 485]]
    p, sd = rogan_gladen(counts, confusion)
    assert (round(p, 4), round(sd, 4)) == (0.1, 0.0135)  # definitions.md, section 3
    first, second = corrected_prevalence(counts, confusion)
    assert first.value == pytest.approx(p, abs=1e-12) and first.n == 1000
    assert (first.upper - first.lower) / 2 == pytest.approx(1.96 * sd, rel=0.03)
    assert second == pytest.approx((1 - p, 1 - first.upper, 1 - first.lower, 1000), abs=1e-12)


@pytest.mark.parametrize("n", [2000, 10**6])
def test_spread_of_three_classes_is_that_of_the_delta_method(n):
    confusion = np.array([[360, 0, 5], [10, 350, 5], [40, 50, 390]])
    totals = confusion.sum(axis=0)
    rates = confusion / totals
    p = np.array([0.5, 0.3, 0.2])
    q = rates @ p

    def covariance(shares):
        return np.diag(shares) - np.outer(shares, shares)

    error = covariance(q) / n
    error += sum(p[j] ** 2 * covariance(rates[:, j]) / totals[j] for j in range(3))
    inverse = np.linalg.inv(rates)
    sd = np.sqrt(np.diag(inverse @ error @ inverse.T))
    found = corrected_prevalence(np.rint(n * q), confusion)
    assert [e.value for e in found] == pytest.approx(p, abs=1e-3)
    assert [(e.upper - e.lower) / 2 for e in found] == pytest.approx(1.96 * sd, rel=0.04)


def test_spread_of_the_correction_in_a_simulation():
    rng = np.random.default_rng(0)
    n1 = n0 = 500
    se, sp = rng.binomial(n1, 0.95, 20_000) / n1, rng.binomial(n0, 0.97, 20_000) / n0
    q = rng.binomial(1000, 0.122, 20_000) / 1000
    rates = np.moveaxis(np.array([[se, 1 - sp], [1 - se, sp]]), -1, 0)
    shares = solve_shares(np.stack([q, 1 - q], axis=1), rates)[:, 0]
    assert shares.mean() == pytest.approx(0.0997, abs=0.0004)  # four standard errors
    assert shares.std() == pytest.approx(0.0136, abs=0.0002)


def random_rates(rng, k, right=0.9):
    wrong = rng.dirichlet(np.ones(k), size=k).T
    return right * np.eye(k) + (1 - right) * wrong


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10**6), st.integers(2, 6))
def test_the_solution_is_exact_inside_and_the_most_likely_point_outside(seed, k):
    rng = np.random.default_rng(seed)
    rates, inside = random_rates(rng, k), rng.dirichlet(np.ones(k))
    assert solve_shares(rates @ inside, rates) == pytest.approx(inside, abs=1e-10)
    shares = rng.dirichlet(np.full(k, 0.2))
    found = solve_shares(shares, rates)
    assert found.min() >= 0 and found.sum() == pytest.approx(1)
    # Karush-Kuhn-Tucker: the gradient of the likelihood is 1 where p > 0 and at most 1 elsewhere.
    gradient = rates.T @ (shares / (rates @ found))
    assert gradient.max() < 1 + 1e-3 and gradient[found > 1e-3] == pytest.approx(1, abs=1e-3)


def test_a_class_that_explains_nothing_has_the_share_of_the_likelihood():
    """Three classes, all images classified as the second: the nearest point would be (0, 1, 0)."""
    rates = np.array([[0.9, 0.05, 0.05], [0.05, 0.9, 0.55], [0.05, 0.05, 0.4]])
    shares = np.array([0.02, 0.9, 0.08])
    best = optimize.minimize(
        lambda p: -shares @ np.log(rates @ p),
        np.full(3, 1 / 3),
        bounds=[(0, 1)] * 3,
        constraints={"type": "eq", "fun": lambda p: p.sum() - 1},
        tol=1e-14,
    ).x
    assert np.linalg.solve(rates, shares).min() < 0
    assert solve_shares(shares, rates) == pytest.approx(best, abs=1e-5)
    drawn = solve_shares(np.tile(shares, (4, 1)), np.tile(rates, (4, 1, 1)))
    assert drawn == pytest.approx(np.tile(best, (4, 1)), abs=1e-5)


def test_a_class_that_is_never_mistaken_and_never_found_has_no_share():
    """The first two are confused; of these the first alone explains more than all images."""
    rates = np.array([[0.9, 0.2, 0.0], [0.1, 0.8, 0.0], [0.0, 0.0, 1.0]])
    with np.errstate(divide="raise", invalid="raise"):
        found = solve_shares(np.array([1.0, 0.0, 0.0]), rates)
    assert found == pytest.approx([1, 0, 0], abs=1e-8)


def test_three_classes_agree_with_maximum_likelihood():
    rng = np.random.default_rng(1)
    for share in ([0.6, 0.3, 0.1], [0.97, 0.03, 0.0]):
        rates = random_rates(rng, 3, 0.97)
        counts = rng.multinomial(5000, rates @ np.array(share))

        def loss(p, counts=counts, rates=rates):
            return -counts @ np.log(rates @ p) / counts.sum()

        sums = {"type": "eq", "fun": lambda p: p.sum() - 1}
        best = optimize.minimize(
            loss, np.full(3, 1 / 3), bounds=[(0, 1)] * 3, constraints=sums, tol=1e-12
        ).x
        found = solve_shares(counts / counts.sum(), rates)
        assert found == pytest.approx(best, abs=1e-5)


def test_one_path_for_two_and_more_classes():
    """A third class that never occurs and is never confused changes nothing."""
    confusion = np.array([[475, 15], [25, 485]])
    wide = np.zeros((3, 3), dtype=int)
    wide[:2, :2], wide[2, 2] = confusion, 100_000
    two, three = (
        corrected_prevalence([122, 878], confusion),
        corrected_prevalence([122, 878, 0], wide),
    )
    assert three[0][:3] == pytest.approx(two[0][:3], abs=1e-3)


def test_order_of_classes_does_not_matter():
    counts, confusion = np.array([60, 900, 40]), np.array([[48, 1, 0], [2, 99, 1], [0, 0, 30]])
    order = [2, 0, 1]
    first = corrected_prevalence(counts, confusion)
    second = corrected_prevalence(counts[order], confusion[np.ix_(order, order)])
    for place, k in enumerate(order):
        width = first[k].upper - first[k].lower
        assert second[place].value == pytest.approx(first[k].value, abs=1e-12)
        assert second[place][1:3] == pytest.approx(first[k][1:3], abs=0.03 * width)


def test_no_error_seen_in_few_calibration_images_is_not_no_error():
    few, many = (corrected_prevalence([50, 450], m * np.eye(2, dtype=int))[0] for m in (27, 10**6))
    assert many[1:3] == pytest.approx(wilson(50, 500)[1:3], abs=0.002)
    assert few.lower < 0.04 and few.upper - few.lower > 1.5 * (many.upper - many.lower)


def test_intervals_hold_their_value_and_stay_within_zero_and_one():
    for counts in ([0, 40], [1, 39], [40, 0], [0, 0, 7]):
        k = len(counts)
        for estimate in corrected_prevalence(counts, 50 * np.eye(k, dtype=int) + 1):
            assert 0 <= estimate.lower <= estimate.value <= estimate.upper <= 1
            assert estimate.upper > estimate.lower


@pytest.mark.parametrize(
    ("counts", "confusion"),
    [
        ([0, 0], np.eye(2)),
        ([1, -1], np.eye(2)),
        ([1, 1, 1], np.eye(2)),
        ([1, 1], [[5, 0], [0, 0]]),
        ([1, 1], [[5, 5], [5, 5]]),
        ([1, 1], np.ones((2, 3))),
    ],
)
def test_senseless_counts_are_refused(counts, confusion):
    with pytest.raises(ValueError, match=r"counts|confusion"):
        corrected_prevalence(counts, confusion)


def test_an_instrument_refuses_counts_of_other_classes_and_names_its_draws():
    instrument = Instrument(("a", "b"), np.array([[90, 5], [10, 95]]), 20)
    for counts in ([1, 1, 1], [1, -1], [0, 0]):
        with pytest.raises(ValueError, match=r"^counts must be 2 numbers from 0, not all 0$"):
            instrument.correct(np.array(counts), "x")
    counts = np.array([30, 20])
    shares, raw, corrected = instrument.correct(counts, "x")
    assert shares == pytest.approx(instrument.solve(counts / 50))
    np.testing.assert_array_equal(corrected, instrument.solve_draws(raw))
    np.testing.assert_array_equal(instrument.correct(counts, "x")[1], raw)
    assert not np.isclose(instrument.correct(counts, "y")[1], raw).any()


def test_wilson_is_its_closed_form():
    x, n, z = 122, 1000, stats.norm.ppf(0.975)
    centre = (x + z**2 / 2) / (n + z**2)
    half = z / (n + z**2) * np.sqrt(x * (n - x) / n + z**2 / 4)
    assert wilson(x, n) == pytest.approx((x / n, centre - half, centre + half, n))
    assert np.isnan(wilson(0, 0).value)


def test_resampled_shares_have_the_moments_of_a_multinomial():
    for counts in ([900, 80, 20], [450, 450, 100]):
        draws = draw_shares(np.array(counts), 50_000, ["a", "b", "c"], "key")
        p = np.array(counts) / 1000
        assert draws.mean(axis=0) == pytest.approx(p, abs=1e-3)
        assert np.cov(draws.T) == pytest.approx((np.diag(p) - np.outer(p, p)) / 1000, abs=5e-6)


# Intervals over seeds


def test_without_resampling_error_the_interval_over_seeds_is_students():
    values = np.array([0.3, 0.5, 0.4, 0.8])
    found = over_seeds(values, np.tile(values[:, None], 10), 4)
    expected = stats.t.interval(0.95, 3, loc=values.mean(), scale=stats.sem(values))
    assert found == pytest.approx((0.5, *expected, 4))


def test_without_spread_between_seeds_the_interval_is_that_of_the_draws():
    draws = np.random.default_rng(0).normal(2, 1, (3, 5000))
    found = over_seeds(np.full(3, 2.0), draws, 3)
    assert found[1:3] == pytest.approx(np.quantile(draws.mean(0), [0.025, 0.975]))


def test_two_sources_of_error_add_in_squares():
    draws = np.linspace(-3, 5, 10_001) / 0.95  # 95 % between about -2.95 and 5
    lower, upper = np.quantile(draws, [0.025, 0.975])
    found = combined(0.0, 4.0, draws, 1)
    assert found[1:3] == pytest.approx((-np.hypot(4, lower), np.hypot(4, upper)))


def test_shares_over_seeds():
    draws = np.random.default_rng(0).beta(10, 90, (3, 1000))
    found = share_over_seeds(np.array([0.05, 0.1, 0.15]), draws, 300)
    assert 0 < found.lower < 0.1 < found.upper < 1 and found.value == pytest.approx(0.1)
    assert 0.1 - found.lower < found.upper - 0.1  # symmetric in the logit
    none = share_over_seeds(np.zeros(3), np.random.default_rng(0).beta(0.5, 100, (3, 1000)), 300)
    assert none.value == none.lower == 0 < none.upper < 0.05


def test_one_seed_has_no_interval_over_seeds():
    for function in (over_seeds, share_over_seeds):
        found = function(np.array([0.3]), np.full((1, 10), 0.3), 100)
        assert found.value == 0.3 and np.isnan(found.lower) and np.isnan(found.upper)


def test_coverage_of_the_corrected_share():
    """Nominal 95 %; 400 replicates have a standard error of 1.1 %."""
    assert coverage_of_run(0.1, 1000, 0.01, 200, 400) > 0.92
    assert coverage_of_run(0.1, 1000, 0.003, 27, 400) > 0.92


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_coverage_over_seeds(seeds):
    """At least 95 % within 3 standard errors (1.3 %), where plain percentiles cover 60 to 88 %."""
    found = coverage_over_seeds(seeds, 0.3, 10_000, 0.01, 500, 300)
    assert min(found["share"], found["shift"]) > 0.91
    assert max(found["percentile share"], found["percentile shift"]) < 0.91


def test_coverage_of_the_trend():
    """As above; the cluster-robust interval as statsmodels makes it covers 84 %."""
    found = coverage_of_trend((2, 3, 4), 3, 0.3, False, 300)
    assert found["shipped"] > 0.91 > found["cluster-robust"]


@pytest.mark.parametrize(("correlation", "spread"), [(0, 0.1), (0.9, 0.02), (0.9, 0.3)])
def test_coverage_where_models_start_from_the_same_noise(correlation, spread):
    """Nominal 95 %, within 3 standard errors of 400 replicates (1.1 %)."""
    found = coverage_of_design(5, (0.1, 0.4), 500, spread, correlation, 400)
    assert min(found.values()) > 0.917, found
    assert max(found.values()) < 1, found


def test_coverage_of_the_control():
    """At least 95 % within 3 standard errors: few errors on few images make wide intervals."""
    assert coverage_of_control((9, 1), 0.01, 500, 500, 300) > 0.912
    assert coverage_of_control((6, 4), 0.03, 500, 500, 300) > 0.912


# Amplification


@pytest.mark.parametrize("exponent", [0.7, 1.0, 1.4])
def test_kappa_is_the_power_of_the_odds(exponent):
    trained = np.array([0.9, 0.8, 0.6, 0.5])
    generated = expit(0.3 + exponent * logit(trained))
    assert kappa(trained, generated, 10**9) == pytest.approx(exponent)
    assert kappa(1 - trained, 1 - generated, 10**9) == pytest.approx(exponent)
    by_scipy = stats.linregress(logit(trained), logit(generated)).slope
    assert kappa(trained, np.stack([generated, trained]), 10**9) == pytest.approx([by_scipy, 1])


def test_log_odds_stop_half_an_image_from_the_ends():
    found = log_odds(np.array([0, 0.2, 1]), 50)
    assert found == pytest.approx([np.log(1 / 99), np.log(0.25), np.log(99)])


def trend_data(rng, spread=0.3, seeds=3):
    depths = np.repeat([2.0, 3, 4, 5], seeds)
    n = np.full(len(depths), 2000)
    shares = rng.binomial(n, expit(1 + 0.2 * depths + spread * rng.normal(size=len(n)))) / n
    return depths, np.full(len(n), 0.9), shares, n


def test_trend_without_noise_is_the_slope():
    depths = np.array([2.0, 3, 4, 6, 6])
    trained = np.array([0.9, 0.9, 0.8, 0.8, 0.5])
    shares = expit(logit(trained) + 0.1 + 0.25 * depths)
    found = depth_trend(depths, trained, shares, np.tile(shares[:, None], 5), np.full(5, 1000))
    assert found[:3] == pytest.approx((0.25, 0.25, 0.25), abs=1e-6) and found.n == 5


def test_trend_error_is_hc3_of_the_working_model():
    """A fitted GLM is the weighted regression of its working response, which has an HC3."""
    from statsmodels.regression.linear_model import WLS

    depths, trained, shares, n = trend_data(np.random.default_rng(0))
    found = depth_trend(depths, trained, shares, np.tile(shares[:, None], 2), n)
    offset, intercept = logit(trained), 0.0
    design = np.stack([np.ones(len(depths)), depths], axis=1)
    beta = np.array([intercept, 0.0])
    for _ in range(50):
        mu = expit(offset + design @ beta)
        weights = n * mu * (1 - mu)
        model = WLS(design @ beta + (shares - mu) / (mu * (1 - mu)), design, weights)
        beta = model.fit().params
    half = stats.t.ppf(0.975, len(depths) - 2) * model.fit(cov_type="HC3").bse[1]
    assert found[:3] == pytest.approx((beta[1], beta[1] - half, beta[1] + half), rel=1e-6)


def test_trend_takes_in_the_error_that_all_runs_share():
    depths, trained, shares, n = trend_data(np.random.default_rng(0))
    alone = depth_trend(depths, trained, shares, np.tile(shares[:, None], 2), n)
    tilt = np.outer(depths - depths.mean(), np.random.default_rng(1).normal(0, 0.5, 4000))
    found = depth_trend(depths, trained, shares, expit(logit(shares)[:, None] + tilt), n)
    expected = np.hypot(alone.upper - alone.value, 1.96 * 0.5)
    assert found.upper - found.value == pytest.approx(expected, rel=0.05)


def test_trend_of_two_runs_has_no_interval():
    shares = np.array([0.9, 1.0])
    two = depth_trend(np.array([2.0, 3]), np.full(2, 0.9), shares, shares[:, None], np.full(2, 50))
    assert np.isfinite(two.value) and np.isnan(two.lower)


@pytest.mark.parametrize(("share", "counted"), [(0.0, 0.01), (1.0, 0.99)])
def test_trend_counts_a_share_of_nothing_or_all_as_half_an_image_away(share, counted):
    shares = np.array([0.5, share])
    found = depth_trend(
        np.array([2.0, 3]), np.full(2, 0.9), shares, shares[:, None], np.full(2, 50)
    )
    assert found.value == pytest.approx(logit(counted) - logit(0.5), rel=1e-6)


def test_trend_has_the_error_of_its_draws_as_they_lie():
    """Errors of each run's own and of all, long on one side, by weighted least squares."""
    depths, trained, shares, n = trend_data(np.random.default_rng(0))
    rng = np.random.default_rng(2)
    skewed = np.outer(depths - 3, rng.exponential(0.2, 500)) + rng.exponential(
        0.1, (len(depths), 500)
    )
    draws = expit(logit(shares)[:, None] + skewed)
    found = depth_trend(depths, trained, shares, draws, n)
    alone = depth_trend(depths, trained, shares, shares[:, None], n)
    design = np.stack([np.ones(len(depths)), depths], axis=1)
    fitted = GLM(
        np.stack([n * shares, n * (1 - shares)], axis=1),
        design,
        family=Binomial(),
        offset=logit(trained),
    )
    p = fitted.fit().fittedvalues
    root = np.sqrt(n * p * (1 - p))
    weights = np.linalg.pinv(root[:, None] * design)[1] * root
    independent = independent_share(skewed, weights, design)
    half = alone.upper - alone.value
    expected = combined(alone.value, half, alone.value + weights @ skewed, len(n), independent)
    assert 0.01 < independent < 0.99 and found == pytest.approx(expected, rel=1e-6)


# Transitions


def test_transitions_of_two_classes():
    before, after = np.array([0, 0, 0, 1, 1, 0]), np.array([0, 1, 1, 1, 0, 1])
    table = transition_counts(before, after, 2)
    assert table.tolist() == [[1, 3], [1, 1]]
    assert equal_margins(table) == pytest.approx(stats.binomtest(1, 4).pvalue)
    assert equal_margins(np.array([[900, 3], [40, 57]])) == pytest.approx(
        stats.binomtest(3, 43).pvalue
    )
    assert equal_margins(np.diag([5, 2])) == 1


def test_transitions_of_more_classes_are_stuart_maxwell():
    from statsmodels.stats.contingency_tables import SquareTable

    table = np.array([[40, 9, 3, 5], [6, 50, 8, 2], [4, 12, 30, 7], [1, 3, 9, 20]])
    expected = SquareTable(table, shift_zeros=False).homogeneity("stuart_maxwell").pvalue
    assert 0.1 < expected < 0.9
    assert equal_margins(table) == pytest.approx(expected, rel=1e-9)
    wide = np.zeros((6, 6), dtype=int)
    wide[:4, :4], wide[4, 4] = table, 30  # class 4 never changes, class 5 does not occur
    assert equal_margins(wide) == pytest.approx(expected, rel=1e-9)
    assert equal_margins(np.diag([3, 4, 5])) == 1


# Controls


def test_a_mix_is_the_largest_exact_one():
    assert mix_counts(np.array([126, 14]), np.array([27, 27])).tolist() == [27, 3]
    assert mix_counts(np.array([84, 56]), np.array([27, 27])).tolist() == [27, 18]
    assert mix_counts(np.array([140, 0]), np.array([27, 27])).tolist() == [27, 0]
    natural = mix_counts(np.array([104_977, 75_023]), np.array([2500, 2500]))
    assert natural.tolist() == [2500, 1786]  # 58.32 % to 41.68 % within half an image


@given(st.lists(st.integers(0, 300), min_size=2, max_size=4).filter(any), st.integers(1, 400))
def test_a_mix_never_needs_more_than_there_is(counts, available):
    counts = np.array(counts)
    mix = mix_counts(counts, np.full(len(counts), available))
    assert (mix <= available).all() and (mix[counts == 0] == 0).all() and mix.sum() > 0
    assert np.abs(mix - mix.max() * counts / counts.max()).max() < 1


def test_a_mix_is_drawn_by_its_key():
    labels = np.repeat([0, 1], 50)
    drawn = [draw_mix(labels, np.array([9, 1]), ["a", "b"], key) for key in ("x", "x", "y")]
    assert np.bincount(labels[drawn[0]]).tolist() == [9, 1] and len(set(drawn[0])) == 10
    assert np.array_equal(drawn[0], drawn[1]) and not np.array_equal(drawn[0], drawn[2])


# Rows


def made_up_study(
    classes, seeds=3, n=400, samplers=("ddim-4",), architectures=("depth2", "depth3", "depth4")
):
    """Runs whose odds are those of training to the power 1 + 0.2 (depth - 2)."""
    rng = np.random.default_rng(0)
    k = len(classes)
    confusion = np.rint(200 * (0.985 * np.eye(k) + 0.015 / k)).astype(int)
    ratios = [np.array(p) / 100 for p in ([80, 15, 5], [50, 30, 20])]
    runs = []
    for trained in ratios:
        trained = trained[:k] / trained[:k].sum()
        for architecture in architectures:
            for seed in range(seeds):
                depth = get_architecture(architecture).depth or 2
                p = trained ** (1 + 0.2 * (depth - 2)) * np.exp(0.1 * rng.normal(size=k))
                labels = rng.choice(k, n, p=p / p.sum())
                for sampler in samplers:
                    ratio = "-".join(f"{100 * share:.0f}" for share in trained)
                    decided = rng.random(n) < 0.95
                    runs.append(
                        Classified(
                            Run("s", ratio, architecture, str(seed), sampler),
                            trained,
                            labels,
                            decided,
                            rng.random(n) < np.array([0.8, 0.7, 0.6])[labels],
                            noise_of([7], n),
                        )
                    )
    return runs, Instrument(classes, confusion, 300)


def acceptance_of(instrument, rate=0.95, images=60):
    """A manifold that accepts as many real images of every class."""
    classes = len(instrument.classes)
    rates, images = np.full(classes, rate), np.full(classes, images)
    return Acceptance(instrument.classes, rates, images, instrument.draws)


def table_of(runs, instrument, acceptance=None, effective=None):
    acceptance = acceptance or acceptance_of(instrument)
    frame = pd.DataFrame(bias_rows(runs, instrument, acceptance, effective or {}))
    return frame.set_index(
        ["ratio", "architecture", "seed", "sampler", "metric", "class"]
    ).sort_index()


NUMBERS = ["value", "lower", "upper", "n"]


def test_rows_of_a_study_with_three_classes():
    classes = ["six", "nine", "three"]
    table = table_of(*made_up_study(classes))
    assert table.index.is_unique
    shares = table.xs("share_corrected", level="metric")
    assert (
        shares.groupby(["ratio", "architecture", "seed", "sampler"])["value"].sum() - 1
    ).abs().max() < 1e-9
    inside = table.dropna(subset="lower")
    assert (inside["lower"] <= inside["value"]).all() and (inside["value"] <= inside["upper"]).all()
    for seed in ("1", "all"):
        rows = table.loc["80-15-5", "depth4", seed, "ddim-4"]["value"]
        share, trained = rows["share_corrected"], rows["share_train"]
        assert rows["recall"].to_numpy() == pytest.approx((share / trained).to_numpy())
        if seed == "1":
            expected = logit(share) - logit(trained)
            assert rows["log_odds_shift"].to_numpy() == pytest.approx(expected.to_numpy())
    shift = table.loc["80-15-5", "depth4", "all", "ddim-4", "log_odds_shift"]["value"]
    recall = table.loc["80-15-5", "depth4", "all", "ddim-4", "recall"]["value"]
    assert shift["six"] > 0 > shift["three"] and recall["six"] > 1 > recall["three"]
    trend = table.loc["80-15-5", "published", "all", "ddim-4", "log_odds_shift_per_depth"]
    assert trend.loc["six", "lower"] > 0 and trend.loc["six", "n"] == 9
    moves = table.loc["80-15-5", "depth3", "0", "ddim-4", "transition"]["value"]
    assert len(moves) == 9 and moves.sum() == pytest.approx(1)
    assert ("80-15-5", "depth2", "0", "ddim-4", "transition", "six->six") not in table.index


def test_kappa_of_a_study_with_two_classes():
    runs, _ = made_up_study(["six", "nine"], n=20_000)
    table = table_of(runs, Instrument(["six", "nine"], np.diag([5000, 5000]), 300))
    for architecture, exponent in (("depth2", 1.0), ("depth3", 1.2), ("depth4", 1.4)):
        row = table.loc["all", architecture, "all", "ddim-4", "kappa", "nine"]
        assert row["lower"] < exponent < row["upper"]
        assert row["value"] == pytest.approx(exponent, abs=0.15)
        row = table.loc["all", architecture, "all", "ddim-4", "kappa_intercept", "nine"]
        assert row["lower"] < 0 < row["upper"]
    row = table.loc["all", "published", "all", "ddim-4", "kappa_per_depth", "nine"]
    assert row["lower"] < 0.2 < row["upper"] and row["runs"] == row["n"] == 9
    # of two classes both have the same kappa: one row
    assert set(table.xs("kappa", level="metric").index.get_level_values("class")) == {"nine"}


def permuted(runs, instrument, order, rng):
    """The same study with the classes in another order, and the runs and images shuffled."""
    place = np.argsort(order)
    shuffled = []
    images = rng.permutation(len(runs[0].labels))
    for run in (runs[i] for i in rng.permutation(len(runs))):
        new = dict(vars(run), trained=run.trained[order], labels=place[run.labels][images])
        new |= {name: getattr(run, name)[images] for name in ("decided", "accepted", "noise")}
        shuffled.append(Classified(**new))
    classes = [instrument.classes[k] for k in order]
    confusion = instrument.confusion[np.ix_(order, order)]
    return shuffled, Instrument(classes, confusion, instrument.draws)


@pytest.mark.parametrize("order", [[1, 0], [2, 0, 1]])
def test_order_of_classes_runs_and_images_changes_no_estimate(order):
    runs, instrument = made_up_study(["six", "nine", "three"][: len(order)])
    first = table_of(runs, instrument)
    second = table_of(*permuted(runs, instrument, order, np.random.default_rng(1)))
    if len(order) == 2:  # the log-odds of one class only are reported: of the second
        first = first[first.index.isin(second.index)]
    second = second.loc[first.index]
    assert len(first) > 100
    for name in NUMBERS:
        assert second[name].to_numpy() == pytest.approx(
            first[name].to_numpy(), abs=1e-9, nan_ok=True
        )


def test_what_is_measured_beside_a_run_changes_none_of_its_rows():
    runs, instrument = made_up_study(["six", "nine"])
    alone = table_of(runs[:1], instrument)
    beside = table_of(runs, instrument).loc[
        alone.index[alone.index.get_level_values("seed") != "all"]
    ]
    assert np.array_equal(alone.loc[beside.index, NUMBERS], beside[NUMBERS], equal_nan=True)


def test_samplers_are_compared_model_by_model():
    runs, instrument = made_up_study(["six", "nine"], samplers=("ddim-4", "heun-4"), n=2000)
    pushed = [
        run
        if run.run.sampler == "ddim-4"
        else Classified(**dict(vars(run), labels=np.where(run.noise[:, 1] < 100, 0, run.labels)))
        for run in runs
    ]
    table = table_of(pushed, instrument)
    rows = table.xs("log_odds_sampler_difference", level="metric")
    assert set(rows.index.get_level_values("sampler")) == {"heun-4"}
    assert set(rows.index.get_level_values("seed")) == {"all"}
    for ratio, architecture in {(run.run.ratio, run.run.architecture) for run in runs}:
        values = [
            table.loc[ratio, architecture, "all", sampler, "log_odds_shift", "nine"]["value"]
            for sampler in ("heun-4", "ddim-4")
        ]
        row = rows.loc[ratio, architecture, "all", "heun-4", "nine"]
        # the shift is that of the mean share, the difference is the mean over seeds
        assert row["value"] == pytest.approx(values[0] - values[1], abs=0.03) and row["value"] < 0


def test_series_have_their_own_reference_and_trend():
    architectures = ("depth2", "depth2-large", "depth3", "depth3-const", "depth4-const")
    architectures += ("dit-small",)  # it has no depth
    table = table_of(*made_up_study(["six", "nine"], architectures=architectures))
    trends = table.xs("log_odds_shift_per_depth", level="metric")
    assert set(trends.index.get_level_values("architecture")) == {"published", "constant-width"}
    moved = table.xs("transition_p", level="metric").index.get_level_values("architecture")
    assert set(moved) == {"depth3", "depth4-const"}


def test_other_noise_is_refused():
    runs, instrument = made_up_study(["six", "nine"])
    runs[3] = Classified(**dict(vars(runs[3]), noise=noise_of([8], 400)))
    with pytest.raises(UserError, match="same noise"):
        table_of(runs, instrument)


def test_shares_of_a_run_without_a_decided_image():
    runs, instrument = made_up_study(["six", "nine"])
    runs = [Classified(**dict(vars(run), decided=np.zeros(400, dtype=bool))) for run in runs]
    table = table_of(runs, instrument)
    assert table.xs("share_decided", level="metric")["value"].isna().all()
    assert (table.xs("undecidable_share", level="metric")["value"] == 1).all()


def test_arms_of_a_study():
    runs, instrument = made_up_study(["six", "nine"])
    table = table_of(runs, instrument)
    row = table.loc["84-16", "depth2", "0", "ddim-4"]
    run = next(r for r in runs if r.run == Run("s", "84-16", "depth2", "0", "ddim-4"))
    sure = run.decided & run.accepted
    assert row.loc["failed_share", ""]["value"] == pytest.approx((~sure).mean())
    least = (sure & (run.labels == 1)).mean()
    assert row.loc["share_least", "nine"]["value"] == pytest.approx(least)
    assert row.loc["share_most", "nine"]["value"] == pytest.approx(least + (~sure).mean())
    shift = logit(least) - logit(run.trained[1])
    assert row.loc["log_odds_shift_least", "nine"]["value"] == pytest.approx(shift)
    assert (table["lower"].isna() | (table["lower"] <= table["value"])).all()
    # fewer nines than sixes are accepted
    row = table.loc["84-16", "depth3", "all", "ddim-4"]
    shares = [row.loc[metric, "nine"]["value"] for metric in ("share_manifold", "share_corrected")]
    assert shares[0] < shares[1]
    for arm in ARMS:
        kappa_row = table.loc["all", "depth4", "all", "ddim-4", in_arm("kappa", arm), "nine"]
        assert kappa_row["lower"] < kappa_row["value"] < kappa_row["upper"]


def test_the_control_returns_the_true_ratio():
    """Over 40 mixes; the classifier errs as often as it was measured to."""
    rng = np.random.default_rng(3)
    truth = np.repeat([0, 1], 300)
    found = np.where(rng.random(600) < 0.02, 1 - truth, truth)
    instrument = Instrument(["six", "nine"], np.array([[294, 6], [6, 294]]), 400)
    labels = np.repeat([0, 1], [900, 100])
    subsets = [
        Subset(Path("x"), "90-10", str(seed), ("six", "nine"), np.arange(1000), labels)
        for seed in range(40)
    ]
    rows = pd.DataFrame(control_rows("s", truth, found, subsets, instrument))
    assert set(rows["architecture"]) == {"real"} and set(rows["sampler"]) == {""}
    true = rows[rows["metric"] == "share_control"].set_index(["seed", "class"])["value"]
    assert true.unique().tolist() == [0.9, 0.1]
    corrected = rows[rows["metric"] == "share_corrected"].set_index(["seed", "class"])
    assert ((corrected["lower"] <= true) & (true <= corrected["upper"])).mean() > 0.9


# Scripts


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Files of two U-Nets, two ratios and two seeds, as the other rules write them."""
    folder = tmp_path_factory.mktemp("study")
    rng = np.random.default_rng(0)
    classes = ["six", "nine"]
    write_json(folder / "meta.json", {"classes": classes, "confusion": [[99, 1], [1, 99]]})
    labels = np.repeat([0, 1], 100)
    depths = {"depth2": 2, "depth3": 2.5}
    keys = {"study": "s", "ratio": "90-10", "seed": "0", "metric": "effective_depth"}
    rows = [keys | {"architecture": name, "value": depth} for name, depth in depths.items()]
    write_rows(folder / "denoising.csv", rows)
    control = {"probabilities": np.eye(2, dtype=np.float32)[labels], "labels": labels}
    write_npz(folder / "control.npz", control)
    runs = []
    for ratio, share in (("90-10", 0.9), ("60-40", 0.6)):
        for seed in (0, 1):
            own = [0] * round(100 * share) + [1] * round(100 * (1 - share))
            subset = {"ratio": ratio, "seed": seed, "classes": classes}
            subset |= {"labels": own, "indices": list(range(100))}
            write_json(folder / f"subset-{ratio}-{seed}.json", subset)
            for architecture in ("depth2", "depth3"):
                top = np.where(rng.random(60) < 0.1, 0.6, 0.99)
                probabilities = np.stack([top, 1 - top], axis=1)
                probabilities[rng.random(60) > share] = [0.01, 0.99]
                run = {
                    "study": "s",
                    "ratio": ratio,
                    "architecture": architecture,
                    "seed": str(seed),
                }
                archive = {
                    "probabilities": probabilities.astype(np.float32),
                    "classes": np.array(classes),
                    "noise": noise_of([0], 60),
                    "run": json.dumps(run | {"sampler": "ddim-4"}),
                }
                write_npz(folder / f"classes-{ratio}-{architecture}-{seed}.npz", archive)
                runs.append(Run(**run, sampler="ddim-4"))
    write_manifold(folder / "manifold.npz", made_up_manifold(runs, rng))
    return folder


def made_up_manifold(runs, rng, acceptance=(0.9, 1.0), noises=60):
    """Four images in five of every run are accepted."""
    accepted = rng.random((len(runs), noises)) < 0.8
    rates, images = np.array(acceptance), np.full(2, 50)
    noise = noise_of([0], noises)
    return Manifold(tuple(runs), noise, accepted, rates, images, 5, "pixels", ("six", "nine"))


def measured(study, output, subsets=None, classes=None, name="s", manifold=None):
    return script(
        *("measure_bias", "--meta", study / "meta.json", "--control", study / "control.npz"),
        *("--subsets", *(subsets or sorted(study.glob("subset-*")))),
        *("--classes", *(classes or sorted(study.glob("classes-*")))),
        *("--manifold", manifold or study / "manifold.npz"),
        *("--denoising", study / "denoising.csv"),
        *("--study", name, "--decidable", 0.9, "--bootstrap", 200, "--output", output),
    )


def test_measure_and_summarize(study, tmp_path):
    done = measured(study, tmp_path / "bias.csv")
    assert done.returncode == 0, done.stderr
    again = measured(
        study, tmp_path / "again.csv", classes=sorted(study.glob("classes-*"), reverse=True)
    )
    assert again.returncode == 0, again.stderr
    for source, target in (("bias", "summary"), ("again", "other")):
        done = script(
            "summarize",
            "--parts",
            tmp_path / f"{source}.csv",
            "--output",
            tmp_path / f"{target}.csv",
        )
        assert done.returncode == 0, done.stderr
    table = read_rows(tmp_path / "summary.csv")
    of_arms = {"log_odds_shift", "kappa", "kappa_intercept", "kappa_per_depth"}
    of_arms |= {"log_odds_shift_per_depth", "kappa_intercept_per_depth"}
    assert set(table["metric"]) == {
        *("share_train", "share_raw", "share_control", "recall", "transition", "transition_p"),
        *("undecidable_share", "failed_share"),
        *(arm.share for arm in ARMS.values()),
        *(in_arm(metric, arm) for metric in of_arms for arm in ARMS),
        *(in_arm(f"{name}_per_effective_depth", arm) for name in SLOPES for arm in ARMS),
    }
    assert table["class"].unique()[:2].tolist() == ["six", "nine"]  # not alphabetical
    other = read_rows(tmp_path / "other.csv").set_index(KEYS).reindex(table.set_index(KEYS).index)
    assert np.allclose(table[NUMBERS], other[NUMBERS], atol=1e-9, equal_nan=True)
    assert (table.groupby(KEYS, dropna=False).size() == 1).all()


SLOPES = ("log_odds_shift", "kappa", "kappa_intercept")


def test_trends_on_effective_depth_are_those_on_depth_where_all_stages_are_used():
    runs, instrument = made_up_study(["six", "nine"])
    table = table_of(runs, instrument, effective={f"depth{d}": float(d) for d in (2, 3, 4)})
    metrics = table.index.get_level_values("metric")
    for name in SLOPES:
        nominal = table[metrics == f"{name}_per_depth"]
        effective = table[metrics == f"{name}_per_effective_depth"]
        assert len(nominal) == len(effective) > 0
        assert np.allclose(nominal[NUMBERS], effective[NUMBERS], rtol=1e-9)


def test_trends_are_steeper_on_effective_depths_that_lie_nearer():
    """Depths 2, 3, 4 that work as 2, 2.5, 3: every slope and limit is twice as large."""
    runs, instrument = made_up_study(["six", "nine"])
    table = table_of(runs, instrument, effective={"depth2": 2, "depth3": 2.5, "depth4": 3})
    metrics = table.index.get_level_values("metric")
    for name in SLOPES:
        ends = ["value", "lower", "upper"]
        nominal = table.loc[metrics == f"{name}_per_depth", ends].to_numpy()
        effective = table.loc[metrics == f"{name}_per_effective_depth", ends].to_numpy()
        assert np.allclose(2 * nominal, effective, rtol=1e-6)


@pytest.mark.parametrize("effective", [{}, {"depth2": 2, "depth3": 2, "depth4": 2}])
def test_equal_or_unknown_effective_depths_have_no_trend(effective):
    runs, instrument = made_up_study(["six", "nine"])
    metrics = table_of(runs, instrument, effective=effective).index.get_level_values("metric")
    assert not metrics.str.contains("effective").any() and metrics.str.contains("per_depth").any()


def test_measuring_imports_no_torch():
    code = "import runpy, sys; runpy.run_path(sys.argv[1]); print('torch' in sys.modules)"
    for name in ("measure_bias", "summarize"):
        command = [sys.executable, "-c", code, str(SCRIPTS / f"{name}.py")]
        assert subprocess.check_output(command, text=True) == "False\n"


def one_error(done, *words):
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("error: "), done.stderr
    assert all(word in done.stderr for word in words), done.stderr


def test_bad_input_of_measure_bias(study, tmp_path):
    output, rng = tmp_path / "bias.csv", np.random.default_rng(1)
    output.write_text("what was there")
    runs = sorted(study.glob("classes-*"))
    one_error(measured(study, output, classes=[runs[0], runs[0]]), "classes-60-40-depth2-0", "once")
    one_error(measured(study, output, name="mnist"), "study 's'")
    subsets = sorted(study.glob("subset-90-10-*"))
    one_error(measured(study, output, subsets=subsets), "no subset 60-40 of seed 0")
    damaged = tmp_path / "damaged.npz"
    damaged.write_bytes(runs[0].read_bytes()[:300])
    one_error(measured(study, output, classes=[damaged]), "damaged.npz")
    other = tmp_path / "manifold.npz"
    write_manifold(other, made_up_manifold([Run("s", "90-10", "depth9", "0")], rng))
    one_error(measured(study, output, manifold=other), "manifold.npz", "depth9")
    run = Run("s", "90-10", "depth2", "0", "ddim-4")
    write_manifold(other, made_up_manifold([run], rng))
    one_error(measured(study, output, manifold=other), "no run 60-40, depth2, seed 0, ddim-4")
    write_manifold(other, made_up_manifold([run], rng, noises=50))
    one_error(measured(study, output, manifold=other), "classes-60-40", "not from the noise of")
    write_manifold(other, made_up_manifold([run], rng, acceptance=(0.9, 0.0)))
    one_error(measured(study, output, manifold=other), "of class nine", "quality.manifold_k")
    assert output.read_text() == "what was there"


def test_the_same_part_twice(study, tmp_path):
    assert measured(study, tmp_path / "bias.csv").returncode == 0
    parts = [tmp_path / "bias.csv"] * 2
    done = script("summarize", "--parts", *parts, "--output", tmp_path / "summary.csv")
    one_error(done, "two rows of the same measurement (s, ", "give every part once")
    assert not (tmp_path / "summary.csv").exists()
