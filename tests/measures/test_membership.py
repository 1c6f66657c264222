"""Attacks on membership: closed forms, second implementations, denoisers that leak or do not."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from depthbias.measures.membership import auc, chance_band, members_found, roc


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
    found = auc(members, others)
    truth = np.repeat([1, 0], [m, n])
    assert found.value == pytest.approx(value, abs=1e-12)
    assert found.value == pytest.approx(roc_auc_score(truth, np.concatenate([members, others])))
    assert found.n == m + n
    if 0 < value < 1:
        centre, reach = np.log(value / (1 - value)), 1.959964 * np.sqrt(variance)
        limits = centre + np.array([-1, 1]) * reach / (value * (1 - value))
        np.testing.assert_allclose(found[1:3], 1 / (1 + np.exp(-limits)), rtol=1e-6)


def test_delongs_error_is_that_of_the_bootstrap():
    members, others = scores(120, 90)
    rng = np.random.default_rng(1)
    values = [
        naive(members[rng.integers(0, 120, 120)], others[rng.integers(0, 90, 90)])[0]
        for _ in range(2000)
    ]
    assert np.sqrt(naive(members, others)[1]) == pytest.approx(np.std(values), rel=0.05)
    np.testing.assert_allclose(auc(members, others)[1:3], np.quantile(values, [0.025, 0.975]), 0.02)


@pytest.mark.parametrize("shift", [0.0, 1.0, 3.0])
def test_the_interval_covers_the_true_auc(shift):
    """Nominal 95 %; of 600 simulations with standard error 0.9 %."""
    truth = stats.norm.cdf(shift / np.hypot(1.3, 1))
    found = [auc(*scores(50, 40, shift, seed)) for seed in range(600)]
    covered = np.mean([one.lower <= truth <= one.upper for one in found])
    assert 0.92 < covered < 0.98


def test_full_separation_has_wilsons_interval_of_disjoint_pairs():
    found = auc(np.arange(10.0) + 100, np.arange(30.0))
    lower = stats.binomtest(10, 10).proportion_ci(method="wilson").low
    assert found == pytest.approx((1, lower, 1, 40))
    assert auc(np.arange(30.0), np.arange(10.0) + 100) == pytest.approx((0, 0, 1 - lower, 40))


def test_one_image_has_no_interval():
    assert np.isnan(auc(np.ones(1), np.arange(5.0)).value)


def test_the_curve_ends_at_the_corners_and_has_the_area():
    members, others = scores(60, 45)
    false, true = roc(members, others)
    assert (false[0], true[0], false[-1], true[-1]) == (0, 0, 1, 1)
    assert np.trapezoid(true, false) == pytest.approx(auc(members, others).value)


@pytest.mark.parametrize("n", [99, 100, 250, 1000])
def test_members_are_found_at_a_false_positive_share_of_one_percent(n):
    members, others = scores(80, n, shift=1.5)
    false, true = roc(members, others)
    expected = true[false <= 0.01 + 1e-12].max()
    assert members_found(members, others).mean() == pytest.approx(expected)


def test_identical_scores_are_found_as_often_as_others():
    same = np.random.default_rng(2).permutation(1000.0 * np.arange(1000))
    assert members_found(same, same).mean() == pytest.approx(0.01, abs=0.001)
    assert auc(same, same).value == 0.5


def test_chance_alone_stays_in_its_band():
    rng, m, n = np.random.default_rng(3), 70, 50
    false = np.array([1, 3, 10, 40]) / n
    lower, upper = chance_band(false, m, n)
    inside = []
    for _ in range(4000):
        members, others = rng.normal(size=m), np.sort(rng.normal(size=n))[::-1]
        true = (members[:, None] > others[np.round(false * n).astype(int) - 1]).mean(axis=0)
        inside.append((lower <= true) & (true <= upper))
    share = np.mean(inside, axis=0)
    assert (share > 0.945).all() and (share < 0.985).all()
