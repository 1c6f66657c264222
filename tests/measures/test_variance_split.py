"""Bias and variance of a class: plain loops, known laws, and the 0-1 form."""

from itertools import permutations, product

import numpy as np
import pytest
from scipy.special import ndtr

from depthbias.measures.variance_split import (
    _pseudo,
    bias_variance,
    generated_pseudo_values,
    generated_split,
    pseudo_values,
)


def half_inner(a, b):
    return float(np.dot(a, b)) / 2


def loops(decoded, label, classes):
    """(bias^2, between sets, between noises) of one image [R, J], as means over pairs."""
    one_hot = np.eye(classes)
    sets, noises = decoded.shape
    own = [
        half_inner(one_hot[decoded[r, i]], one_hot[decoded[r, j]])
        for r in range(sets)
        for i, j in permutations(range(noises), 2)
    ]
    pairs = [
        (one_hot[decoded[r, i]], one_hot[decoded[s, j]])
        for r, s in permutations(range(sets), 2)
        for i, j in product(range(noises), repeat=2)
    ]
    others = [half_inner(a, b) for a, b in pairs]
    off = [half_inner(a - one_hot[label], b - one_hot[label]) for a, b in pairs]
    return np.mean(off), np.mean(own) - np.mean(others), 0.5 - np.mean(own)


def test_estimates_are_those_of_plain_loops_over_pairs():
    random = np.random.default_rng(0)
    decoded, labels = random.integers(0, 3, (4, 3, 20)), random.integers(0, 3, 20)
    found = bias_variance(decoded, labels, 3)
    for image in range(20):
        expected = loops(decoded[:, :, image], labels[image], 3)
        got = (found.bias[image], found.variance_sets[image], found.variance_noises[image])
        assert got == pytest.approx(expected, abs=1e-12)


def test_of_two_classes_it_is_the_square_of_a_share():
    decoded = np.array([[[1], [1]], [[1], [0]], [[0], [0]]])
    found = bias_variance(decoded, np.array([1]), 2)
    of_means = np.var([1, 0.5, 0], ddof=1)
    assert found.variance_noises == pytest.approx([0.5 / 3])
    assert found.variance_sets == pytest.approx([of_means - 0.5 / 3 / 2])
    assert found.bias == pytest.approx([0.25 - of_means / 3])


def test_estimates_are_unbiased_and_not_cut_off():
    """200,000 images whose share is .9 or .3, a coin for each of 3 sets; J = 2."""
    random = np.random.default_rng(1)
    p = random.choice([0.9, 0.3], (3, 1, 200_000))
    decoded = (random.random((3, 2, 200_000)) < p).astype(int)
    found = bias_variance(decoded, np.zeros(200_000, dtype=int), 2)
    assert found.bias.mean() == pytest.approx(0.6**2, abs=0.006)
    assert found.variance_sets.mean() == pytest.approx(0.3**2, abs=0.003)
    assert found.variance_noises.mean() == pytest.approx((0.09 + 0.21) / 2, abs=0.003)
    assert found.variance_sets.min() < 0


def test_the_parts_sum_to_the_error_of_a_decoded_class():
    """E 1[c != y] = bias^2 + both variances, exactly, as the estimates are of one law."""
    random = np.random.default_rng(2)
    decoded, labels = random.integers(0, 2, (3, 4, 50)), random.integers(0, 2, 50)
    found = bias_variance(decoded, labels, 2)
    parts = found.bias + found.variance_sets + found.variance_noises
    assert parts == pytest.approx((decoded != labels).mean(axis=(0, 1)))


def test_the_0_1_form_is_dominos_main_class_and_departure_from_it():
    decoded = np.array([[[0, 1], [1, 1]], [[0, 1], [2, 0]]])
    found = bias_variance(decoded, np.array([0, 0]), 3)
    assert found.bias_01.tolist() == [0, 1]
    assert found.variance_01.tolist() == [0.5, 0.25]


