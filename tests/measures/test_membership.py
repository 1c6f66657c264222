"""Attacks on membership: closed forms, second implementations, coverage of the intervals."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score

from depthbias.measures.membership import (
    Side,
    at_shares,
    auc,
    chance_band,
    placements,
    roc,
    side,
    true_positives,
)

HALF = np.array([0.5, 0.5])


def plain(m, n):
    """Sides of one class."""
    return side(np.zeros(m, dtype=int), np.ones(1)), side(np.zeros(n, dtype=int), np.ones(1))


def mixed(m, n, proportions=(0.9, 0.1)):
    """Sides of two classes, half of the images each."""
    return tuple(side(np.arange(count) % 2, np.array(proportions)) for count in (m, n))


def scores(m, n, shift=0.7, seed=0, digits=None):
    rng = np.random.default_rng(seed)
    members, others = rng.normal(shift, 1.3, m), rng.normal(size=n)
    return (members, others) if digits is None else (members.round(digits), others.round(digits))


def naive(members, others):
    """(AUC, its variance) by DeLong's sums over all m n pairs."""
    wins = (members[:, None] > others) + 0.5 * (members[:, None] == others)
    above, below = wins.mean(axis=1), wins.mean(axis=0)
    variance = ((above - wins.mean()) ** 2).sum() / (len(above) - 1) / len(above)
    variance += ((below - wins.mean()) ** 2).sum() / (len(below) - 1) / len(below)
    return wins.mean(), variance


@pytest.mark.parametrize("digits", [None, 0, 1])
@pytest.mark.parametrize(("m", "n"), [(37, 21), (2, 2), (5, 400)])
def test_auc_and_interval_are_those_of_all_pairs(m, n, digits):
    members, others = scores(m, n, digits=digits)
    value, variance = naive(members, others)
    found = auc(members, others, plain(m, n))
    truth = np.repeat([1, 0], [m, n])
    assert found.value == pytest.approx(value, abs=1e-12)
    assert found.value == pytest.approx(roc_auc_score(truth, np.concatenate([members, others])))
    assert found.n == m + n
    if 0 < value < 1:
        centre, reach = np.log(value / (1 - value)), 1.959964 * np.sqrt(variance)
        limits = centre + np.array([-1, 1]) * reach / (value * (1 - value))
        np.testing.assert_allclose(found[1:3], 1 / (1 + np.exp(-limits)), rtol=1e-6)


def test_with_classes_auc_is_the_mix_of_pairs_of_classes():
    members, others = scores(40, 30)
    sides = mixed(40, 30)
    expected = 0.0
    for a, p in enumerate((0.9, 0.1)):
        for b, q in enumerate((0.9, 0.1)):
            expected += p * q * naive(members[a::2], others[b::2])[0]
    found = auc(members, others, sides)
    weights = np.concatenate([one.weights for one in sides])
    truth = np.repeat([1, 0], [40, 30])
    both = np.concatenate([members, others])
    assert found.value == pytest.approx(expected)
    assert found.value == pytest.approx(roc_auc_score(truth, both, sample_weight=weights))


@pytest.mark.parametrize("shift", [0.0, 0.5, 1.0, 2.0])
def test_auc_of_shifted_gaussians_has_its_closed_form(shift):
    """Phi(d / sqrt 2); 20,000 images a side, standard error at most .003."""
    rng = np.random.default_rng(1)
    members, others = rng.normal(shift, 1, 20_000), rng.normal(size=20_000)
    found = auc(members, others, plain(20_000, 20_000))
    assert found.value == pytest.approx(stats.norm.cdf(shift / np.sqrt(2)), abs=0.01)
    true = true_positives(members, others, plain(20_000, 20_000))
    assert true.value == pytest.approx(stats.norm.sf(stats.norm.isf(0.01) - shift), abs=0.03)


