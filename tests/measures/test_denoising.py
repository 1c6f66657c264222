"""Denoising errors: closed forms of known denoisers, rows, effective depth, and the scripts."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import program
from measures.denoising_runs import DEAD, SIGMAS, made_up

from depthbias.data.splits import Split
from depthbias.data.subsets import Subset
from depthbias.diffusion.architectures import get_architecture
from depthbias.diffusion.checkpoints import save_model
from depthbias.diffusion.gaussian_denoiser import GaussianDenoiser
from depthbias.diffusion.network_denoiser import NetworkDenoiser, ZeroNetwork
from depthbias.diffusion.noise import initial_noise
from depthbias.diffusion.unet import build_unet
from depthbias.estimates.runs import Run
from depthbias.estimates.stratified import stratified
from depthbias.estimates.tidy import read_rows, tidy
from depthbias.measures.chosen_images import Chosen, choose, choose_both
from depthbias.measures.denoising import check_trained, constant_errors, measure
from depthbias.measures.denoising_errors import read_denoising_errors, write_denoising_errors
from depthbias.measures.denoising_rows import (
    denoising_rows,
    effective_depth,
    quantities_of,
    read_all,
)
from depthbias.measures.effective_depths import effective_depths
from depthbias.system.errors import UserError
from depthbias.system.files import write_json, write_npz

ROOT = Path(__file__).parents[2]
CPU = torch.device("cpu")


def draw(count, size=4, seed=0):
    return torch.randn(count, 1, size, size, generator=torch.Generator().manual_seed(seed))


def chosen(count, seed=0, first=0, size=4):
    rows = np.arange(first, first + count)
    return Chosen(draw(count, size, seed), rows, np.arange(count) % 2)


def measured(denoiser, cuts=(), heldout=None, training=None, **changes):
    options = {"noise_seed": 3, "batch_size": 5} | changes
    images = heldout or chosen(12), training or chosen(8, seed=1, first=40)
    return measure(denoiser, list(cuts), *images, SIGMAS, **options)


# Errors of known denoisers


def test_of_a_linear_denoiser_errors_and_residuals_are_known():
    """D = a x: the error is |(a - 1) x + a s e|^2, the residual |a - 1| |x| / s, both a pixel."""
    heldout, a = chosen(12), 0.7
    found = measured(lambda x, sigma: a * x, [lambda x, sigma: 0 * x], heldout)
    noise = initial_noise(3, range(12), (1, 4, 4))
    for level, sigma in enumerate(SIGMAS):
        errors = ((a - 1) * heldout.images + a * sigma * noise).square().mean((1, 2, 3))
        assert found["heldout_errors"][level] == pytest.approx(errors.numpy(), rel=1e-4)
        norms = heldout.images.square().mean((1, 2, 3)).sqrt().numpy()
        assert found["heldout_residuals"][level] == pytest.approx(0.3 * norms / sigma, rel=1e-4)
        assert found["cut_errors"][0, level] == pytest.approx(norms**2, rel=1e-6)
    assert found["training_errors"].shape == found["training_residuals"].shape == (3, 8)
    assert found["cut_errors"].shape == (1, 3, 12)


def test_of_the_gaussian_the_error_is_that_of_wiener():
    """E |D - x|^2 = mean over directions of l s^2 / (l + s^2); 6,000 images of 16 pixels."""
    images = draw(6000) * torch.linspace(0.2, 1.5, 4) + 0.3
    gaussian = GaussianDenoiser.fit(images)
    data = Chosen(images, np.arange(6000), np.zeros(6000, int))
    found = measured(gaussian, [], data, data, batch_size=2000)
    variances = torch.linalg.eigvalsh(torch.cov(images.flatten(1).double().T, correction=0))
    for level, sigma in enumerate(SIGMAS):
        expected = float((variances * sigma**2 / (variances + sigma**2)).mean())
        errors = found["heldout_errors"][level]
        assert abs(errors.mean() - expected) < 4 * errors.std() / np.sqrt(6000)


def test_noise_belongs_to_the_image():
    """The same row has the same error whatever is measured beside it, in whatever batches."""

    def bent(x, sigma):
        return torch.tanh(x)

    whole = chosen(12)
    part = Chosen(whole.images[4:9], whole.rows[4:9], whole.labels[4:9])
    one, other = measured(bent, [], whole), measured(bent, [], part, batch_size=2)
    assert np.array_equal(one["heldout_errors"][:, 4:9], other["heldout_errors"])
    again = measured(bent, [], whole, noise_seed=4)
    assert not np.allclose(one["heldout_errors"], again["heldout_errors"])
    assert np.array_equal(one["heldout_residuals"], again["heldout_residuals"])  # no noise in it


def test_images_are_of_all_classes_alike_as_far_as_they_go(tmp_path):
    pixels = np.arange(50, dtype=np.uint8).reshape(50, 1, 1, 1)
    write_npz(tmp_path / "images.npz", {"images": pixels}, compress=False)
    rows, labels = np.arange(0, 50, 2), np.array([0] * 20 + [1] * 5)
    few = choose(tmp_path / "images.npz", rows, labels, 8, CPU, "x")
    assert np.bincount(few.labels).tolist() == [4, 4]
    most = choose(tmp_path / "images.npz", rows, labels, 18, CPU, "x")
    assert np.bincount(most.labels).tolist() == [13, 5]
    every = choose(tmp_path / "images.npz", rows, labels, 99, CPU, "x")
    assert every.rows.tolist() == rows.tolist() and every.labels.tolist() == labels.tolist()
    assert set(few.rows) < set(most.rows)
    assert (few.images.flatten() * 127.5 + 127.5).round().tolist() == few.rows.tolist()
    other = choose(tmp_path / "images.npz", rows, labels, 8, CPU, "y")
    assert set(other.rows) != set(few.rows)
    with pytest.raises(UserError, match=r"images\.npz: has 50 images, fewer than its split says"):
        choose(tmp_path / "images.npz", rows + 10, labels, 8, CPU, "x")


def test_images_of_three_classes_and_of_other_subsets(tmp_path):
    write_npz(
        tmp_path / "images.npz", {"images": np.zeros((30, 1, 1, 1), np.uint8)}, compress=False
    )
    labels = np.arange(30) % 3
    few = choose(tmp_path / "images.npz", np.arange(30), labels, 9, CPU, "x")
    assert np.bincount(few.labels).tolist() == [3, 3, 3] and (np.diff(few.rows) > 0).all()
    with pytest.raises(UserError, match="has 30 images, fewer than its split says: prepare it"):
        choose(tmp_path / "images.npz", np.array([30]), labels[:1], 9, CPU, "x")
    held = [np.arange(0, 5), np.arange(5, 10)]
    split = Split(("six", "nine"), held, held, held)
    rows, chosen = np.arange(10, 30), {}
    for ratio, seed in (("90-10", "0"), ("90-10", "1"), ("60-40", "0")):
        subset = Subset(Path("s.json"), ratio, seed, ("six", "nine"), rows, rows % 2)
        one, other = choose_both(tmp_path / "images.npz", split, subset, (4, 6), CPU)
        assert len(other.rows) == 6 and np.isin(other.rows, rows).all()
        chosen.setdefault("heldout", []).append(one.rows.tolist())
        chosen.setdefault("training", []).append(other.rows.tolist())
    assert len(set(map(str, chosen["heldout"]))) == 1  # the same images for every model
    assert len(set(map(str, chosen["training"]))) == 3


def test_weights_give_every_class_its_proportion():
    labels = np.array([0, 0, 0, 1, 1])
    assert stratified(labels, np.array([0.9, 0.1])) == pytest.approx([0.3, 0.3, 0.3, 0.05, 0.05])
    # A class without an image leaves its weight to the others.
    assert stratified(labels, np.array([0.45, 0.05, 0.5]))[3:].sum() == pytest.approx(0.1)


# Divergence


def test_errors_of_the_constant():
    heldout, mean = chosen(5), torch.full((1, 4, 4), 0.5)
    expected = (heldout.images - 0.5).square().mean((1, 2, 3)).numpy()
    assert constant_errors(heldout, mean) == pytest.approx(expected, rel=1e-6)


def check(denoiser, heldout, untaught=lambda x, sigma: x):
    mean = torch.zeros(1, 4, 4)
    weights = np.full(len(heldout.rows), 1 / len(heldout.rows))
    constant = constant_errors(heldout, mean)
    check_trained(Path("m.safetensors"), denoiser, untaught, heldout, constant, weights, 0)


def test_what_knows_anything_is_no_divergence():
    heldout = chosen(50)
    check(lambda x, sigma: x / (1 + sigma**2), heldout)
    check(lambda x, sigma: 0.6 * x, heldout)
    check(lambda x, sigma: 0 * x, heldout)  # the constant itself


@pytest.mark.parametrize(
    "nonsense",
    [
        lambda x, sigma: x,  # a ddpm model that predicts no noise
        lambda x, sigma: torch.full_like(x, 3.0),
        lambda x, sigma: x / 3 + draw(len(x), seed=8),
        lambda x, sigma: -x,
        lambda x, sigma: x * torch.nan,
    ],
)
def test_finite_nonsense_stops_with_one_line_that_names_the_model(nonsense):
    with pytest.raises(UserError) as caught:
        check(nonsense, chosen(50))
    message = str(caught.value)
    assert message.startswith("m.safetensors: its held-out loss at noise level ")
    assert "of the best constant image: it diverged or learned nothing; lower" in message
    assert "\n" not in message


@pytest.mark.parametrize(("share", "level"), [(1.0, 2.0), (0.6, 2 / 0.6), (0.1, 4.0)])
def test_the_level_is_where_what_learned_nothing_is_twice_as_wrong_as_the_constant(share, level):
    """Untaught: error share s^2. The level s^2 over the constant's loss is 2 / share, at most 4."""
    whole, asked = chosen(200), []
    heldout = whole._replace(images=3 * whole.images)
    check(lambda x, sigma: asked.append(sigma) or 0 * x, heldout, _of_error(heldout, share))
    loss = float(heldout.images.square().mean())
    [sigma] = asked
    assert level <= sigma**2 / loss * (1 + 1e-6) and sigma**2 / loss < 1.03 * level


