"""Copies seen from the training images, and the thresholds that say what a copy is."""

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from depthbias.estimates.runs import Run
from depthbias.measures.copied_training import (
    copied_chances,
    copied_shares,
    copies_of_each,
    sample_counts,
)
from depthbias.measures.copy_thresholds import calibrate, in_words, read_thresholds, told
from depthbias.system.errors import UserError
from depthbias.system.files import write_json

RUN = Run("s", "90-10", "depth3", "0", "ddim-25")


def directions(count, width=6, seed=0):
    vectors = np.random.default_rng(seed).normal(size=(count, width))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("block", [1 << 28, 2000])
def test_copies_are_counted_block_by_block(monkeypatch, block):
    monkeypatch.setattr("depthbias.measures.copied_training.BLOCK_BYTES", block)
    samples, training = directions(40), directions(25, seed=1)
    expected = (training @ samples.T > 0.7).sum(axis=1)
    assert copies_of_each(3 * samples, 5 * training, 0.7).tolist() == expected.tolist()
    assert 0 < (expected > 0).mean() < 1


def test_the_numbers_of_samples_end_at_all():
    assert sample_counts(40) == [1, 2, 5, 10, 20, 40]
    assert sample_counts(50) == [1, 2, 5, 10, 20, 50]
    assert sample_counts(1) == [1]


@pytest.mark.parametrize("k", [1, 2, 4, 7])
def test_chances_are_those_of_all_subsets_of_the_samples(k):
    counts = np.array([0, 1, 3, 7, 1])
    subsets = list(combinations(range(7), k))
    expected = [np.mean([min(rows) < count for rows in subsets]) for count in counts]
    assert copied_chances(counts, 7, k) == pytest.approx(expected, abs=1e-12)


def shares(samples, training, labels=None):
    counts = copies_of_each(samples, training, 0.8)
    labels = np.zeros(len(training), dtype=int) if labels is None else labels
    found = copied_shares(RUN, "sscd", counts, len(samples), labels, ["six", "nine"])
    return {(m.class_name, m.k): m.estimate for m in found}


def test_the_training_images_themselves_copy_all_of_them():
    training = np.eye(30)
    found = shares(training, training, np.arange(30) % 2)
    assert found["", 30].value == found["six", 30].value == found["nine", 30].value == 1
    assert found["six", 30].n == 15
    for k in sample_counts(30):  # none is near another: k samples copy k images
        assert found["", k].value == pytest.approx(k / 30)


def test_where_nothing_is_copied_the_interval_says_how_much_could_be():
    found = shares(np.eye(6)[:2], np.repeat(np.eye(6)[2:], 10, axis=0))
    upper = binomtest(0, 40).proportion_ci(method="wilson").high
    assert found["", 2][:3] == pytest.approx((0, 0, upper))
    assert np.isnan(found["nine", 2].value)


def test_the_order_of_samples_and_of_training_images_does_not_matter():
    rng = np.random.default_rng(5)
    samples, training = directions(50), directions(80, seed=1)
    labels = rng.integers(0, 2, 80)
    order = rng.permutation(80)
    assert shares(samples, training, labels) == shares(
        samples[rng.permutation(50)], training[order], labels[order]
    )


def test_held_out_images_copy_as_many_as_others_of_the_same_kind():
    """Two draws of one population: shares within three standard errors of their difference."""
    training, first, second = directions(800), directions(60, seed=2), directions(60, seed=3)
    values = [shares(samples, training)["", 60].value for samples in (first, second)]
    assert min(values) > 0.1 and max(values) < 0.9
    assert abs(values[0] - values[1]) < 3 * np.sqrt(2 * 0.25 / 60)


def test_more_samples_copy_more_training_images():
    found = shares(directions(90), directions(200, seed=4))
    values = [found["", count].value for count in sample_counts(90)]
    assert values == sorted(values) and values[0] < values[-1]


@pytest.mark.parametrize("n", [100, 1000, 5000])
def test_a_calibrated_threshold_returns_its_own_rate(n):
    cosines = [np.random.default_rng(seed).uniform(size=n) for seed in range(3)]
    found = calibrate(cosines)
    assert (np.concatenate(cosines) > found.value).mean() == pytest.approx(0.01, abs=1 / n)
    assert found.lower <= found.value <= found.upper and found.n == n


def test_the_limits_of_a_threshold_cover_it():
    """The 99th percentile of uniform numbers is .99; 500 simulations, at least 95 %."""
    rng = np.random.default_rng(0)
    found = [calibrate([rng.uniform(size=700)]) for _ in range(500)]
    assert np.mean([one.lower <= 0.99 <= one.upper for one in found]) > 0.93
    assert calibrate([rng.uniform(size=60)]).upper == 1


def test_thresholds_are_told_and_read(tmp_path):
    found = calibrate([np.linspace(0, 1, 101)])
    assert found.value == pytest.approx(0.99)
    about = {"a": {"copies": told(found)}, "b": {"copies": told(0.6)}, "pixels": {}}
    write_json(tmp_path / "about.json", about)
    assert read_thresholds(tmp_path / "about.json") == {"a": pytest.approx(0.99), "b": 0.6}
    assert in_words(about["b"]) == "0.6, given" and in_words(about["pixels"]) == "-"
    assert in_words(about["a"]).startswith("0.9900 [")
    write_json(tmp_path / "about.json", {"a": {"copies": {}}})
    with pytest.raises(
        UserError, match=r"about\.json: a threshold is not described .*: measure ag"
    ):
        read_thresholds(tmp_path / "about.json")
    with pytest.raises(UserError, match="1 held-out images cannot calibrate"):
        calibrate([np.ones(1)])


def test_a_cosine_at_the_threshold_is_no_copy():
    assert copies_of_each(np.eye(3), np.eye(3)[:2], 1.0).tolist() == [0, 0]
    assert copies_of_each(np.eye(3), np.eye(3)[:2], 0.999).tolist() == [1, 1]


def test_shares_say_what_they_are_of():
    found = list(copied_shares(RUN, "sscd", np.array([1, 0]), 3, np.array([0, 1]), ["a", "b"]))
    assert {(m.run, m.metric, m.share) for m in found} == {
        (RUN, "training_copied_share:sscd", True)
    }
    assert [(m.class_name, m.k) for m in found] == [("", 1), ("", 2), ("", 3), ("a", 3), ("b", 3)]


@pytest.mark.parametrize("n", [2, 50, 1000])
def test_the_limits_of_a_threshold_are_order_statistics(n):
    """Ranks: the 2.5th and 97.5th percentile of the number of cosines below the true one."""
    cosines = np.sort(np.random.default_rng(n).uniform(size=n))
    first, last = (int(binom.ppf(q, n, 0.99)) for q in (0.025, 0.975))
    found = calibrate([cosines])
    assert found.lower == pytest.approx(cosines[first - 1], abs=1e-12)
    assert found.upper == (1 if last == n else pytest.approx(cosines[last], abs=1e-12))
    assert (last < n) == (n == 1000)
