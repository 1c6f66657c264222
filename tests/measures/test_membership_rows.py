"""Attacks on denoisers that leak or do not, and their rows."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import ndtri

from depthbias.diffusion.gaussian_denoiser import GaussianDenoiser
from depthbias.diffusion.multi_delta_denoiser import DeltaDenoiser
from depthbias.estimates.intervals import Estimate
from depthbias.estimates.runs import Run
from depthbias.measures.chosen_images import Chosen
from depthbias.measures.denoising import measure
from depthbias.measures.denoising_errors import DenoisingErrors
from depthbias.measures.membership import auc, placements
from depthbias.measures.membership_rows import (
    _draws_within,
    attacks_of,
    compared,
    found_of,
    membership_rows,
)

LEVELS = (0.05, 0.5, 5.0)
CLASSES = ("six", "nine")


def errors_of(denoiser, training, heldout):
    """The denoising errors of a denoiser on images of two classes."""
    parts = [
        Chosen(images, first + np.arange(len(images)), np.arange(len(images)) % 2)
        for images, first in ((training, 0), (heldout, 10**6))
    ]
    found = measure(denoiser, [], parts[1], parts[0], LEVELS, noise_seed=0, batch_size=512)
    return DenoisingErrors(
        run=Run("s", "90-10", "depth2", "0"),
        sigmas=np.array(LEVELS),
        noise_seed=0,
        heldout_labels=parts[1].labels,
        training_labels=parts[0].labels,
        heldout_rows=parts[1].rows,
        training_rows=parts[0].rows,
        constant_errors=np.ones(len(heldout)),
        classes=CLASSES,
        proportions=np.array([0.9, 0.1]),
        level_weights=np.ones(len(LEVELS)),
        **found,
    )


def images(count, seed, spread=1.0, size=2):
    random = torch.Generator().manual_seed(seed)
    return spread * torch.randn(count, 1, size, size, generator=random)


def values(errors):
    return {(one.metric, one.class_name, one.sigma): one.estimate for one in found_of(errors)}


def test_the_multi_delta_gives_every_member_away_at_low_noise():
    training, heldout = images(60, 0, size=4), images(50, 1, size=4)
    found = values(errors_of(DeltaDenoiser(training), training, heldout))
    for attack in ("loss", "sima"):
        for name in ("", *CLASSES):
            assert found[f"attack_auc:{attack}", name, 0.05].value == 1
            assert found[f"attack_tpr:{attack}", name, 0.05].value == pytest.approx(1)
    assert found["attack_auc:sima", "", 0.05].n == 110
    assert found["attack_auc:sima", "six", 0.05].n == 55


def test_a_gaussian_fitted_to_many_members_gives_none_away():
    """Standard error .009; 2,000 members of 4 pixels leave an advantage far below it."""
    training, heldout = images(2000, 0), images(2000, 1)
    errors = errors_of(GaussianDenoiser.fit(training), training, heldout)
    errors = DenoisingErrors(**vars(errors) | {"proportions": np.array([0.5, 0.5])})
    for (metric, name, _), found in values(errors).items():
        if metric.startswith("attack_auc") and not name:
            assert found.value == pytest.approx(0.5, abs=0.03)
            assert found.lower < 0.5 + 0.01 and found.upper > 0.5 - 0.01


def test_sima_of_a_gaussian_has_its_closed_form():
    """x - D(x; s) = U s^2 / (l + s^2) U^T (x - mu)."""
    training, heldout = images(50, 0), images(40, 1, spread=2.0)
    found = errors_of(GaussianDenoiser.fit(training), training, heldout)
    flat = training.flatten(1).double().numpy()
    variances, directions = np.linalg.eigh(np.cov(flat.T, bias=True))
    for place, sigma in enumerate(LEVELS):
        centred = (heldout.flatten(1).double().numpy() - flat.mean(axis=0)) @ directions
        expected = centred * sigma**2 / (variances + sigma**2)
        expected = np.sqrt((expected**2).mean(axis=1)) / sigma
        np.testing.assert_allclose(found.heldout_residuals[place], expected, rtol=1e-4)
        scores = attacks_of(found)[1].others[place]
        np.testing.assert_array_equal(scores, -found.heldout_residuals[place])


def made_up(architecture, seed, ratio="90-10", shift=0.3, heldout=0, m=60, n=80, study="s"):
    """Errors of a run whose members have lower ones by `shift`; heldout: of which images."""
    others = np.random.default_rng(heldout).gamma(4, 1, (len(LEVELS), n))
    members = np.random.default_rng([seed, 9]).gamma(4, 1, (len(LEVELS), m)) * (1 - shift)
    return DenoisingErrors(
        run=Run(study, ratio, architecture, str(seed)),
        sigmas=np.array(LEVELS),
        noise_seed=0,
        heldout_errors=others,
        training_errors=members,
        heldout_residuals=np.sqrt(others),
        training_residuals=np.sqrt(members),
        heldout_labels=np.arange(n) % 2,
        training_labels=(np.arange(m) % 5 == 0).astype(int),
        heldout_rows=np.arange(n) + m,
        training_rows=np.arange(m),
        cut_errors=np.zeros((0, len(LEVELS), n)),
        constant_errors=np.ones(n),
        classes=CLASSES,
        proportions=np.array([0.8, 0.2]),
        level_weights=np.array([1.0, 2.0, 3.0]),
    )


def frame(runs):
    return pd.DataFrame(list(membership_rows(runs)))


def test_every_run_has_rows_by_class_and_level_and_they_are_joined():
    runs = [made_up(name, seed) for name in ("depth2", "depth3") for seed in (0, 1, 2)]
    rows = frame(runs)
    assert not rows.duplicated(["metric", "class", "sigma", "architecture", "seed"]).any()
    single = rows[rows["seed"] == "0"]
    assert set(single["metric"]) == {
        f"attack_{kind}:{attack}" for kind in ("auc", "tpr") for attack in ("loss", "sima")
    }
    assert len(single) == 2 * 4 * 3 * (len(LEVELS) + 1)
    assert set(single["class"]) == {"", *CLASSES}
    joined = rows[(rows["seed"] == "all") & (rows["runs"] == 3)]
    assert len(joined) == len(single)
    own = rows[(rows["metric"] == "attack_auc:loss") & (rows["class"] == "") & rows["sigma"].isna()]
    seeds = own[(own["architecture"] == "depth3") & (own["seed"] != "all")]
    together = own[(own["architecture"] == "depth3") & (own["seed"] == "all")].iloc[0]
    assert together["value"] == pytest.approx(seeds["value"].mean())
    assert 0 <= together["lower"] < together["value"] < together["upper"] <= 1
    slopes = rows[rows["metric"].str.contains("per_depth")]
    assert set(slopes["metric"]) == {f"attack_auc_per_depth:{a}" for a in ("loss", "sima")}
    assert (slopes["runs"] == 6).all() and (slopes["architecture"] == "published").all()


def test_the_score_over_all_levels_is_that_of_the_weighted_loss():
    run = made_up("depth2", 0)
    loss, sima = attacks_of(run)
    np.testing.assert_allclose(loss.members[-1], -np.array([1, 2, 3]) @ run.training_errors)
    np.testing.assert_allclose(sima.others[-1], -run.heldout_residuals.mean(axis=0))


def slope_of(shifts):
    """The trend of three depths of one seed, whose members differ from others by these shifts."""
    names = ("depth2", "depth3", "depth4")
    runs = [made_up(name, 0, shift=shift) for name, shift in zip(names, shifts, strict=True)]
    return frame(runs).set_index("metric").loc["attack_auc_per_depth:loss"]


def test_equal_models_have_no_trend_whatever_the_images():
    """All see the same images, so the errors of the images cancel."""
    slope = slope_of([0.3, 0.3, 0.3])
    assert slope[["value", "lower", "upper"]].tolist() == pytest.approx([0, 0, 0], abs=1e-12)
    slope = slope_of([0.3, 0.2, 0.1])
    assert slope["lower"] < slope["value"] < 0


def test_resampled_images_have_delongs_error():
    for one in found_of(made_up("depth2", 0, m=200, n=300)):
        if one.metric == "attack_auc:loss":
            reach = (one.estimate.upper - one.estimate.lower) / 2
            assert one.draws.mean() == pytest.approx(one.estimate.value, abs=0.1 * reach)
            assert 1.96 * one.draws.std() == pytest.approx(reach, rel=0.1)


def test_models_that_give_all_away_keep_the_interval_of_a_run():
    """Over seeds as for one: images that all agree do not make 1 certain."""
    rows = frame([made_up("depth2", seed, shift=2.0) for seed in (0, 1, 2)])
    rows = rows[(rows["metric"] == "attack_auc:loss") & (rows["class"] == "")]
    rows = rows[rows["sigma"].isna()].set_index("seed")
    assert (rows["value"] == 1).all()
    assert rows.loc["0", "lower"] < 0.95
    assert rows.loc["all", "lower"] == pytest.approx(rows.loc["0", "lower"], abs=0.02)


def test_draws_of_a_class_move_its_images_alone():
    run = made_up("depth2", 0)
    everything, six, nine = compared(run)
    assert [len(rows) for rows in everything.rows] == [60, 80]
    assert (run.training_labels[six.rows[0]] == 0).all()
    assert (run.heldout_labels[nine.rows[1]] == 1).all()
    scores = [
        attack[:1, rows]
        for attack, rows in zip((-run.training_errors, -run.heldout_errors), nine.rows, strict=True)
    ]
    found = auc(scores[0][0], scores[1][0], nine.sides)
    above, below = placements(scores[0][0], scores[1][0], nine.sides)
    assert found.value == pytest.approx(above.mean()) == pytest.approx(below.mean())
    assert nine.draws[0].sum(axis=1) == pytest.approx(np.ones(len(nine.draws[0])))


def test_a_class_without_two_members_has_no_row():
    run = made_up("depth2", 0)
    labels = np.zeros_like(run.training_labels)
    labels[0] = 1
    run = DenoisingErrors(**vars(run) | {"training_labels": labels})
    found = values(run)
    assert {name for _, name, _ in found} == {"", "six"}
    assert np.isnan(found["attack_auc:loss", "", 5.0].lower)  # the spread of one is unknown


def test_the_order_of_runs_and_images_changes_no_row():
    runs = [made_up(name, seed) for name in ("depth2", "depth3") for seed in (0, 1)]
    keys = ["metric", "class", "sigma", "architecture", "seed", "ratio"]
    expected = frame(runs).sort_values(keys, ignore_index=True)
    pd.testing.assert_frame_equal(frame(runs[::-1]).sort_values(keys, ignore_index=True), expected)
    order = np.random.default_rng(0).permutation(80)
    moved = {
        "heldout_errors": runs[0].heldout_errors[:, order],
        "heldout_residuals": runs[0].heldout_residuals[:, order],
        "heldout_labels": runs[0].heldout_labels[order],
    }
    found, first = values(DenoisingErrors(**vars(runs[0]) | moved)), values(runs[0])
    assert found.keys() == first.keys()
    for key, estimate in found.items():
        assert estimate == pytest.approx(first[key], abs=1e-12)


def test_rows_of_runs_and_of_the_seeds_of_a_ratio():
    """Members of the second ratio are given away more."""
    ratios = {"90-10": 0.1, "60-40": 0.6}
    runs = [
        made_up(name, seed, ratio, shift + 0.1 * (name == "depth3"))
        for ratio, shift in ratios.items()
        for name in ("depth2", "depth3")
        for seed in (0, 1)
    ]
    rows = frame(runs)
    single, both = rows["seed"].isin(["0", "1"]), rows["seed"] == "all"
    slopes = rows["metric"].str.contains("per_depth")
    assert (rows.loc[single, "runs"] == 1).all()
    assert (rows.loc[both & ~slopes, "runs"] == 2).all()
    assert (single | both).all()
    own = rows[(rows["metric"] == "attack_auc:loss") & (rows["class"] == "") & rows["sigma"].isna()]
    keys = ["ratio", "architecture"]
    means = own[own["seed"] != "all"].groupby(keys)["value"].mean()
    together = own[own["seed"] == "all"].set_index(keys)["value"]
    pd.testing.assert_series_equal(together.sort_index(), means.sort_index())
    assert (rows.loc[slopes, "architecture"] == "published").all() and slopes.sum() == 2 * 2
    slope = rows[rows["metric"] == "attack_auc_per_depth:loss"].set_index("ratio")["value"]
    for ratio in ratios:
        assert slope[ratio] == pytest.approx(means[ratio, "depth3"] - means[ratio, "depth2"])


def test_draws_are_the_auc_of_resampled_images():
    """Against the AUC with the drawn weights themselves, of which they are the linear part."""
    run = made_up("depth2", 0)
    everything = next(compared(run))
    members, others = (-errors[0] for errors in (run.training_errors, run.heldout_errors))
    wins = (members[:, None] > others).astype(float)
    exact = np.einsum("bm,mn,bn->b", everything.draws[0], wins, everything.draws[1])
    found = next(one for one in found_of(run) if one.metric == "attack_auc:loss")
    assert np.corrcoef(exact, found.draws)[0, 1] > 0.98
    assert np.abs(exact - found.draws).mean() < 0.2 * exact.std()


def test_members_and_others_have_weights_of_their_own():
    """Also where classes and numbers are the same; members of another ratio or seed have others."""
    run = made_up("depth2", 0, m=80)
    run = DenoisingErrors(**vars(run) | {"training_labels": run.heldout_labels})
    first, second = next(compared(run)).draws
    assert not np.allclose(first, second)
    for other in (run.run._replace(seed="1"), run.run._replace(ratio="60-40")):
        draws = next(compared(DenoisingErrors(**vars(run) | {"run": other}))).draws
        assert not np.allclose(draws[0], first)
        np.testing.assert_array_equal(draws[1], second)


def test_models_that_give_the_wrong_images_away_keep_the_interval_of_a_run():
    """All members look less like members than all others: an AUC of 0, and its interval."""
    rows = frame([made_up("depth2", seed, shift=-50.0) for seed in (0, 1, 2)])
    rows = rows[(rows["metric"] == "attack_auc:loss") & (rows["class"] == "")]
    rows = rows[rows["sigma"].isna()].set_index("seed")
    assert (rows["value"] == 0).all() and rows.loc["0", "upper"] > 0.05
    assert rows.loc["all", "upper"] == pytest.approx(rows.loc["0", "upper"], abs=0.02)


@pytest.mark.parametrize("limits", [(0.3, 0.2, 0.6), (0.95, 0.8, 0.99), (0.02, 0.0, 0.3)])
def test_draws_of_a_share_have_its_limits_and_stay_shares(limits):
    draws = _draws_within(Estimate(*limits, 50))
    found = np.quantile(draws, [0.5, 0.025, 0.975])
    assert found == pytest.approx(limits, abs=0.02)
    value, lower, upper = limits
    within = ndtri(0.75) / ndtri(0.975)  # each side is half a normal distribution
    quarters = value + within * (upper - value), value - within * (value - lower)
    assert np.quantile(draws, [0.75, 0.25]) == pytest.approx(quarters, abs=0.01)
    assert draws.min() >= 0 and draws.max() <= 1


def test_two_images_of_a_class_are_enough_and_other_classes_have_rows_after_one_that_has_none():
    run = made_up("depth2", 0)
    labels = np.ones_like(run.training_labels)
    labels[:2] = 0
    found = values(DenoisingErrors(**vars(run) | {"training_labels": labels}))
    assert {name for _, name, _ in found} == {"", "six", "nine"}
    labels[1] = 1
    found = values(DenoisingErrors(**vars(run) | {"training_labels": labels}))
    assert {name for _, name, _ in found} == {"", "nine"}