def _of_error(heldout, share):
    noise = initial_noise(0, range(200), (1, 4, 4))
    noise = noise / noise.square().mean().sqrt()
    return lambda x, sigma: heldout.images + share**0.5 * sigma * noise


@pytest.mark.parametrize("objective", ["ddpm", "edm"])
def test_the_network_that_learned_nothing_is_the_one_whose_output_is_zero(objective):
    untaught, x = NetworkDenoiser(ZeroNetwork(), objective, 0.5), draw(3)
    expected = x if objective == "ddpm" else x * 0.25 / (0.25 + 0.49)
    assert torch.allclose(untaught(x, 0.7), expected)


# Rows


def frame(runs):
    return tidy(denoising_rows(runs)).set_index(["architecture", "seed", "metric"]).sort_index()


def test_effective_depth_is_the_fewest_stages_that_do_as_well():
    assert effective_depth(np.array([2.0, 1.5, 1.0])) == 3
    assert effective_depth(np.array([2.0, 1.5, 1.02])) == 4
    assert effective_depth(np.array([1.01, 1.5, 1.0])) == 1
    assert effective_depth(np.empty(0)) == 1
    draws = effective_depth(np.array([[2.0, 1.0], [1.0, 1.0]]))
    assert draws.tolist() == [2, 1]


