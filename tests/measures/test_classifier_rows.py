"""What several classifiers find: their spread in intervals, thresholds, agreement."""

from dataclasses import replace
from itertools import combinations, product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from coverage_study import coverage_of_classifiers
from scipy import stats
from scipy.special import expit, logit

from depthbias.data.subsets import Subset
from depthbias.estimates.intervals import Estimate, from_draws, over_seeds, share_over_seeds
from depthbias.estimates.runs import Run
from depthbias.estimates.tidy import read_rows, write_rows
from depthbias.measures.accuracy_rows import accuracy_rows
from depthbias.measures.agreement_rows import agreement_rows
from depthbias.measures.between_classifiers import (
    classifier_half_width,
    over_classifiers,
    share_over_classifiers,
    widened,
)
from depthbias.measures.classifier_rows import classifier_rows
from depthbias.measures.manifolds import Manifold
from depthbias.measures.opinions import Opinions
from depthbias.measures.samples import noise_of
from depthbias.measures.seen import THRESHOLDS, instruments_of, reaches, see
from depthbias.report.classifier_table import sections
from depthbias.report.registry import draw
from depthbias.system.errors import UserError

NAMES = ("network-0", "svm-pixels", "nearest-pixels")
CLASSES = ("six", "nine")
RATIOS = {"90-10": 0.1, "60-40": 0.4}
RUNS = [
    Run("s", ratio, architecture, seed, "ddim-4")
    for ratio, architecture, seed in product(RATIOS, ("depth2", "depth3"), "01")
]
IMAGES = 200


def opinions(tilt=0.0):
    """Images of which a tenth or 40 % are surely nine; the last classifier doubts every tenth."""
    told = np.empty((len(RUNS), IMAGES, len(NAMES)))
    for r, run in enumerate(RUNS):
        nine = np.random.default_rng([7, r]).random(IMAGES) < RATIOS[run.ratio]
        told[r] = np.where(nine, 4.0, -4.0)[:, None]
    told[:, ::10, -1] += tilt
    truth = np.arange(400) % 2
    heldout = np.repeat(np.where(truth, 4.0, -4.0)[:, None], len(NAMES), axis=1)
    heldout[:20] *= -1  # one in twenty is wrong, by every classifier
    both = [np.stack([-x, x], axis=-1).astype(np.float32) for x in (told, heldout)]
    return Opinions(tuple(RUNS), NAMES, CLASSES, noise_of([0], IMAGES), *both, truth)


def found(made, draws=400, accepted=None):
    subsets = [
        Subset(
            Path("s.json"),
            ratio,
            seed,
            CLASSES,
            rows=np.arange(100),
            labels=(np.arange(100) >= 100 - 100 * share).astype(int),
        )
        for ratio, share in RATIOS.items()
        for seed in "01"
    ]
    if accepted is None:
        accepted = np.arange(IMAGES) % 4 > 0
    rates, held = np.array([0.9, 0.9]), np.array([50, 50])
    accepted = np.tile(accepted, (len(RUNS), 1))
    manifold = Manifold(tuple(RUNS), made.noise, accepted, rates, held, 5, "pixels", CLASSES)
    seen = list(see(Path("o.npz"), made, instruments_of(made, draws), subsets, manifold))
    rows = [*classifier_rows(seen, CLASSES), *agreement_rows(seen, made)]
    return seen, [*accuracy_rows("s", made), *rows]


@pytest.fixture
def summary(tmp_path):
    path = tmp_path / "rows.csv"
    write_rows(path, found(opinions(tilt=6.0))[1])
    return read_rows(path)


def picked(summary, metric, **keys):
    rows = summary[summary.metric == metric]
    for key, value in keys.items():
        rows = rows[rows[key.rstrip("_")] == value]
    assert len(rows) == 1, rows
    return rows.iloc[0]


def test_the_spread_of_classifiers_enters_by_student():
    values = np.array([[1.0, 1.0], [2.0, 2.0], [4.0, 4.0]])
    estimate = over_classifiers(values, np.repeat(values[..., None], 50, axis=2), 7, seeds=True)
    half = stats.t.ppf(0.975, 2) * np.std([1, 2, 4], ddof=1) / np.sqrt(3)
    assert estimate == pytest.approx((7 / 3, 7 / 3 - half, 7 / 3 + half, 7))
    assert widened(Estimate(0, -3, 4, 1), 4.0)[:3] == pytest.approx((0, -5, np.sqrt(32)))


