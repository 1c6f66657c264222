"""Energy landscapes: merging by hand and against simulation; the energy in closed form."""

import itertools

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import logit

from depthbias.diffusion.multi_delta_denoiser import DeltaDenoiser
from depthbias.estimates.tidy import tidy
from depthbias.system.errors import UserError
from depthbias.theory.energy import Energy, distinct
from depthbias.theory.landscape_rows import Discrete, Images, energy_rows, merging_rows
from depthbias.theory.merging import (
    merged_share,
    merged_shares,
    most_levels,
    powered_shares,
    predicted_kappa,
    simulate,
)


@pytest.mark.parametrize("group", [2, 3, 4, 5])
@pytest.mark.parametrize("p", [0.1, 0.4, 0.5])
def test_the_recursion_is_the_sum_over_all_groups(group, p):
    expected = 0.0
    for votes in itertools.product([0, 1], repeat=group):
        chance = np.prod([p if vote else 1 - p for vote in votes])
        expected += chance * (1 + np.sign(2 * sum(votes) - group)) / 2
    assert merged_share(p, group) == pytest.approx(expected, rel=1e-12)


def test_pairs_change_nothing_and_fours_are_threes():
    shares = np.linspace(0.01, 0.99, 9)
    np.testing.assert_allclose(merged_share(shares, 2), shares)
    np.testing.assert_allclose(merged_share(shares, 3), 3 * shares**2 - 2 * shares**3)
    np.testing.assert_allclose(merged_share(shares, 4), merged_share(shares, 3))


def test_levels_compose():
    whole = merged_shares(0.3, 3, 4)
    assert whole[0] == 0.3 and len(whole) == 5
    np.testing.assert_allclose(whole[2:], merged_shares(float(whole[2]), 3, 2))


def test_theorem_two_is_a_power_of_the_odds_and_another_law():
    shares = powered_shares(0.4, 3, 2)
    odds = 0.4 / 0.6
    np.testing.assert_allclose(shares / (1 - shares), [odds, odds**3, odds**9])
    assert abs(shares[1] - merged_share(0.4, 3)) > 0.1


@pytest.mark.parametrize("group", [2, 3, 4, 5])
def test_the_simulation_holds_the_recursion_in_its_interval(group):
    inside = []
    for seed in range(40):
        levels = simulate(0.3, group, 3, 50, np.random.default_rng(seed))
        exact = merged_shares(0.3, group, 3)
        assert [share.n for share in levels] == [50 * group**k for k in (3, 2, 1, 0)]
        inside += [s.lower <= p <= s.upper for s, p in zip(levels, exact, strict=True)]
    assert np.mean(inside) > 0.9


def test_minima_merge_until_one_is_left():
    assert [most_levels(729, group) for group in (2, 3, 4, 5)] == [9, 6, 4, 4]
    assert most_levels(2, 3) == 0
    with pytest.raises(UserError, match="groups of 1: minima merge in groups of 2 or more"):
        most_levels(10, 1)


def test_kappa_of_a_power_is_the_power_and_of_threes_three_halves_near_a_half():
    before = [0.1, 0.2, 0.4]
    after = [powered_shares(p, 5, 1)[1] for p in before]
    assert predicted_kappa(before, after) == pytest.approx(5)
    near = [0.499, 0.501]
    assert predicted_kappa(near, list(merged_share(np.array(near), 3))) == pytest.approx(1.5, 1e-4)
    assert np.isnan(predicted_kappa([0.1, 0.2], [0.0, 0.1]))
    assert np.isnan(predicted_kappa([0.1, 0.1], [0.2, 0.2]))


def test_rows_of_merging_name_both_laws():
    discrete = Discrete(["90-10", "60-40"], [3], minima=30, landscapes=20, seed=0)
    rows = tidy(merging_rows(discrete)).set_index(["metric", "ratio", "k"])
    assert rows.loc[("landscape_share:recursion", "90-10", 1)].value == pytest.approx(0.028)
    power = rows.loc[("landscape_share:odds-power", "90-10", 1)].value
    assert logit(power) == pytest.approx(3 * logit(0.1))
    simulated = rows.loc[("landscape_share:simulated", "60-40", 0)]
    assert simulated.n == 20 * 27 and simulated.lower < 0.4 < simulated.upper
    kappa = rows.reset_index(level="ratio", drop=True)
    assert kappa.loc[("landscape_kappa:odds-power", 2)].value == pytest.approx(9)
    expected = (logit(0.352) - logit(0.028)) / (logit(0.4) - logit(0.1))
    assert kappa.loc[("landscape_kappa:recursion", 1)].value == pytest.approx(expected)
    assert set(rows["class"]) == {"3"} and kappa.loc["landscape_kappa:recursion"].index.max() == 3


def points(count, size, seed=0):
    return torch.randn(
        count, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )


def test_the_gradient_is_that_of_the_multi_delta_and_of_the_energy():
    energy, x = Energy(points(9, 4)), points(5, 4, 1)
    denoiser = DeltaDenoiser(energy.points.view(9, 1, 2, 2))
    for s in (0.3, 1.0, 4.0):
        expected = x - denoiser(x.view(5, 1, 2, 2), s).view(5, 4)
        torch.testing.assert_close(energy.gradient(x, s), expected)
        here = x.clone().requires_grad_(True)
        (slope,) = torch.autograd.grad(energy.value(here, s).sum(), here)
        torch.testing.assert_close(energy.gradient(x, s), slope)


