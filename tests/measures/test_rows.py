"""Grouping of runs, their tidy rows, weights of classes, counts of what is taken for what."""

from typing import NamedTuple

import numpy as np
import pytest

from depthbias.estimates.confusion import confusion_counts
from depthbias.estimates.intervals import Estimate
from depthbias.estimates.runs import Run
from depthbias.estimates.stratified import stratified
from depthbias.measures.rows import by_series, depth_of, grouped, reported_classes, row_of
from depthbias.measures.transitions import transition_counts


class Item(NamedTuple):
    """Something about a run."""

    run: Run


def item(architecture, ratio="90-10", seed="0"):
    return Item(Run("s", ratio, architecture, seed, "ddim-4"))


def test_the_row_of_an_estimate():
    estimate = Estimate(1.0, 0.5, 2.0, 9)
    keys = {"study": "s", "ratio": "90-10", "architecture": "depth2", "seed": "0"}
    keys |= {"sampler": "ddim-4", "value": 1.0, "lower": 0.5, "upper": 2.0, "n": 9}
    assert row_of("m", estimate, item("depth2").run) == keys | {
        "metric": "m",
        "class": "",
        "runs": 1,
    }
    named = row_of("m", estimate, item("depth2").run, "six", 4)
    assert (named["class"], named["runs"]) == ("six", 4)


def test_of_two_classes_the_second_is_reported():
    assert reported_classes(["a", "b"]) == [(1, "b")]
    assert reported_classes(["a", "b", "c"]) == [(0, "a"), (1, "b"), (2, "c")]
    assert reported_classes(["a"]) == [(0, "a")]


def test_runs_are_grouped_in_the_order_of_their_first():
    runs = [item("depth3", "b"), item("depth2", "a"), item("depth3", "a"), item("depth3", "b", "1")]
    assert grouped(runs, "ratio") == [[runs[0], runs[3]], [runs[1], runs[2]]]
    assert grouped(iter(runs), "ratio", "architecture") == [
        [runs[0], runs[3]],
        [runs[1]],
        [runs[2]],
    ]
    assert grouped(runs) == [runs] and grouped([], "ratio") == []


def test_series_have_several_depths():
    assert [depth_of(item(name)) for name in ("depth2", "depth4", "dit-small")] == [2, 4, 0]
    runs = [
        item(name) for name in ("depth3", "dit-small", "depth3-const", "depth2", "depth4-const")
    ]
    assert by_series(runs) == {
        "published": [runs[0], runs[3]],
        "constant-width": [runs[2], runs[4]],
    }
    assert by_series([item("depth2"), item("depth2", seed="1")]) == {}
    depths = {"depth3": 2.0, "depth2": 2.0, "dit-small": 1.0}
    scale = lambda one: depths.get(one.run.architecture, 0.0)  # noqa: E731
    assert by_series(runs, scale) == {}


def test_weights_of_classes_by_hand():
    labels = np.array([1, 0, 1, 1])
    assert stratified(labels, np.array([0.7, 0.3])) == pytest.approx([0.1, 0.7, 0.1, 0.1])
    # A class without an image: the others share its weight as they share their own.
    found = stratified(labels, np.array([0.35, 0.15, 0.5]))
    assert found == pytest.approx([0.1, 0.7, 0.1, 0.1])
    assert stratified(np.array([2, 2]), np.array([0.0, 0.0, 1.0])) == pytest.approx([0.5, 0.5])


def test_counts_of_what_is_taken_for_what():
    found, true = np.array([0, 0, 2, 1]), np.array([0, 2, 2, 0])
    assert confusion_counts(found, true, 3).tolist() == [[1, 0, 1], [1, 0, 0], [0, 0, 1]]
    assert transition_counts(true, found, 3).tolist() == [[1, 1, 0], [0, 0, 0], [1, 0, 1]]
    assert confusion_counts(found[:1], true[:1], 3).sum() == 1
    assert transition_counts(true[:1], found[:1], 2).tolist() == [[1, 0], [0, 0]]