def test_costs_and_effective_depth_of_one_model():
    table = frame([made_up("depth4", DEAD)]).loc["depth4", "0"]
    costs = table.loc["stage_cost"]
    for k, expected in enumerate(DEAD, start=1):
        mine = costs[costs["k"] == k]
        assert mine["value"].dropna().iloc[:3].tolist() == pytest.approx(expected)
        [worst] = mine.loc[mine["sigma"].isna(), "value"]
        assert worst == pytest.approx(max(expected))
        assert mine["lower"].tolist() == pytest.approx(mine["value"].tolist())  # of every image
    assert table.loc["effective_depth", ["value", "lower", "upper"]].tolist() == [3, 3, 3]


def test_levels_outside_of_the_range_do_not_count():
    """At sigma 0.05 and 40 a stage may be worth what it likes."""
    run = replace(made_up("depth2", [[5, 1, 5]]), sigmas=np.array([0.05, 1.0, 40.0]))
    assert frame([run]).loc[("depth2", "0", "effective_depth"), "value"].item() == 1


def test_an_effective_depth_that_images_do_not_agree_on_has_an_interval():
    """Half of the images say that the stage costs 3 %, half that it is worth -1 %: 1 or 2."""
    run = made_up("depth2", [[1, 1, 1]], spread=0)
    factor = np.where(np.arange(30) % 2, 1.03, 0.99)
    run = replace(
        run, cut_errors=run.heldout_errors[None] * factor, proportions=np.array([0.5, 0.5])
    )
    row = frame([run]).loc[("depth2", "0", "effective_depth")].squeeze()
    assert (row["lower"], row["upper"]) == (1, 2)


