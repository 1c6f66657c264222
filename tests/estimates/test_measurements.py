"""Means of images as measurements: what is not a number, and how many runs a row rests on."""

import numpy as np
import pytest

from depthbias.estimates.intervals import Estimate
from depthbias.estimates.measurements import Measured, mean_of, rows_of
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
