"""Copies seen from the training images, and the thresholds that say what a copy is."""

import numpy as np
import pytest

from depthbias.estimates.runs import Run
from depthbias.measures.copied_training import copied_shares, first_above, first_of, sample_counts
from depthbias.measures.copy_thresholds import calibrate, in_words, read_thresholds, told
from depthbias.system.errors import UserError
from depthbias.system.files import write_json

RUN = Run("s", "90-10", "depth3", "0", "ddim-25")


def directions(count, width=6, seed=0):
    vectors = np.random.default_rng(seed).normal(size=(count, width))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("block", [1 << 28, 2000])
def test_the_first_copy_is_found_block_by_block(monkeypatch, block):
    monkeypatch.setattr("depthbias.measures.copied_training.BLOCK_BYTES", block)
    samples, training = directions(40), directions(25, seed=1)
    above = training @ samples.T > 0.7
    expected = [row.argmax() if row.any() else 40 for row in above]
    assert first_above(3 * samples, 5 * training, 0.7).tolist() == expected
    assert 0 < above.any(axis=1).mean() < 1


def test_the_first_flagged_image_copies():
    copied, flags = np.array([2, 0, 2, 1]), np.array([False, True, True, False])
    assert first_of(copied, flags, 4).tolist() == [1, 4, 2, 4]


def test_the_numbers_of_samples_end_at_all():
    assert sample_counts(40) == [1, 2, 5, 10, 20, 40]
    assert sample_counts(50) == [1, 2, 5, 10, 20, 50]
    assert sample_counts(1) == [1]


def curve(samples, training, labels=None):
    first = first_above(samples, training, 0.8)
    labels = np.zeros(len(training), dtype=int) if labels is None else labels
    found = copied_shares(RUN, "sscd", first, len(samples), labels, ["six", "nine"])
    return {(m.class_name, m.k): m.estimate.value for m in found}


def test_the_training_images_themselves_copy_all_of_them():
    training = directions(30)
    labels = np.arange(30) % 2
    found = curve(training, training, labels)
    assert found["", 30] == found["six", 30] == found["nine", 30] == 1
    assert found["", 1] >= 1 / 30


def test_held_out_images_copy_as_many_as_the_background_of_the_same_kind():
    """Two draws of one population: shares within three standard errors of their difference."""
    training, first, second = directions(800), directions(60, seed=2), directions(60, seed=3)
    values = [curve(samples, training)["", 60] for samples in (first, second)]
    assert min(values) > 0.1 and max(values) < 0.9
    assert abs(values[0] - values[1]) < 3 * np.sqrt(2 * 0.25 / 60)


def test_more_samples_copy_no_fewer_training_images():
    found = curve(directions(90), directions(200, seed=4))
    values = [found["", count] for count in sample_counts(90)]
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
    with pytest.raises(UserError, match=r"about\.json: a threshold is not described"):
        read_thresholds(tmp_path / "about.json")
    with pytest.raises(UserError, match="1 held-out images cannot calibrate"):
        calibrate([np.ones(1)])