def test_losses_weigh_the_classes_as_in_training():
    run = made_up("depth2", [[2, 2, 2]])
    errors = np.where(run.heldout_labels == 1, 3.0, 1.0) * np.ones((3, 1))
    run = replace(run, heldout_errors=errors, cut_errors=2 * errors[None])
    table = frame([run]).loc["depth2", "0"]
    losses = table.loc["heldout_loss"]
    assert losses["value"].tolist() == pytest.approx([1.2, 1.2, 1.2, 1.2 * 1.501])
    assert losses["lower"].tolist() == pytest.approx(losses["value"].tolist())  # alike in a class
    assert run.heldout_loss == pytest.approx(1.2 * 1.501)
    constant = frame([run]).loc[("real", "0", "constant_loss")]
    assert constant["value"] == pytest.approx(0.25)


def test_the_interval_of_a_loss_is_that_of_the_mean_of_its_images():
    """Of one class: the deviation of the mean by the Bayesian bootstrap, std / sqrt(n + 1)."""
    run = replace(made_up("depth2", [[2, 2, 2]]), proportions=np.array([1.0, 0.0]))
    row = frame([run]).loc[("depth2", "0", "heldout_loss")].query("sigma == 1").squeeze()
    images = run.heldout_errors[1, :15]
    assert row["value"] == pytest.approx(images.mean())
    half = 1.96 * images.std() / np.sqrt(16)
    assert (row["upper"] - row["lower"]) / 2 == pytest.approx(half, rel=0.05)


def test_gaps_are_training_minus_heldout_with_both_errors():
    runs = [made_up("depth2", [[2, 2, 2]], gap=-0.5, spread=0)]
    table = frame(runs).loc["depth2", "0"]
    gap = table.loc["loss_gap"].query("sigma == 1").squeeze()
    assert gap["value"] == pytest.approx(-0.5) and gap["n"] == 45
    assert table.loc["training_loss"].query("sigma == 1")["value"].item() == pytest.approx(0.5)


def test_models_are_compared_on_the_same_images():
    """Losses that differ by a factor only: the error of a trend is that of the factor's share."""
    levels = {"depth2": 1.0, "depth3": 1.1, "depth4": 1.2}
    runs = [
        made_up(name, np.full((stages - 1, 3), 2.0), seed, level=levels[name])
        for stages, name in enumerate(levels, start=2)
        for seed in range(3)
    ]
    table = frame(runs)
    trend = table.loc[("published", "all", "heldout_loss_per_depth")].squeeze()
    loss = table.loc[("depth2", "all", "heldout_loss")]
    loss = loss[loss["sigma"].isna()].squeeze()
    assert trend["value"] == pytest.approx(0.1 * loss["value"], rel=1e-6)
    ratio = (trend["upper"] - trend["lower"]) / (loss["upper"] - loss["lower"])
    assert ratio == pytest.approx(0.1, rel=0.05)  # unpaired it would be 0.58
    assert trend["runs"] == 9


def test_trends_are_on_nominal_depth_and_a_network_without_stages_has_none():
    costs = {"depth2": [[2, 2, 2]], "depth3": [[2, 2, 2], [1.2, 1, 1]], "depth4": DEAD}
    runs = [made_up(n, c, s) for n, c in costs.items() for s in (0, 1)]
    runs += [made_up("dit-small", [], s) for s in (0, 1)]
    table = frame(runs)
    trend = table.loc[("published", "all", "effective_depth_per_depth"), "value"].item()
    assert trend == pytest.approx(0.5)  # 2, 3, 3 at 2, 3, 4
    own = table.loc["dit-small"].index.get_level_values("metric")
    assert set(own) == {"heldout_loss", "training_loss", "loss_gap"}
    kept = table.loc[("published", "all", "stage_cost_per_depth")]
    assert set(kept["k"]) == {1, 2} and kept.query("k == 1")["value"].item() == pytest.approx(1)
    assert effective_depths(tidy(denoising_rows(runs))) == {"depth2": 2, "depth3": 3, "depth4": 3}


