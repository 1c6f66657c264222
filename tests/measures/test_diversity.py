"""Rows of mean pair distances: of runs and of real images, against loops over all pairs."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform
from scipy.stats import t as student

from depthbias.estimates.intervals import QUANTILES
from depthbias.estimates.runs import Run
from depthbias.measures.diversity import diversity
from depthbias.measures.embedding_files import RealEmbedded, RunEmbedded
from depthbias.measures.samples import noise_of

CLASSES = ("six", "nine", "two")
ABOUT = {"diversity": {"embedding": "lpips-alex", "metric": "squared"}}
SHARES = {"first": np.array([0.6, 0.3, 0.1]), "second": np.array([0.2, 0.3, 0.5])}


def made_up(labels, seed):
    """(distances [N, N], summed to the images of every class [N, K])."""
    points = np.random.default_rng(seed).normal(size=(len(labels), 3)) + labels[:, None]
    matrix = squareform(pdist(points, "sqeuclidean"))
    return matrix, np.stack([matrix[:, labels == c].sum(axis=1) for c in range(3)], axis=1)


def a_run(ratio, labels, seed=0):
    matrix, sums = made_up(labels, seed)
    run = Run("s", ratio, "depth2", str(seed), "ddim-4")
    noise = noise_of([1], len(labels))
    return RunEmbedded(Path("a"), labels, CLASSES, ABOUT, sums, run, noise), matrix


def real_images():
    """Held out are the last ones alone: the classes of the others must not count."""
    held = np.array([0, 1, 2, 0, 1, 2, 0, 0, 1, 2])
    matrix, sums = made_up(held, 9)
    labels = np.concatenate([np.zeros(6, int), held])
    rows, heldout = np.arange(16), np.arange(16) >= 6
    return RealEmbedded(Path("r"), labels, CLASSES, ABOUT, sums, rows, heldout), held, matrix


def means(matrix, labels, shares):
    """{(metric, class): mean over pairs}; NaN without a pair."""
    pairs = {}
    for i, j in combinations(range(len(labels)), 2):
        pairs.setdefault(tuple(sorted((labels[i], labels[j]))), []).append(matrix[i, j])
    mean = {key: np.mean(values) for key, values in pairs.items()}
    found = {("lpips_within", CLASSES[a]): mean.get((a, a), np.nan) for a in range(3)}
    for a, b in combinations(range(3), 2):
        found["lpips_between", f"{CLASSES[a]}~{CLASSES[b]}"] = mean.get((a, b), np.nan)
    found["mix", ""] = sum(
        shares[a] * shares[b] * mean.get(tuple(sorted((a, b))), np.nan)
        for a in range(3)
        for b in range(3)
    )
    found["all", ""] = np.concatenate(list(pairs.values())).mean()
    return found


def values_of(measured):
    assert all(m.metric.endswith(":alex") for m in measured)
    return {(m.metric.removesuffix(":alex"), m.class_name): m.estimate.value for m in measured}


LABELS = np.array([0, 0, 1, 2, 1, 0, 2, 1, 2, 0, 0])


def test_rows_are_means_over_pairs():
    runs = [a_run("first", LABELS), a_run("second", LABELS, 1)]
    real, labels, distances = real_images()
    measured = list(diversity(real, [model for model, _ in runs], SHARES))
    for model, matrix in runs:
        mine = [m for m in measured if m.run == model.run]
        expected = means(matrix, LABELS, SHARES[model.run.ratio])
        expected["lpips", ""] = expected.pop(("all", ""))
        expected["lpips_standardised", ""] = expected.pop(("mix", ""))
        assert values_of(mine) == pytest.approx(expected)
        assert [m.metric for m in mine[:2]] == ["lpips:alex", "lpips_standardised:alex"]
        assert not any(m.share for m in mine)
    for ratio, shares in SHARES.items():
        mine = [m for m in measured if m.run == Run("s", ratio, "real", "all")]
        expected = means(distances, labels, shares)
        del expected["all", ""]
        expected["lpips", ""] = expected.pop(("mix", ""))
        assert values_of(mine) == pytest.approx(expected)
    assert len(measured) == 2 * (2 + 6) + 2 * (1 + 6)


def test_images_are_kept_so_that_models_can_be_compared():
    """Their mean is the value, their error that of the interval."""
    model, _ = a_run("first", LABELS)
    overall, mixed, *others = list(diversity(real_images()[0], [model], SHARES))
    for m, freedom in ((overall, 10), (mixed, 8)):
        assert m.values.shape == (11,)
        assert m.values.mean() == pytest.approx(m.estimate.value)
        half = student.ppf(QUANTILES[1], freedom) * m.values.std(ddof=1) / np.sqrt(11)
        assert m.estimate.upper - m.estimate.value == pytest.approx(half)
    assert all(m.values is None for m in others)


@pytest.mark.parametrize(
    ("labels", "value"),
    [(np.array([0, 0, 0, 1, 1, 1]), False), (np.array([0, 0, 0, 1, 1, 1, 2, 2]), True)],
)
def test_a_class_without_a_pair_or_an_error_keeps_no_image(labels, value):
    """No image of a class: no value. Two images: a value without an interval."""
    model, _ = a_run("first", labels)
    mixed = list(diversity(real_images()[0], [model], SHARES))[1]
    assert np.isfinite(mixed.estimate.value) == value
    assert np.isnan(mixed.estimate.lower) and mixed.values is None


def test_a_class_that_was_not_trained_keeps_no_image():
    model, matrix = a_run("first", LABELS)
    shares = np.array([0.5, 0.5, 0.0])
    mixed = list(diversity(real_images()[0], [model], {"first": shares}))[1]
    assert mixed.estimate.value == pytest.approx(means(matrix, LABELS, shares)["mix", ""])
    assert np.isfinite(mixed.estimate.lower) and mixed.values is None
