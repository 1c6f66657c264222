"""Mixes of held-out real images at a training ratio, and the rows of the control."""

from pathlib import Path

import numpy as np
import pytest

from depthbias.data.subsets import Subset
from depthbias.measures.class_shares import Instrument
from depthbias.measures.real_mixes import control_rows, draw_mix, mix_counts

CLASSES = ("six", "nine")


def subset(ratio, seed, counts):
    labels = np.repeat(np.arange(len(counts)), counts)
    return Subset(Path("x"), ratio, seed, CLASSES, np.arange(len(labels)), labels)


@pytest.mark.parametrize(
    ("counts", "available", "mixed"),
    [
        ([90, 10], [50, 50], [45, 5]),
        ([90, 10], [9, 1], [9, 1]),  # one whole multiple is enough
        ([90, 10], [18, 1], [9, 1]),
        ([90, 10], [10, 2], [9, 1]),  # not 10 and 1, which other proportions have
        ([60, 40, 0], [6, 8, 5], [6, 4, 0]),  # a class that was not trained is left out
        ([0, 10], [5, 7], [0, 7]),
        ([611, 389], [100, 50], [78, 50]),  # no whole multiple: 100 x 0.611 / 0.389 rounded down
        ([611, 389, 0], [100, 50, 9], [78, 50, 0]),
    ],
)
def test_the_largest_mix_with_the_proportions_of_training(counts, available, mixed):
    found = mix_counts(np.array(counts), np.array(available))
    assert found.tolist() == mixed and found.dtype.kind == "i"


def test_every_class_is_drawn_by_its_name_and_the_key():
    """Other classes, ratios or seeds change what is drawn; other numbers of one class do not."""
    labels = np.repeat([0, 1], 40)
    rows = draw_mix(labels, np.array([20, 10]), CLASSES, "control", "90-10", "0")
    assert (np.diff(rows) > 0).all() and np.bincount(labels[rows]).tolist() == [20, 10]
    fewer = draw_mix(labels, np.array([5, 10]), CLASSES, "control", "90-10", "0")
    assert set(fewer) < set(rows) and fewer[5:].tolist() == rows[20:].tolist()
    swapped = draw_mix(1 - labels, np.array([20, 10]), CLASSES[::-1], "control", "90-10", "0")
    assert set(labels[swapped][swapped < 40]) == {0}
    alike = draw_mix(labels, np.array([20, 20]), ("a", "b"), "control")
    assert (alike[:20] + 40).tolist() != alike[20:].tolist()  # classes are drawn apart


def control(subsets, truth, predicted, draws=300):
    instrument = Instrument(CLASSES, np.array([[95, 10], [5, 90]]), draws)
    return list(control_rows("study", truth, predicted, subsets, instrument))


def test_the_errors_in_each_class_are_drawn_apart():
    """A coin for a classifier: 80 images in one class or in two have one interval."""
    coin = np.arange(80) % 2
    widths = []
    for truth, ratio in ((np.repeat([0, 1], 40), [40, 40]), (np.repeat([0, 1], [79, 1]), [79, 1])):
        rows = control([subset("x", "7", ratio)], truth, coin, draws=2000)
        (row,) = (r for r in rows if (r["metric"], r["class"]) == ("share_raw", "nine"))
        widths.append(row["upper"] - row["lower"])
    assert widths[0] == pytest.approx(widths[1], rel=0.1)


def test_rows_of_the_control():
    """Every image is classified as its own class but every fifth nine; 40 sixes, 40 nines."""
    truth = np.repeat([0, 1], 40)
    predicted = truth.copy()
    predicted[40::5] = 0
    rows = control([subset("75-25", "7", [30, 10])], truth, predicted)
    assert len(rows) == 3 * 2
    by_key = {(row["metric"], row["class"]): row for row in rows}
    keys = {"study": "study", "ratio": "75-25", "architecture": "real", "seed": "7", "sampler": ""}
    for row in rows:
        assert {key: row[key] for key in keys} == keys
    assert {row["n"] for row in rows} == {52}  # 39 and 13
    assert by_key["share_control", "six"]["value"] == 0.75
    assert by_key["share_control", "nine"]["value"] == 0.25
    raw = by_key["share_raw", "nine"]
    assert raw["value"] * 52 == pytest.approx(round(raw["value"] * 52)) and raw["value"] <= 0.25
    assert by_key["share_raw", "six"]["value"] == pytest.approx(1 - raw["value"])
    corrected = by_key["share_corrected", "nine"]
    assert corrected["value"] == pytest.approx((raw["value"] - 0.05) / 0.85)
    for name in CLASSES:
        for metric in ("share_raw", "share_corrected"):
            row = by_key[metric, name]
            assert row["lower"] < row["value"] < row["upper"] and row["runs"] == 1


def test_mixes_of_other_ratios_and_seeds_are_others():
    """30 of 600 nines, half of which are taken for sixes: as many in all mixes has no chance."""
    truth = np.repeat([0, 1], [30, 600])
    predicted = np.where(np.arange(630) % 2, truth, 0)
    of = {"ratio": ["75-25", "60-40", "natural", "50-50", "90-10"], "seed": list("01234")}
    for key, names in of.items():
        subsets = [subset(*(name if k == key else "0" for k in of), [20, 20]) for name in names]
        raw = [r for r in control(subsets, truth, predicted) if r["metric"] == "share_raw"]
        assert len({row["value"] for row in raw if row["class"] == "nine"}) > 2


def test_draws_of_equal_mixes_differ_by_ratio_and_seed():
    """All images are used, so the mix is the same and only its draws differ."""
    truth = np.repeat([0, 1], 30)
    predicted = np.where(np.arange(60) % 3, truth, 1 - truth)
    names = [("75-25", "0"), ("75-25", "1"), ("natural", "0")]
    rows = control([subset(ratio, seed, [20, 20]) for ratio, seed in names], truth, predicted)
    raw = [row for row in rows if row["metric"] == "share_raw" and row["class"] == "nine"]
    assert len({row["value"] for row in raw}) == 1 and len({row["upper"] for row in raw}) == 3


def test_classes_of_a_mix_are_resampled_apart():
    """Each errs in 10 of 30: the deviation of the sum of two independent Jeffreys' posteriors."""
    truth = np.repeat([0, 1], 30)
    predicted = np.where(np.arange(60) % 3, truth, 1 - truth)
    rows = control([subset("50-50", "0", [20, 20])], truth, predicted, draws=4000)
    (row,) = (r for r in rows if r["metric"] == "share_raw" and r["class"] == "nine")
    p, n = 10.5 / 31, 32
    expected = 1.96 * np.sqrt(2 * 0.25 * p * (1 - p) / n)
    assert (row["upper"] - row["lower"]) / 2 == pytest.approx(expected, rel=0.05)


def test_a_class_without_a_control_image_counts_for_nothing():
    truth = np.zeros(20, dtype=int)
    rows = control([subset("natural", "0", [20, 0])], truth, truth)
    by_key = {(row["metric"], row["class"]): row["value"] for row in rows}
    assert by_key["share_control", "six"] == by_key["share_raw", "six"] == 1