def test_effective_depths_are_means_over_ratios_and_seeds():
    runs = [made_up("depth4", DEAD), made_up("depth4", DEAD, seed=1)]
    runs += [made_up("depth4", [[2, 2, 2], [2, 2, 2], [1.2, 1, 1]], ratio="60-40")]
    rows = tidy(denoising_rows(runs))
    assert effective_depths(rows) == {"depth4": pytest.approx(10 / 3)}
    assert effective_depths(rows[rows["metric"] == "stage_cost"]) == {}


def rows_by(runs, metric):
    """{(ratio, architecture, seed, sigma, k): row} of a metric, None where there is none."""
    table = tidy(denoising_rows(runs))
    table = table[table["metric"] == metric].replace({np.nan: None})
    keys = ["ratio", "architecture", "seed", "sigma", "k"]
    return {tuple(row[key] for key in keys): row for row in table.to_dict("records")}


def two_ratios(**changes):
    """Two depths of two ratios and two seeds; losses of the second ratio are three times larger."""
    return [
        made_up(name, costs, seed, ratio, level=level, **changes)
        for ratio, level in (("90-10", 1.0), ("60-40", 3.0))
        for name, costs in (("depth2", [[2, 2, 2]]), ("depth3", [[3, 3, 3], [2, 2, 2]]))
        for seed in (0, 1)
    ]


def test_rows_say_on_how_many_runs_and_images_they_rest():
    for metric, n in (("heldout_loss", 30), ("training_loss", 15), ("loss_gap", 45)):
        rows = rows_by(two_ratios(), metric)
        assert len(rows) == 4 * 4 * 3  # levels and all of them; two seeds and both
        for (_, _, seed, _, _), row in rows.items():
            assert (row["runs"], row["n"]) == ((2, 2 * n) if seed == "all" else (1, n))
    rows = rows_by(two_ratios(), "stage_cost")
    assert {row["runs"] for row in rows.values()} == {1, 2}
    assert {row["n"] for row in rows.values()} == {30, 60}


def test_ratios_are_never_mixed():
    rows = rows_by(two_ratios(), "heldout_loss")
    for name in ("depth2", "depth3"):
        small = rows["90-10", name, "all", 1.0, None]["value"]
        assert rows["60-40", name, "all", 1.0, None]["value"] == pytest.approx(3 * small)
    runs = two_ratios()
    runs[2:4] = [replace(run, heldout_errors=2 * run.heldout_errors) for run in runs[2:4]]
    slopes = rows_by(runs, "heldout_loss_per_depth")
    loss = rows["90-10", "depth2", "all", None, None]["value"]
    assert slopes["90-10", "published", "all", None, None]["value"] == pytest.approx(loss)
    assert slopes["60-40", "published", "all", None, None]["value"] == pytest.approx(0, abs=1e-12)
    assert {row["runs"] for row in slopes.values()} == {4}


def test_the_constant_has_a_row_a_training_subset_and_one_over_seeds():
    runs = [
        replace(run, constant_errors=np.full(30, value))
        for run, value in zip(two_ratios(), [1, 2, 1, 2, 5, 7, 5, 7], strict=True)
    ]
    rows = rows_by(runs, "constant_loss")
    found = {key[:3]: (row["value"], row["n"], row["runs"]) for key, row in rows.items()}
    assert found == {
        ("90-10", "real", "0"): (pytest.approx(1), 30, 1),
        ("90-10", "real", "1"): (pytest.approx(2), 30, 1),
        ("90-10", "real", "all"): (pytest.approx(1.5), 60, 2),
        ("60-40", "real", "0"): (pytest.approx(5), 30, 1),
        ("60-40", "real", "1"): (pytest.approx(7), 30, 1),
        ("60-40", "real", "all"): (pytest.approx(6), 60, 2),
    }