@pytest.mark.parametrize("seeds", [False, True])
@pytest.mark.parametrize("level", [0.0, 0.03, 0.5, 1.0])
def test_the_spread_of_shares_enters_on_the_logit_scale(level, seeds):
    """By hand: Student's half width of the shares over d share / d logit, beside the interval's."""
    rng, n = np.random.default_rng(1), 40
    values = np.clip(level + np.array([[0.0, 0.01], [0.02, 0.0], [-0.02, 0.03]]), 0, 1)
    values = np.full((3, 2), level) if level in (0.0, 1.0) else values
    draws = np.clip(values[..., None] + 0.02 * rng.normal(size=(3, 2, 60)), 0, 1)
    found = share_over_classifiers(values, draws, n, seeds)
    mean, drawn = values.mean(axis=0), draws.mean(axis=0)
    alone = share_over_seeds(mean, drawn, n) if seeds else from_draws(mean[0], drawn[0], n)
    ends = np.clip(alone[:3], 0.5 / n, 1 - 0.5 / n)
    each = np.clip(values.mean(axis=1), 0.5 / n, 1 - 0.5 / n)
    spread = stats.t.ppf(0.975, 2) * each.std(ddof=1) / np.sqrt(3) / (ends[0] * (1 - ends[0]))
    middle, below, above = logit(ends)
    lower = expit(middle - np.hypot(middle - below, spread))
    upper = expit(middle + np.hypot(above - middle, spread))
    assert found.value == alone.value and found.n == n
    assert found.lower == pytest.approx(min(lower, alone.value))
    assert found.upper == pytest.approx(max(upper, alone.value))


def test_the_spread_of_one_classifier_is_unknown_and_of_two_that_of_a_difference():
    assert classifier_half_width(np.array([3.0])) == 0
    half = stats.t.ppf(0.975, 1) * 2.0 / 2  # the error of a mean of two is half their difference
    assert classifier_half_width(np.array([3.0, 5.0])) == pytest.approx(half)


def test_one_model_has_the_interval_of_its_own_images():
    values, draws = np.array([[1.0], [2.0]]), np.random.default_rng(2).normal(size=(2, 1, 50))
    found = over_classifiers(values, draws, 7, seeds=False)
    half = classifier_half_width(values[:, 0])
    assert found == pytest.approx(widened(from_draws(1.5, draws.mean(axis=0)[0], 7), half))


def test_classifiers_that_agree_change_no_interval():
    rng = np.random.default_rng(0)
    values = rng.uniform(0.1, 0.2, 3)
    draws = np.clip(values[:, None] + 0.02 * rng.normal(size=(3, 400)), 0, 1)
    alike = [np.repeat(x[None], 4, axis=0) for x in (values, draws)]
    share = share_over_classifiers(*alike, 900, seeds=True)
    assert share == pytest.approx(share_over_seeds(values, draws, 900))
    assert over_classifiers(*alike, 900, seeds=True) == pytest.approx(
        over_seeds(values, draws, 900)
    )


def test_coverage_over_classifiers():
    cover = coverage_of_classifiers(3, 0.3, 3, 200)
    assert cover["shipped"] > 0.92 > cover["without"]


def test_shares_of_every_classifier_are_corrected_with_its_confusion(summary):
    raw = picked(summary, "share_above:svm-pixels", ratio="90-10", architecture="depth2", k=0.5)
    keys = {"ratio": "90-10", "architecture": "depth2", "seed": "all", "class_": "nine"}
    share = picked(summary, "share_by:svm-pixels", **keys)
    assert share.value == pytest.approx((raw.value - 0.05) / 0.9)  # Rogan and Gladen
    shift = picked(summary, "log_odds_shift_by:svm-pixels", **keys)
    assert shift.value == pytest.approx(logit(share.value) - logit(0.1))
    assert share.lower < share.value < share.upper
    both = [picked(summary, "share_by:svm-pixels", **keys | {"class_": c}).value for c in CLASSES]
    assert sum(both) == pytest.approx(1)


def test_the_mean_over_classifiers_holds_their_spread(summary):
    keys = {"ratio": "90-10", "architecture": "depth3", "class_": "nine", "seed": "all"}
    shares = [picked(summary, f"share_by:{name}", **keys) for name in NAMES]
    mean = picked(summary, "share_over_classifiers", **keys)
    assert mean.value == pytest.approx(np.mean([one.value for one in shares]))
    assert mean.upper - mean.lower > max(one.upper - one.lower for one in shares)
    spread = picked(summary, "log_odds_classifier_deviation", **keys)
    assert spread.value == pytest.approx(np.std(logit([one.value for one in shares]), ddof=1))
    one = picked(summary, "share_over_classifiers", **keys | {"seed": "1"})
    assert one.lower < one.value < one.upper and one.n == IMAGES
    assert set(summary.metric) >= {
        "kappa_over_classifiers",
        "kappa_by:nearest-pixels",
        "kappa_per_depth_over_classifiers",
        "log_odds_shift_per_depth_by:network-0",
    }


