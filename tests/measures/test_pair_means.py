"""Mean distances over pairs and their errors, against loops over pairs and leaving images out."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist, squareform
from scipy.stats import sem
from scipy.stats import t as student

from depthbias.measures.pair_means import (
    between,
    mean_pairwise,
    mixed,
    overall,
    pseudo_values,
    weighted,
    weighted_values,
    within,
)
from depthbias.system.errors import UserError

LABELS = np.array([0, 2, 1, 0, 0, 2, 1, 1, 0, 2, 2])


def squared_distances(vectors):
    """[N, N]."""
    return squareform(pdist(vectors, "sqeuclidean"))


def upper(matrix):
    return matrix[np.triu_indices(len(matrix), 1)]


def sums_of(matrix, labels, classes):
    """[N, K], the summed distance of each image to those of every class."""
    return np.stack([matrix[:, labels == label].sum(axis=1) for label in range(classes)], axis=1)


def three_classes():
    vectors = np.random.default_rng(3).normal(size=(11, 5)) + LABELS[:, None]
    matrix = squared_distances(vectors)
    return matrix, sums_of(matrix, LABELS, 3)


def jackknife(statistic, labels):
    """Standard error by leaving out every image in turn, within classes: statistic(kept rows)."""
    rows, variance = np.arange(len(labels)), 0.0
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        left = np.array([statistic(np.delete(rows, row)) for row in own])
        variance += (len(own) - 1) / len(own) * ((left - left.mean()) ** 2).sum()
    return np.sqrt(variance)


def test_the_mean_over_pairs_equals_the_loop():
    vectors = np.random.default_rng(0).normal(size=(60, 30))
    expected = upper(squared_distances(vectors)).mean()
    assert mean_pairwise(vectors).value == pytest.approx(expected, rel=1e-12)
    assert mean_pairwise(torch.as_tensor(vectors)).n == 60


@settings(max_examples=25, deadline=None)
@given(count=st.integers(2, 9), width=st.integers(1, 5), offset=st.floats(-1e6, 1e6))
def test_an_offset_of_all_vectors_changes_nothing(count, width, offset):
    vectors = np.random.default_rng(count).integers(-8, 9, (count, width)) / 8
    shifted = vectors + np.round(offset * 8) / 8  # exact in float64
    assert mean_pairwise(shifted).value == pytest.approx(
        upper(squared_distances(vectors)).mean(), rel=1e-12, abs=1e-300
    )


def test_the_jackknife_equals_leaving_out_every_image():
    vectors = np.random.default_rng(1).normal(size=(12, 4))
    matrix = squared_distances(vectors)
    error = jackknife(lambda kept: upper(matrix[np.ix_(kept, kept)]).mean(), np.zeros(12))
    found = mean_pairwise(vectors)
    half_width = student.ppf(0.975, 11) * error
    assert found.upper - found.value == pytest.approx(half_width, rel=1e-9)
    assert found.value - found.lower == pytest.approx(half_width, rel=1e-9)
    pseudo = pseudo_values(matrix.sum(axis=1, keepdims=True))
    assert pseudo.mean() == pytest.approx(found.value, rel=1e-12)
    assert sem(pseudo) == pytest.approx(error, rel=1e-9)


def test_the_interval_covers_and_that_of_independent_pairs_would_not():
    rng, covered, naive = np.random.default_rng(2), 0, 0
    truth = 2 * 3.0  # E|a - b|^2 of three standard normals
    for _ in range(300):
        vectors = rng.normal(size=(50, 3))
        found = mean_pairwise(vectors)
        covered += found.lower <= truth <= found.upper
        pairs = pdist(vectors, "sqeuclidean")
        naive += abs(pairs.mean() - truth) <= 1.96 * pairs.std() / np.sqrt(len(pairs))
    assert covered / 300 > 0.91
    assert naive / 300 < 0.5


def mean_between(matrix, a, b):
    """Mean over pairs of different images; a, b: rows."""
    part = matrix[np.ix_(a, b)]
    same = np.equal.outer(a, b)
    return part[~same].mean()


def class_means(matrix, kept):
    rows = [kept[LABELS[kept] == label] for label in range(3)]
    return np.array([[mean_between(matrix, a, b) for b in rows] for a in rows])


@pytest.mark.parametrize(
    ("estimate", "weights"),
    [
        (lambda sums: within(sums, LABELS, 1), np.diag([0, 1, 0])),
        (lambda sums: between(sums, LABELS, 0, 2), np.array([[0, 0, 0.5], [0, 0, 0], [0.5, 0, 0]])),
        (
            lambda sums: mixed(sums, LABELS, np.array([0.7, 0.1, 0.2])),
            np.outer([0.7, 0.1, 0.2], [0.7, 0.1, 0.2]),
        ),
    ],
)
def test_class_means_and_their_jackknife_equal_loops(estimate, weights):
    matrix, sums = three_classes()
    found = estimate(sums)
    used = np.flatnonzero(weights.any(axis=0))
    n = np.isin(LABELS, used).sum()
    value = (weights * class_means(matrix, np.arange(11))).sum()
    error = jackknife(lambda kept: (weights * class_means(matrix, kept)).sum(), LABELS)
    half_width = student.ppf(0.975, n - len(used)) * error
    assert found.value == pytest.approx(value, rel=1e-12)
    assert found.upper - found.value == pytest.approx(half_width, rel=1e-9)
    assert found.n == n


def test_a_class_of_two_has_a_value_and_no_interval_and_one_of_one_nothing():
    matrix = squared_distances(np.arange(6.0)[:, None])
    labels = np.array([0, 0, 0, 1, 1, 2])
    sums = sums_of(matrix, labels, 3)
    pair, single = within(sums, labels, 1), within(sums, labels, 2)
    assert pair.value == 1.0
    assert np.isnan([pair.lower, pair.upper, single.value]).all()
    assert overall(np.array([[4.0], [4.0]])).value == 4.0


def test_one_image_of_each_class_makes_one_pair():
    found = between(np.array([[0.0, 3.0], [3.0, 0.0]]), np.array([0, 1]), 0, 1)
    assert (found.value, found.n) == (3, 2) and np.isnan(found.lower)


def test_fewer_than_two_vectors_and_what_is_not_finite_are_refused():
    with pytest.raises(UserError, match=r"^1 images make no pair: give 2 or more$"):
        mean_pairwise(np.ones((1, 3)))
    with pytest.raises(UserError, match="0 images make no pair"):
        mean_pairwise(np.ones((0, 3)))
    with pytest.raises(UserError, match="not finite"):
        mean_pairwise(np.array([[1.0, np.nan], [0.0, 1.0]]))


def test_all_pairs_are_those_of_all_classes_together():
    matrix, sums = three_classes()
    found = overall(sums)
    assert found.value == pytest.approx(upper(matrix).mean(), rel=1e-12)
    assert found == pytest.approx(overall(sums.sum(axis=1, keepdims=True)), rel=1e-12)
    two = pseudo_values(np.array([[0.0, 3.0], [3.0, 0.0]]))
    assert two.shape == (2,) and np.isnan(two).all()
    three = pseudo_values(np.array([[3.0], [3.0], [3.0]]))  # three images, each 1.5 apart
    assert three == pytest.approx([1.5] * 3)


def test_one_class_has_the_values_of_all_pairs():
    """Image by image, not only in their mean and error: the far image has the large value."""
    matrix = squared_distances(np.array([0.0, 1, 2, 9])[:, None])
    sums = matrix.sum(axis=1, keepdims=True)
    values = weighted_values(sums, np.zeros(4, int), np.ones((1, 1)))
    assert values.dtype == np.float64
    assert values == pytest.approx(pseudo_values(sums), rel=1e-12)
    assert values.argmax() == 3 and values[3] > 3 * values[:3].max()


def test_a_class_without_images_has_no_mean_and_warns_of_nothing():
    """One that counts leaves NaN; one that does not count changes nothing."""
    matrix = squared_distances(np.arange(4.0)[:, None])
    labels = np.zeros(4, dtype=int)
    sums = sums_of(matrix, labels, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mix = mixed(sums, labels, np.array([0.5, 0.5]))
        assert np.isnan(mix[:3]).all() and mix.n == 4
        assert np.isnan(weighted_values(sums, labels, np.full((2, 2), 0.25))).all()
        alone = mixed(sums, labels, np.array([1.0, 0.0]))
        assert alone == pytest.approx(overall(sums), rel=1e-12)
        pair = within(np.array([[2.0], [2.0]]), np.zeros(2, int), 0)
        assert pair.value == 2 and np.isnan([pair.lower, pair.upper]).all() and pair.n == 2


def test_weights_of_single_pairs_of_classes():
    """Means between classes alone: a class of one image then has a mean, but no interval."""
    matrix = squared_distances(np.array([0.0, 2, 5])[:, None])
    labels = np.array([0, 0, 1])
    found = between(sums_of(matrix, labels, 2), labels, 0, 1)
    assert found.value == pytest.approx((25 + 9) / 2) and found.n == 3
    assert np.isnan([found.lower, found.upper]).all()
    whole = weighted(sums_of(matrix, labels, 2), labels, np.array([[1.0, 0], [0, 0]]))
    assert whole.value == 4 and whole.n == 2