def test_intervals_end_where_the_quantity_does():
    """A loss and a cost at 0, an effective depth at 1 and all stages, a gap nowhere."""
    levels = [0.1, 1.9]  # over two seeds Student's interval goes far beyond 0
    runs = [
        made_up("depth4", np.array(DEAD) * 0.5, seed, level=level, gap=-0.5)
        for seed, level in enumerate(levels)
    ]
    for metric in ("heldout_loss", "training_loss"):
        row = rows_by(runs, metric)["90-10", "depth4", "all", 1.0, None]
        assert row["lower"] == 0 < row["value"] < row["upper"]
    row = rows_by(runs, "loss_gap")["90-10", "depth4", "all", 1.0, None]
    assert row["lower"] < 2 * row["value"] < row["value"] < 0 < row["upper"]
    deep = [[2, 2, 2], [2, 2, 2], [2, 2, 2]], [[1, 1, 1], [1, 1, 1], [1, 1, 1]]
    runs = [made_up("depth4", costs, seed) for seed, costs in enumerate(deep)]
    row = rows_by(runs, "effective_depth")["90-10", "depth4", "all", None, None]
    assert (row["lower"], row["value"], row["upper"]) == (1, 2.5, 4)


def test_the_interval_of_a_gap_has_the_errors_of_both_sides():
    """Bayesian bootstrap of one class: the deviation of a mean is std / sqrt(n + 1)."""
    run = made_up("depth2", [[2, 2, 2]], gap=1.0)
    run = replace(run, proportions=np.array([1.0, 0.0]))
    row = rows_by([run], "loss_gap")["90-10", "depth2", "0", 1.0, None]
    own, trained = run.heldout_errors[1, :15], run.training_errors[1, :8]
    assert row["value"] == pytest.approx(trained.mean() - own.mean())
    half = 1.96 * np.hypot(own.std() / 4, trained.std() / 3)
    assert row["upper"] - row["value"] == pytest.approx(half, rel=0.15)
    assert row["value"] - row["lower"] == pytest.approx(half, rel=0.15)


def test_weights_of_images_are_shared_by_the_models_that_share_the_images():
    """Held-out ones by all; training ones by those of a ratio and seed, and not by both sides."""
    run = made_up("depth2", [[2, 2, 2]])
    other = replace(run, run=run.run._replace(architecture="depth3"))
    runs = {
        "model": replace(other, cut_errors=np.ones((2, 3, 30))),
        "seed": replace(run, run=run.run._replace(seed="1")),
        "ratio": replace(run, run=run.run._replace(ratio="60-40")),
    }

    def draws(one, metric):
        return next(q.draws for q in quantities_of(one) if q.metric == metric)

    for name, one in runs.items():
        np.testing.assert_array_equal(draws(one, "heldout_loss"), draws(run, "heldout_loss"))
        same = np.array_equal(draws(one, "training_loss"), draws(run, "training_loss"))
        assert same == (name == "model")
    twice = {"training_errors": run.heldout_errors, "training_labels": run.heldout_labels}
    assert draws(replace(run, **twice), "loss_gap").std() > 0


# Archives


def test_an_archive_is_read_as_it_was_written(tmp_path):
    run = made_up("depth4", DEAD)
    write_denoising_errors(tmp_path / "a.npz", run)
    found = read_denoising_errors(tmp_path / "a.npz", "s")
    for name, value in vars(run).items():
        same = getattr(found, name)
        assert np.array_equal(same, value) and type(same) is type(value), name
    with pytest.raises(UserError, match=r"a\.npz: a run of study 's', not of 't'"):
        read_denoising_errors(tmp_path / "a.npz", "t")


def small(heldout=(0, 1), training=(0, 1), sigmas=(0.1, 1.0), **changes):
    """Errors of images with these labels at these levels."""
    m, n, levels = len(heldout), len(training), len(sigmas)
    return replace(
        made_up("dit-small", []),
        sigmas=np.array(sigmas, dtype=float),
        heldout_errors=np.ones((levels, m)),
        training_errors=np.ones((levels, n)),
        heldout_residuals=np.ones((levels, m)),
        training_residuals=np.ones((levels, n)),
        heldout_labels=np.array(heldout, dtype=int),
        training_labels=np.array(training, dtype=int),
        heldout_rows=np.arange(m),
        training_rows=np.arange(n),
        cut_errors=np.ones((0, levels, m)),
        constant_errors=np.ones(m),
        level_weights=np.ones(levels),
        **changes,
    )