def test_a_classifier_that_sees_more_nines_moves_kappa_and_its_own_rows_alone(summary):
    keys = {"architecture": "depth2", "seed": "all", "class_": "nine"}
    first, second, tilted = (picked(summary, f"kappa_by:{name}", **keys).value for name in NAMES)
    assert first == second and tilted < first  # as many more nines matter less at 60-40
    mean = picked(summary, "kappa_over_classifiers", **keys)
    assert mean.value == pytest.approx(np.mean([first, second, tilted]))
    slopes = [picked(summary, f"kappa_per_depth_by:{name}", class_="nine").value for name in NAMES]
    mean = picked(summary, "kappa_per_depth_over_classifiers", class_="nine")
    assert mean.value == pytest.approx(np.mean(slopes)) and mean.architecture == "published"


def test_agreement_is_counted_on_and_off_the_manifold():
    made = opinions(tilt=6.0)
    labels = made.log_odds.argmax(axis=3)
    accepted = np.arange(IMAGES) % 4 > 0
    seen, _ = found(made, accepted=accepted)
    for r, one in enumerate(seen):
        same = (labels[r] == labels[r, :, :1]).all(axis=1)
        shares = {key: part.values[0] for key, part in one.agreed.items()}  # noqa: PD011
        assert shares[""] == pytest.approx(same.mean())
        assert shares["_inside"] == pytest.approx(same[accepted].mean())
        assert shares["_outside"] == pytest.approx(same[~accepted].mean())
        assert one.agreed["_outside"].n == (~accepted).sum()
        pair = labels[r, :, 0] == labels[r, :, 2]
        assert shares[":network-0~nearest-pixels"] == pytest.approx(pair.mean())
    assert len(seen[0].agreed) == 3 * (1 + len(list(combinations(NAMES, 2))))


def test_without_an_image_off_the_manifold_there_is_no_such_row():
    _, rows = found(opinions(), accepted=np.ones(IMAGES, dtype=bool))
    metrics = {row["metric"] for row in rows}
    assert "agreement_inside" in metrics and "agreement_outside" not in metrics


def test_held_out_images_stand_beside_at_every_threshold(summary):
    rows = summary[(summary.metric == "share_above:network-0") & (summary.ratio == "60-40")]
    real = rows[rows.architecture == "real"]
    assert sorted(real.k) == list(THRESHOLDS)
    assert real.value.to_numpy() == pytest.approx(0.4 * 0.95 + 0.6 * 0.05)  # all are sure
    agreement = picked(summary, "agreement", architecture="real")
    assert agreement.value == 1 and agreement.n == 400


def test_a_classifier_that_cannot_tell_the_classes_is_named():
    made = opinions()
    heldout = made.heldout.copy()
    heldout[:, 1] = [1, -1]
    with pytest.raises(UserError, match=r"svm-pixels: singular .*: leave it out"):
        instruments_of(replace(made, heldout=heldout), 100)


def test_a_probability_of_the_threshold_itself_reaches_it():
    told = logit([0.7, 0.75, 0.8]).astype(np.float32)
    assert reaches(told, 0.75).tolist() == [False, True, True]


def test_a_manifold_of_other_images_and_a_lost_subset_are_named():
    made = opinions()
    instruments, path = instruments_of(made, 10), Path("o.npz")
    arrays = np.ones((len(RUNS), IMAGES), dtype=bool), np.ones(2), np.ones(2, dtype=int)
    for noise_seed, words in (
        (1, "not from the noise of the manifold: measure the quality again"),
        (0, "no subset 90-10 of seed 0 was given"),
    ):
        noise = noise_of([noise_seed], IMAGES)
        manifold = Manifold(tuple(RUNS), noise, *arrays, 5, "pixels", CLASSES)
        with pytest.raises(UserError) as caught:
            list(see(path, made, instruments, [], manifold))
        assert str(caught.value) == f"o.npz: {words}"


def test_the_table_and_the_figure_show_all_classifiers(summary):
    headings = [section.heading for section in sections(summary)]
    assert headings[2:] == [
        "Log-odds shift by classifier",
        "Kappa by classifier",
        "Change of the log-odds shift with every stage more",
        "Change of kappa with every stage more",
        "Agreement",
    ]
    shifts, agreement = sections(summary)[2], sections(summary)[-1]
    assert shifts.header == ["models", "all of them", *NAMES]
    assert [line[0] for line in agreement.rows] == [
        "depth2, trained on 90-10",
        "depth3, trained on 90-10",
        "depth2, trained on 60-40",
        "depth3, trained on 60-40",
        "real, all ratios",
    ]
    figure = draw("thresholds", summary, {})
    assert len(figure.axes) == 4
    line = figure.axes[0].containers[2].lines[0]
    assert len(line.get_xdata()) == len(THRESHOLDS)
    with pytest.raises(UserError, match="measure the study's classifiers"):
        draw("thresholds", pd.DataFrame(summary[summary.metric == "agreement"]), {})