def by_class(m, n, rng, shift):
    """Scores of two classes of unlike means and spreads; of members all `shift` higher."""
    odd = np.arange(max(m, n)) % 2
    draw = [odd[:count] * 0.8 + (1 + odd[:count]) * rng.normal(size=count) for count in (m, n)]
    return draw[0] + shift, draw[1]


def test_delongs_error_is_that_of_the_bootstrap_by_class():
    rng, sides = np.random.default_rng(1), mixed(120, 90)
    members, others = by_class(120, 90, rng, 0.7)

    def again(count):
        rows = np.arange(count)
        for label in (0, 1):
            own = rows[label::2]
            rows[label::2] = rng.choice(own, len(own))
        return rows

    values = [
        sides[0].weights @ placements(members[i], others[j], sides)[0]
        for i, j in ((again(120), again(90)) for _ in range(2000))
    ]
    found = auc(members, others, sides)
    np.testing.assert_allclose(found[1:3], np.quantile(values, [0.025, 0.975]), rtol=0.02)


@pytest.mark.parametrize("shift", [0.0, 1.0, 3.0])
def test_the_interval_covers_the_true_auc(shift):
    """Nominal 95 %; of 600 simulations with standard error 0.9 %."""
    truth = stats.norm.cdf(shift / np.hypot(1.3, 1))
    found = [auc(*scores(50, 40, shift, seed), plain(50, 40)) for seed in range(600)]
    covered = np.mean([one.lower <= truth <= one.upper for one in found])
    assert 0.92 < covered < 0.98


@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_the_interval_of_a_mix_covers_the_true_auc(shift):
    rng, sides = np.random.default_rng(7), mixed(60, 60)
    truth = sum(
        p * q * stats.norm.cdf((0.8 * (a - b) + shift) / np.hypot(1 + a, 1 + b))
        for a, p in enumerate((0.9, 0.1))
        for b, q in enumerate((0.9, 0.1))
    )
    found = [auc(*by_class(60, 60, rng, shift), sides) for _ in range(600)]
    assert 0.92 < np.mean([one.lower <= truth <= one.upper for one in found]) < 0.98


def test_full_separation_has_wilsons_interval_of_disjoint_pairs():
    found = auc(np.arange(10.0) + 100, np.arange(30.0), plain(10, 30))
    lower = stats.binomtest(10, 10).proportion_ci(method="wilson").low
    assert found == pytest.approx((1, lower, 1, 40))
    found = auc(np.arange(30.0), np.arange(10.0) + 100, plain(30, 10))
    assert found == pytest.approx((0, 0, 1 - lower, 40))