@pytest.mark.parametrize(
    "changes",
    [{}, {"heldout": [1]}, {"training": [0]}, {"heldout": [1], "training": [1]}, {"sigmas": [2]}],
)
def test_one_image_level_or_class_is_enough(tmp_path, changes):
    write_denoising_errors(tmp_path / "a.npz", small(**changes))
    assert read_denoising_errors(tmp_path / "a.npz").run.architecture == "dit-small"


@pytest.mark.parametrize(
    "changes",
    [
        {"heldout": []},
        {"training": []},
        {"sigmas": []},
        {"sigmas": [0, 1]},
        {"sigmas": [-1, 1]},
        {"sigmas": [1, 1]},
        {"sigmas": [2, 1]},
        {"heldout": [0, 2]},
        {"training": [0, 2]},
        {"training": [-1, 0]},
    ],
)
def test_errors_of_nothing_at_no_level_or_of_no_class_are_refused(tmp_path, changes):
    write_denoising_errors(tmp_path / "a.npz", small(**changes))
    with pytest.raises(UserError, match=r"a\.npz: is damaged: measure the denoising errors again"):
        read_denoising_errors(tmp_path / "a.npz")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sigmas": np.array([0.1, 1.0, 30.0])}, "at other noise levels"),
        ({"heldout_rows": np.arange(1, 31)}, "on other held-out images"),
        ({"noise_seed": 1}, "with other noise"),
    ],
)
def test_runs_that_cannot_be_compared_are_refused(tmp_path, changes, words):
    run = made_up("depth2", [[2, 2, 2]])
    write_denoising_errors(tmp_path / "a.npz", run)
    write_denoising_errors(tmp_path / "b.npz", replace(run, **changes))
    assert len(read_all([tmp_path / "a.npz"], "s")) == 1
    with pytest.raises(UserError, match=r"a\.npz: a run of study 's', not of 't'"):
        read_all([tmp_path / "a.npz"], "t")
    with pytest.raises(UserError, match=rf"b\.npz: measured {words} than the rest"):
        read_all([tmp_path / "a.npz", tmp_path / "b.npz"], "s")


