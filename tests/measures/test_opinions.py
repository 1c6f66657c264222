"""Classifiers beside the study's own: what they are, what is kept of them, how often they err."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.datasets import load_digits

from depthbias.estimates.intervals import stream, wilson
from depthbias.estimates.runs import Run
from depthbias.estimates.tidy import tidy
from depthbias.measures.accuracy_rows import accuracy_rows
from depthbias.measures.opinions import Opinions, read_opinions, write_opinions
from depthbias.measures.samples import noise_of
from depthbias.report.classifier_table import sections, wide_table
from depthbias.system.errors import UserError
from depthbias.vision.other_classifiers import KINDS, equal_draw, fit, log_odds_of

RUN = Run("s", "90-10", "depth2", "0", "ddim-4")


def made_up(runs=(RUN,), names=("network-0", "svm-pixels", "nearest-pixels"), images=40):
    """Opinions in which every classifier but the first is wrong about one held-out image in ten."""
    rng = np.random.default_rng(0)
    log_odds = rng.normal(size=(len(runs), images, len(names), 1)) * [1, -1]
    truth = np.arange(40) % 2
    sure = np.where(truth[:, None] == [0, 1], 3.0, -3.0)
    heldout = np.repeat(sure[:, None], len(names), axis=1)
    heldout[:4, 1:] *= -1
    kept = log_odds.astype(np.float32), heldout.astype(np.float32), truth
    return Opinions(tuple(runs), tuple(names), ("six", "nine"), noise_of([0], images), *kept)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_every_kind_tells_sixes_from_nines(kind, metric):
    digits = load_digits()
    pool = [np.flatnonzero(digits.target == 6), np.flatnonzero(digits.target == 9)]
    rows, labels = equal_draw([own[:120] for own in pool], 100, lambda k: stream("test", str(k)))
    assert np.bincount(labels).tolist() == [100, 100] and len(set(rows)) == 200
    fitted = fit(f"{kind}-pixels", metric, digits.data[rows], labels)
    held = np.concatenate([own[120:] for own in pool])
    found = fitted.predict_proba(digits.data[held])
    assert found.sum(axis=1) == pytest.approx(1)
    assert (found.argmax(axis=1) == (digits.target[held] == 9)).mean() > 0.98
    again = fit(f"{kind}-pixels", metric, digits.data[rows], labels)
    assert np.array_equal(again.predict_proba(digits.data[held]), found)


def test_too_few_images_to_fit_on_are_named():
    with pytest.raises(UserError, match=r"svm-pixels: 8 images to fit it on, 15 needed"):
        fit("svm-pixels", "euclidean", np.zeros((8, 2)), np.arange(8) % 2)


def test_no_class_has_more_images_than_the_smallest_or_than_asked_for():
    pool = [np.arange(50), np.arange(50, 57)]
    for most, kept in ((100, 7), (3, 3)):
        rows, labels = equal_draw(pool, most, lambda k: stream("test", str(k)))
        assert np.bincount(labels).tolist() == [kept, kept]
        assert all(row in pool[label] for row, label in zip(rows, labels, strict=True))


def test_log_odds_are_those_of_the_probabilities_and_finite():
    told = log_odds_of(np.array([[0.2, 0.8], [0.0, 1.0]], dtype=np.float32))
    assert expit(told[0]) == pytest.approx([0.2, 0.8])
    assert np.isfinite(told).all() and told[1, 1] == -told[1, 0] > 13


def test_opinions_are_read_as_they_were_written(tmp_path):
    opinions = made_up([RUN, RUN._replace(seed="1")])
    write_opinions(tmp_path / "o.npz", opinions)
    found = read_opinions(tmp_path / "o.npz", "s")
    assert (found.runs, found.names, found.classes) == (
        opinions.runs,
        opinions.names,
        opinions.classes,
    )
    assert np.array_equal(found.of(RUN._replace(seed="1")), opinions.log_odds[1])
    for member in ("noise", "log_odds", "heldout", "truth"):
        np.testing.assert_array_equal(getattr(found, member), getattr(opinions, member))
    with pytest.raises(UserError, match=r"o\.npz: a run of study 's', not of 't'"):
        read_opinions(tmp_path / "o.npz", "t")
    told = "no other classifier saw 90-10, depth2, seed 7, ddim-4: compare the classifiers again"
    with pytest.raises(UserError, match=told):
        found.of(RUN._replace(seed="7"))


@pytest.mark.parametrize(
    "change",
    [
        {"names": ("network-0",)},
        {"noise": noise_of([0], 39)},
        {"truth": np.zeros(40, dtype=int)},
        {"heldout": np.full((40, 3, 2), np.nan, dtype=np.float32)},
        {"log_odds": np.zeros((1, 40, 3, 2), dtype=int)},
    ],
)
def test_damaged_opinions_are_refused(tmp_path, change):
    write_opinions(tmp_path / "o.npz", replace(made_up(), **change))
    with pytest.raises(UserError, match=r"o\.npz: is damaged: compare the classifiers again"):
        read_opinions(tmp_path / "o.npz", "s")


def test_accuracy_and_confusion_are_counted_on_held_out_images():
    rows = pd.DataFrame(tidy(accuracy_rows("s", made_up()))).set_index(["metric", "class"])
    assert rows.loc[("classifier_accuracy:network-0", ""), "value"] == 1
    of_class = rows.loc[("classifier_accuracy:svm-pixels", "nine")]
    assert of_class[["value", "lower", "upper", "n"]].tolist() == list(wilson(18, 20))
    assert rows.loc[("classifier_accuracy:svm-pixels", ""), "value"] == pytest.approx(0.9)
    assert rows.loc[("classified_as:svm-pixels", "nine->six"), "value"] == pytest.approx(0.1)
    assert rows.loc[("classified_as:svm-pixels", "six->six"), "value"] == pytest.approx(0.9)


def test_the_table_has_a_line_for_every_classifier():
    summary = pd.DataFrame(tidy(accuracy_rows("s", made_up())))
    wide = wide_table(summary).set_index("classifier")
    assert list(wide.index) == ["network-0", "svm-pixels", "nearest-pixels"]
    assert wide.loc["svm-pixels", "accuracy nine"] == pytest.approx(0.9)
    accuracy, taken = sections(summary)
    assert accuracy.header == ["classifier", "balanced", "six", "nine"]
    assert accuracy.rows[1][0] == "svm-pixels" and accuracy.rows[1][2].startswith("90.0 [")
    assert "six->nine" in taken.header and "40 held-out" in accuracy.note
    with pytest.raises(UserError, match="measure the study's classifiers"):
        wide_table(summary.assign(metric="kappa"))