def test_a_class_of_one_leaves_no_interval_and_warns_of_nothing():
    labels = np.array([0, 0, 0, 1])
    sides = side(labels, np.array([0.9, 0.1])), side(labels, np.array([0.9, 0.1]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = auc(np.array([1.0, 3, 5, 7]), np.array([0.0, 2, 4, 6]), sides)
    assert 0.5 < found.value < 1 and np.isnan([found.lower, found.upper]).all()
    two = Side(np.array([0, 0]), np.array([0.5, 0.5]))
    assert two.variance(np.array([1.0, 3.0])) == pytest.approx(1)  # of a mean: 2 over 2


@pytest.mark.parametrize("shift", [0.5, 3.0])
@pytest.mark.parametrize(("m", "n"), [(300, 2000), (80, 100)])
def test_the_interval_of_true_positives_is_made_of_order_statistics(shift, m, n):
    """Thresholds: the score that 1 %, and the ranks of its limits, exceed; Wilson's beside them."""
    members, others = scores(m, n, shift)
    descending = np.append(np.sort(others)[::-1], -np.inf)

    def above(rank):
        return 0.0 if rank < 0 else (members > descending[int(rank)]).mean()

    first, last = stats.binom.ppf([0.025, 0.975], n, 0.01)
    value, least, most = above(0.01 * n), above(first - 1), above(last)
    wilson = stats.binomtest(round(value * m), m).proportion_ci(method="wilson")
    found = true_positives(members, others, plain(m, n))
    assert found.value == pytest.approx(value) and found.n == m + n
    lower = value - np.hypot(value - wilson.low, value - least)
    upper = value + np.hypot(wilson.high - value, most - value)
    assert found.lower == pytest.approx(max(lower, 0), abs=1e-9)
    assert found.upper == pytest.approx(min(upper, 1), abs=1e-9)


def test_the_upper_limit_of_a_share_is_at_most_1():
    """18 of 20 members are above all; the other two as soon as the threshold may be lower."""
    members = np.repeat([200.0, 96.5], [18, 2])
    found = true_positives(members, np.arange(100.0), plain(20, 100))
    assert found[:1] + found[2:] == (pytest.approx(0.9), 1, 120)


def test_where_every_non_member_may_be_taken_every_member_is():
    members, others = scores(30, 40, -9)
    assert true_positives(members, others, plain(30, 40), 1.0).value == pytest.approx(1)


def test_curves_have_every_threshold():
    """Also those in the middle of a straight piece."""
    members, others = np.array([9.0, 8, 7]), np.array([3.0, 2, 1])
    false, true = roc(members, others, plain(3, 3))
    assert false.tolist() == pytest.approx([0, 0, 0, 0, 1 / 3, 2 / 3, 1])
    assert true.tolist() == pytest.approx([0, 1 / 3, 2 / 3, 1, 1, 1, 1])


def test_the_key_names_the_draws_of_the_chance_band(monkeypatch):
    monkeypatch.setattr("depthbias.measures.membership.BAND_DRAWS", 20)
    members, others = scores(12, 15)
    sides, shares = mixed(12, 15), np.array([0.1, 0.3])

    def band(*key):
        return np.array(chance_band(members, others, sides, shares, *key))

    np.testing.assert_array_equal(band("a"), band("a"))
    assert not np.array_equal(band("a"), band("b"))


def test_equal_scores_know_nothing():
    same, sides = np.ones(30), mixed(30, 30)
    assert auc(same, same, sides)[:3] == pytest.approx((0.5, 0.5, 0.5))
    assert true_positives(same, same, sides).value == 0


def test_a_class_of_one_image_has_no_interval():
    found = auc(*scores(3, 4), (side(np.array([0, 0, 1]), HALF), mixed(4, 4)[1]))
    assert np.isfinite(found.value) and np.isnan(found.lower) and np.isnan(found.upper)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6))
def test_the_order_of_images_and_the_scale_of_scores_do_not_matter(seed):
    rng = np.random.default_rng(seed)
    m, n = rng.integers(4, 40, 2)
    sides, (members, others) = mixed(m, n), scores(m, n, seed=seed, digits=1)
    rows = [rng.permutation(count) for count in (m, n)]
    moved = [Side(one.labels[row], one.weights[row]) for one, row in zip(sides, rows, strict=True)]
    for measure in (auc, true_positives):
        found = measure(np.exp(members)[rows[0]], np.exp(others)[rows[1]], tuple(moved))
        assert found == pytest.approx(measure(members, others, sides), abs=1e-9, nan_ok=True)


def test_weights_count_as_images_do():
    """A class of twice the images with half the weight each."""
    members, others = scores(20, 20)
    labels = np.arange(20) % 2
    one = side(labels, np.array([2 / 3, 1 / 3]))
    rows = np.concatenate([np.arange(20), np.arange(0, 20, 2)])
    other = side(labels[rows], np.array([2 / 3, 1 / 3]))
    assert other.weights == pytest.approx(1 / 30)
    for measure in (auc, true_positives):
        expected = measure(members[rows], others, (other, one)).value
        assert measure(members, others, (one, one)).value == pytest.approx(expected)