# Scripts


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Files of a model whose second stage hands up nothing, as the other rules write them."""
    folder = tmp_path_factory.mktemp("trained")
    torch.manual_seed(0)
    unet = build_unet("depth3", channels=1, size=8, width=0.25)
    with torch.no_grad():
        for parameter in unet.up_blocks[0].parameters():
            parameter.zero_()
    meta = {"architecture": "depth3", "channels": 1, "size": 8, "width": 0.25}
    meta |= {"objective": "edm", "sigma_data": 0.5}
    save_model(unet, meta, folder / "model.safetensors", folder / "model.json")
    pixels = np.random.default_rng(0).integers(0, 256, (60, 8, 8, 1), dtype=np.uint8)
    write_npz(folder / "images.npz", {"images": pixels}, compress=False)
    classes = ["six", "nine"]
    parts = {"pool": 0, "calibration": 40, "control": 50}
    split = {"classes": classes, "population": [30, 30], "images": "0f"}
    for part, first in parts.items():
        split[part] = {"six": [first, first + 2], "nine": [first + 1, first + 5]}
    write_json(folder / "split.json", split)
    subset = {"ratio": "90-10", "seed": 0, "classes": classes}
    subset |= {"indices": list(range(20)), "labels": [0] * 18 + [1] * 2}
    write_json(folder / "subset.json", subset)
    return folder


RUN = {"study": "s", "ratio": "90-10", "architecture": "depth3", "seed": "0"}


def measure_words(folder, output, levels=None, **changes):
    flags = {
        "model": folder / "model.safetensors",
        "meta": folder / "model.json",
        "images": folder / "images.npz",
        "split": folder / "split.json",
        "subset": folder / "subset.json",
        "heldout-images": 6,
        "training-images": 9,
        "noise-seed": 0,
        "batch-size": 4,
        "run": json.dumps(RUN),
        "output": output,
    } | changes
    words = [word for key, value in flags.items() for word in (f"--{key}", value)]
    return [*words, "--sigmas", *(levels or SIGMAS)]


def test_scripts_measure_and_estimate(trained, tmp_path, monkeypatch):
    output = tmp_path / "denoising-errors.npz"
    program(monkeypatch, "measure_denoising", *measure_words(trained, output))
    found = read_denoising_errors(output, "s")
    assert found.run == Run("s", "90-10", "depth3", "0") and found.sigmas.tolist() == SIGMAS
    assert found.heldout_errors.shape == (3, 6) and found.training_errors.shape == (3, 9)
    assert found.cut_errors.shape == (2, 3, 6)
    assert np.bincount(found.heldout_labels).tolist() == [3, 3]
    assert np.bincount(found.training_labels).tolist() == [7, 2]
    assert found.proportions.tolist() == [0.9, 0.1] and set(found.training_rows) <= set(range(20))
    assert np.allclose(found.cut_errors[1], found.heldout_errors, rtol=1e-3)
    words = ["--measurements", output, "--study", "s", "--output", tmp_path / "rows.csv"]
    program(monkeypatch, "estimate_denoising", *words)
    rows = read_rows(tmp_path / "rows.csv")
    assert set(rows["metric"]) == {
        *("heldout_loss", "training_loss", "loss_gap"),
        *("stage_cost", "effective_depth", "constant_loss"),
    }
    assert effective_depths(rows)["depth3"] <= 2


def test_a_transformer_is_measured_without_cuts(trained, tmp_path, monkeypatch):
    meta = {"architecture": "dit-small", "channels": 1, "size": 8, "width": 0.25}
    meta |= {"objective": "edm", "sigma_data": 0.5}
    network = get_architecture("dit-small").build(1, 8, 0.25)
    model, described = tmp_path / "m.safetensors", tmp_path / "m.json"
    save_model(network, meta, model, described)
    output = tmp_path / "errors.npz"
    run = json.dumps(RUN | {"architecture": "dit-small"})
    words = measure_words(trained, output, model=model, meta=described, run=run)
    program(monkeypatch, "measure_denoising", *words)
    assert read_denoising_errors(output).cut_errors.shape == (0, 3, 6)


def test_a_model_that_diverged_stops_the_study_in_one_line(trained, tmp_path, monkeypatch):
    torch.manual_seed(0)
    unet = build_unet("depth2", channels=1, size=8, width=0.25)
    with torch.no_grad():
        unet.conv_out.weight.mul_(1000)
    meta = {"architecture": "depth2", "channels": 1, "size": 8, "width": 0.25}
    meta |= {"objective": "edm", "sigma_data": 0.5}
    model, described = tmp_path / "m.safetensors", tmp_path / "m.json"
    save_model(unet, meta, model, described)
    words = measure_words(trained, tmp_path / "none.npz", model=model, meta=described)
    with pytest.raises(
        SystemExit, match=r"^error: \S*m\.safetensors: its held-out loss .* diverged"
    ):
        program(monkeypatch, "measure_denoising", *words)
    assert not (tmp_path / "none.npz").exists()


def test_noise_levels_rise(trained, tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit) as caught:
        words = measure_words(trained, tmp_path / "none.npz", levels=[1, 0.1])
        program(monkeypatch, "measure_denoising", *words)
    assert caught.value.code == 2 and "rise" in capsys.readouterr().err


def test_a_split_of_other_classes_is_refused():
    rows = [np.arange(3), np.arange(3, 6)]
    split = Split(("six", "nine"), rows, rows, rows)
    subset = Subset(Path("s.json"), "90-10", "0", ("a", "b"), np.arange(3), np.array([0, 0, 1]))
    with pytest.raises(UserError, match=r"s\.json: its classes are a, b, not six, nine"):
        choose_both(Path("i.npz"), split, subset, (4, 4), CPU)


def test_estimating_needs_no_torch():
    code = "import runpy, sys; runpy.run_path(sys.argv[1]); print('torch' in sys.modules)"
    for name in ("estimate_denoising", "measure_matched"):
        command = [sys.executable, "-c", code, str(ROOT / f"scripts/{name}.py")]
        assert subprocess.check_output(command, text=True) == "False\n"


def test_rows_do_not_depend_on_the_order_of_the_runs():
    runs = [made_up("depth4", DEAD, seed) for seed in (0, 1)] + [made_up("depth2", [[2, 2, 2]])]
    keys = ["architecture", "seed", "metric", "k", "sigma"]
    one, other = (tidy(denoising_rows(order)).sort_values(keys) for order in (runs, runs[::-1]))
    pd.testing.assert_frame_equal(one.reset_index(drop=True), other.reset_index(drop=True))