def test_pseudo_values_have_the_estimate_as_their_mean():
    random = np.random.default_rng(3)
    decoded, labels = random.integers(0, 2, (4, 2, 30)), random.integers(0, 2, 30)
    whole = bias_variance(decoded, labels, 2)
    for value, pseudo in zip(whole, pseudo_values(decoded, labels, 2), strict=True):
        assert pseudo.shape == (4, 30) and pseudo.mean(axis=0) == pytest.approx(value)
    assert pseudo_values(decoded[:2], labels, 2).bias.shape == (1, 30)


@pytest.mark.parametrize("shape", [(1, 2, 5), (2, 1, 5)])
def test_one_set_or_one_noise_has_no_variance(shape):
    with pytest.raises(ValueError, match="two of each are needed"):
        bias_variance(np.zeros(shape, dtype=int), np.zeros(5, dtype=int), 2)


def generated_loops(made, trained):
    """The parts of free generation, [R, N], as means over pairs of sets and of noises."""
    one_hot = np.eye(len(trained))
    sets, noises = made.shape
    v = one_hot[made]
    rs, ij = list(permutations(range(sets), 2)), list(permutations(range(noises), 2))
    same_noise = np.mean([half_inner(v[r, i], v[s, i]) for r, s in rs for i in range(noises)])
    apart = [(v[r, i], v[s, j]) for r, s in rs for i, j in ij]
    bias = np.mean([half_inner(a - trained, b - trained) for a, b in apart])
    return bias, 0.5 - same_noise, same_noise - np.mean([half_inner(a, b) for a, b in apart])


def test_free_generation_is_that_of_plain_loops_over_pairs():
    random = np.random.default_rng(4)
    made, trained = random.integers(0, 3, (3, 9)), np.array([0.6, 0.3, 0.1])
    assert list(generated_split(made, trained).values()) == pytest.approx(
        generated_loops(made, trained), abs=1e-12
    )
    pseudo = generated_pseudo_values(made, trained)
    left = [generated_loops(made[[s for s in range(3) if s != r]], trained) for r in range(3)]
    for values, without in zip(pseudo.values(), np.transpose(left), strict=True):
        assert values - values.mean() == pytest.approx(2 * (without.mean() - without))
    for name, value in generated_split(made, trained).items():
        assert len(pseudo[name]) == 3 and pseudo[name].mean() == pytest.approx(value)
    assert len(generated_pseudo_values(made[:2], trained)["bias"]) == 1


def test_free_generation_is_unbiased_where_noises_are_shared():
    """c = 1[a_r + b_i + e_ri > 1], all standard normal; 4,000 studies of 3 sets, 20 noises."""
    random = np.random.default_rng(5)
    studies = 4000
    a, b = random.standard_normal((studies, 3, 1)), random.standard_normal((studies, 1, 20))
    made = (a + b + random.standard_normal((studies, 3, 20)) > 1).astype(int)
    found = [generated_split(one, np.array([0.9, 0.1])) for one in made]
    share = ndtr(-1 / np.sqrt(3))
    given = random.standard_normal(1_000_000)  # a common noise: correlation 1/3 of the latent sums
    joint = (ndtr((given - 1) / np.sqrt(2)) ** 2).mean()
    expected = {
        "bias": (share - 0.1) ** 2,
        "variance_sets": share - joint,
        "variance_noises": joint - share**2,
    }
    for name, value in expected.items():
        draws = np.array([one[name] for one in found])
        assert draws.mean() == pytest.approx(value, abs=4 * draws.std() / np.sqrt(studies)), name


def test_pseudo_values_of_a_mean_are_the_observations():
    values = np.random.default_rng(5).normal(size=(7, 2))
    without = np.array([np.delete(values, r, axis=0).mean(axis=0) for r in range(len(values))])
    assert _pseudo(values.mean(axis=0), without) == pytest.approx(values, rel=1e-12)


def test_pseudo_values_leave_out_one_training_set_each():
    made = np.random.default_rng(6).integers(0, 2, size=(5, 40))
    even = np.array([0.5, 0.5])
    pseudo = generated_pseudo_values(made, even)
    without = [generated_split(made[np.arange(5) != r], even) for r in range(5)]
    for name, value in generated_split(made, even).items():
        left = np.array([split[name] for split in without])
        assert pseudo[name] == pytest.approx(value + 4 * (left.mean() - left))