def test_the_curve_ends_at_the_corners_and_has_the_area():
    members, others = scores(60, 45)
    sides = mixed(60, 45)
    false, true = roc(members, others, sides)
    assert (false[0], true[0]) == (0, 0) and (false[-1], true[-1]) == pytest.approx((1, 1))
    assert np.trapezoid(true, false) == pytest.approx(auc(members, others, sides).value)


@pytest.mark.parametrize("n", [99, 100, 250, 1000])
@pytest.mark.parametrize("make", [plain, mixed])
def test_members_are_found_at_a_false_positive_share_of_one_percent(n, make):
    members, others = scores(80, n, shift=1.5)
    false, true = roc(members, others, make(80, n))
    expected = true[false <= 0.01 + 1e-12].max()
    assert true_positives(members, others, make(80, n)).value == pytest.approx(expected)
    assert at_shares((false, true), np.array([0.01, 1.0])) == pytest.approx([expected, 1])


@pytest.mark.parametrize(("m", "n"), [(54, 54), (100, 108), (200, 1000)])
@pytest.mark.parametrize("shift", [0.0, 2.0, 4.0])
def test_the_interval_covers_the_true_share_at_one_percent(m, n, shift):
    """At least 95 %, as the threshold is bounded whatever the distribution; error 1.3 %."""
    rng, truth = np.random.default_rng(3), stats.norm.sf(stats.norm.isf(0.01) - shift)
    found = [
        true_positives(rng.normal(shift, 1, m), rng.normal(size=n), plain(m, n)) for _ in range(300)
    ]
    assert np.mean([one.lower <= truth <= one.upper for one in found]) > 0.94


def test_the_interval_of_a_mix_covers_the_true_share_at_one_percent():
    rng, sides = np.random.default_rng(4), mixed(100, 400)

    def above(threshold, shift):
        """P(score > threshold) in the mix 90-10 of `by_class`."""
        return 0.9 * stats.norm.sf(threshold - shift) + 0.1 * stats.norm.sf(
            (threshold - shift - 0.8) / 2
        )

    grid = np.linspace(0, 10, 100_001)
    threshold = grid[np.argmin(np.abs(above(grid, 0) - 0.01))]
    found = [true_positives(*by_class(100, 400, rng, 1.5), sides) for _ in range(300)]
    truth = above(threshold, 1.5)
    assert np.mean([one.lower <= truth <= one.upper for one in found]) > 0.93


def test_few_non_members_do_not_bound_the_share_from_below():
    members, others = np.arange(500.0) + 1000, np.arange(400.0)
    assert true_positives(members, others[:367], plain(500, 367)).lower == 0
    assert true_positives(members, others[:368], plain(500, 368)).lower > 0.99


def test_chance_has_the_band_of_the_beta_binomial():
    """Members above the k-th highest of n non-members, m + n scores of one distribution."""
    m, n = 70, 50
    shares = np.array([1, 3, 10, 40]) / n
    members, others = scores(m, n, shift=0)
    lower, upper = chance_band(members, others, plain(m, n), shares, "test")
    for place, k in enumerate((1, 3, 10, 40)):  # the share of n is reached below the k + 1-th
        exact = stats.betabinom(m, k + 1, n - k)
        assert lower[place] == pytest.approx(exact.ppf(0.025) / m, abs=2.1 / m)
        assert upper[place] == pytest.approx(exact.ppf(0.975) / m, abs=4.1 / m)


def test_chance_alone_stays_in_the_band_of_a_mix():
    """Classes of unlike scores; 300 simulations, 95 % of which lie in the band of one of them."""
    rng, sides, shares = np.random.default_rng(3), mixed(60, 60), np.array([0.1, 0.3])
    band = chance_band(*by_class(60, 60, rng, 0), sides, shares, "test")
    drawn = [at_shares(roc(*by_class(60, 60, rng, 0), sides), shares) for _ in range(300)]
    inside = np.mean([(band[0] <= one) & (one <= band[1]) for one in drawn], axis=0)
    assert (inside > 0.88).all()
