"""Means of images as measurements: what is not a number, and how many runs a row rests on."""

import warnings

import numpy as np
import pytest
from scipy import stats

from depthbias.estimates.intervals import Estimate, wilson
from depthbias.estimates.measurements import Measured, _image_error, mean_of, rows_of, share_of
from depthbias.estimates.runs import ALL, Run
from depthbias.system.errors import UserError


def run_of(architecture="depth2", seed="0"):
    return Run("study", "90-10", architecture, seed, "ddim-4")


def test_an_image_that_is_not_a_number_is_refused():
    with pytest.raises(UserError, match=r"^lpips:alex \(90-10, depth2, seed 0\): not a number"):
        mean_of(np.array([1.0, np.nan]), run_of(), "lpips:alex")


def test_a_run_without_an_image_has_a_row_and_is_missing_over_seeds():
    """Nothing is dropped without a word: the row is there, and `runs` counts the others."""
    measured = [
        mean_of(np.array([1.0, 2.0, 3.0]), run_of(seed="0"), "lpips:alex"),
        mean_of(np.array([2.0, 3.0, 4.0]), run_of(seed="1"), "lpips:alex"),
        mean_of(np.array([]), run_of(seed="2"), "lpips:alex"),
    ]
    rows = {row["seed"]: row for row in rows_of(measured, [])}
    assert np.isnan(rows["2"]["value"]) and rows["2"]["n"] == 0 and rows["2"]["runs"] == 1
    assert rows[ALL]["runs"] == 2 and rows[ALL]["n"] == 6
    assert rows[ALL]["value"] == pytest.approx(2.5)


def test_a_slope_tells_on_how_many_runs_it_rests():
    measured = [
        Measured(run_of(name, seed), "lpips:alex", Estimate(value, value, value, 5), k=0)
        for name, value in (("depth2", 1.0), ("depth3", 2.0), ("depth4", 3.0))
        for seed in ("0", "1")
    ]
    measured[3] = Measured(measured[3].run, "lpips:alex", Estimate(np.nan, np.nan, np.nan, 0))
    (row,) = (r for r in rows_of(measured, ["lpips:alex"]) if r["metric"] == "lpips_per_depth:alex")
    assert row["runs"] == row["n"] == 5 and row["value"] == pytest.approx(1)


@pytest.mark.parametrize(("values", "finite"), [([], 0), ([2.0], 1), ([2.0, 3.0], 3)])
def test_none_one_and_two_images(values, finite):
    """One has a mean without an interval, two have both; no warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = mean_of(np.array(values), run_of(), "x").estimate
    assert np.isfinite(found[:3]).sum() == finite and found.n == len(values)


def test_images_are_kept_of_models_and_all_classes_alone():
    values = np.array([1.0, 2.0])
    kept = mean_of(values, run_of(), "x")
    assert kept.values is values and not kept.class_name and kept.k == 0
    assert mean_of(values, run_of(), "x", "six").values is None
    assert mean_of(values, run_of()._replace(sampler=""), "x").values is None
    assert mean_of(values, run_of()._replace(sampler=""), "x", "six").values is None
    assert share_of(values > 1, run_of(), "x").class_name == ""


def test_a_share_over_seeds_is_the_mean_of_the_shares():
    flags = [np.arange(20) < count for count in (4, 8, 9)]
    measured = [share_of(own, run_of(seed=str(seed)), "x") for seed, own in enumerate(flags)]
    (found,) = (row for row in rows_of(measured, []) if row["seed"] == ALL)
    assert found["value"] == pytest.approx(7 / 20) and found["n"] == 60 and found["runs"] == 3
    assert found["lower"] < wilson(21, 60).lower and found["upper"] > wilson(21, 60).upper


def kept(values, **keys):
    own = {"run": run_of(), "metric": "x:e"} | keys
    return mean_of(np.array(values, dtype=float), **own)


def test_the_error_of_images_is_that_of_their_mean():
    """Two images a run: the deviation of their mean over 2,000 draws; one image tells none."""
    error = _image_error([kept([1, 5]), kept([2, 8])], np.array([0.5, 0.5]))
    assert error.std() == pytest.approx(stats.sem([1.5, 6.5]), rel=0.05)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not _image_error([kept([1]), kept([2])], np.array([0.5, 0.5])).any()
    other = _image_error([kept([1, 5]), kept([2, 8, 9])], np.array([0.5, 0.5]))  # not in pairs
    alone = [stats.sem(values) for values in ([1, 5], [2, 8, 9])]
    # Seeds share their draws, so errors of runs that are not paired add up.
    widths = [stats.t.ppf(0.975, n) / stats.norm.ppf(0.975) for n in (1, 2)]
    assert other.std() == pytest.approx(np.dot(alone, widths) / 2, rel=0.05)


def test_random_numbers_of_images_belong_to_metric_k_ratio_and_sampler():
    """Not to seed or architecture: image i of all of these comes from the same noise."""

    def drawn(**keys):
        return _image_error([kept([1, 5], **keys)], np.ones(1))

    first = drawn()
    for same in (run_of(seed="3"), run_of("depth4")):
        np.testing.assert_array_equal(drawn(run=same), first)
    others = [
        {"run": run_of()._replace(ratio="60-40")},
        {"run": run_of()._replace(sampler="heun-9")},
        {"metric": "y:e"},
        {"k": 3},
    ]
    for keys in others:
        assert not np.isclose(drawn(**keys), first).all(), keys