def test_the_curvature_is_the_norm_of_the_hessian():
    energy, x = Energy(points(9, 3)), points(2, 3, 1)
    hessians = [
        torch.autograd.functional.jacobian(lambda p: energy.gradient(p[None], 0.6)[0], place)
        for place in x
    ]
    expected = [torch.linalg.matrix_norm(hessian, 2) for hessian in hessians]
    torch.testing.assert_close(energy.curvature(x, 0.6), torch.stack(expected))


@pytest.mark.parametrize(("s", "minima"), [(1.96, 2), (2.04, 1)])
def test_two_equal_minima_2a_apart_merge_at_s_equal_to_a(s, minima):
    energy = Energy(torch.tensor([[-2.0, 1.0], [2.0, 1.0]]))
    places, owners = distinct(energy.descend(energy.points, s), s)
    assert len(places) == minima and len(set(owners.tolist())) == minima


def test_the_curvature_halfway_is_known_and_its_sign_changes_at_s_equal_to_a():
    energy = Energy(torch.tensor([[-2.0], [2.0]]))
    middle = torch.zeros(1, 1, dtype=torch.float64)
    for s in (0.5, 1.0, 2.0, 5.0):
        assert float(energy.curvature(middle, s)) == pytest.approx(abs(1 - 4 / s**2))
    aside = torch.tensor([[-0.1], [0.1]], dtype=torch.float64)
    inwards = [float(energy.gradient(aside, s)[1]) > 0 for s in (1.96, 2.04)]
    assert inwards == [False, True]


def test_descent_never_raises_the_energy():
    energy, x = Energy(points(12, 3)), points(20, 3, 1)
    for s in (0.2, 0.8):
        end = energy.descend(x, s)
        assert (energy.value(end, s) <= energy.value(x, s)).all()
        assert energy.gradient(end, s).norm(dim=1).max() < 1e-8


def test_near_places_are_one_minimum():
    places, owners = distinct(torch.tensor([[0.0], [5.0], [0.004], [5.004]]), 1.0)
    assert places[:, 0].tolist() == [0.0, 5.0] and owners.tolist() == [0, 1, 0, 1]


def measured(levels):
    """Rows of two sets: three points in a heap and one far from them; with 2 and with 3 there."""
    heap = torch.tensor([[0.0, 0], [0.2, 0], [0, 0.2]])
    far = torch.tensor([[6.0, 0], [6, 0.3], [6.3, 0]])
    sets = [
        Images("60-40", torch.cat([heap, far[:2]]), torch.arange(5) >= 3),
        Images("50-50", torch.cat([heap, far]), torch.arange(6) >= 3),
    ]
    return (
        tidy(energy_rows(sets, levels, 0))
        .set_index(["metric", "ratio", "sigma"])
        .value.sort_index()
    )


def test_rows_of_energy_follow_minima_of_both_classes():
    rows = measured([0.02, 1.0, 10.0])
    minima = rows["energy_minima", "60-40"]
    assert minima.tolist() == [5, 2, 1]
    assert rows["energy_minority_minima", "60-40"].tolist() == [0.4, 0.5, 0.0]
    assert rows["energy_minority_basins", "60-40"].tolist() == [0.4, 0.4, 0.0]
    for metric in ("energy_hessian", "energy_lipschitz"):
        falling = rows[metric, "60-40"].to_numpy()
        assert (np.diff(falling) <= 1e-9).all() and falling[-1] == pytest.approx(1, abs=0.2)
    hessian, lipschitz = (rows[f"energy_{name}", "60-40"] for name in ("hessian", "lipschitz"))
    assert (lipschitz <= hessian * (1 + 1e-9)).all() and lipschitz.iloc[0] > 0.5 * hessian.iloc[0]


def test_kappa_of_basins_is_one_while_nothing_merges_across_classes():
    kappa = measured([0.02, 1.0, 10.0])["energy_kappa"]
    assert kappa.loc[:, [0.02, 1.0]].tolist() == pytest.approx([1, 1]) and len(kappa) == 2


@pytest.mark.parametrize(
    ("levels", "words"),
    [([1.0, 0.5], "must increase"), ([0.0, 1.0], "positive"), ([1.0, 1.0], "must increase")],
)
def test_levels_that_do_not_increase_are_refused_in_one_line(levels, words):
    with pytest.raises(UserError, match=words) as error:
        list(energy_rows([], levels, 0))
    assert "\n" not in str(error.value)


def test_copies_of_a_point_are_one_minimum_and_no_pair():
    twice = Images("50-50", torch.tensor([[0.0], [0.0], [3.0]]), torch.tensor([False, True, True]))
    rows = pd.DataFrame(energy_rows([twice], [0.5], 0)).set_index("metric").value
    assert rows["energy_minima"] == 2 and np.isfinite(rows["energy_lipschitz"])
