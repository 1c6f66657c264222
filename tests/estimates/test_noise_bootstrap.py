"""The bootstrap of noises: its marginals, its pairing, its independence of order."""

import numpy as np
import pytest
from scipy import stats

from depthbias.estimates.intervals import stream
from depthbias.estimates.noise_bootstrap import BLOCK, NoiseBootstrap

DRAWS = 4000


def noises(*seeds, count):
    return np.array([(seed, index) for seed in seeds for index in range(count)])


def test_sums_are_gamma_of_the_counts():
    """n weights Exp(1) sum to Gamma(n), so shares of two groups are Beta (Kolmogorov-Smirnov)."""
    flags = np.zeros((60, 2), dtype=bool)
    flags[:20, 0], flags[20:, 1] = True, True
    sums = NoiseBootstrap(DRAWS).sums(flags, noises(0, count=60))
    assert stats.kstest(sums[:, 0], stats.gamma(20).cdf).pvalue > 0.01
    assert stats.kstest(sums[:, 0] / sums.sum(axis=1), stats.beta(20, 40).cdf).pvalue > 0.01


def test_images_of_one_noise_have_one_weight_in_all_models():
    """Equal labels differ by nothing; models of other noises are independent."""
    flags = np.random.default_rng(0).random((300, 1)) < 0.3
    bootstrap = NoiseBootstrap(DRAWS)
    one, same = (bootstrap.sums(flags, noises(4, count=300)) for _ in range(2))
    assert np.array_equal(one, same)
    other = bootstrap.sums(flags, noises(5, count=300))
    assert abs(np.corrcoef(one[:, 0], other[:, 0])[0, 1]) < 4 / np.sqrt(DRAWS)
    fresh = NoiseBootstrap(DRAWS).sums(flags, noises(4, count=300))
    assert np.array_equal(one, fresh)


def test_the_order_of_images_and_other_noises_make_no_difference():
    rng = np.random.default_rng(0)
    noise = noises(0, 7, count=2 * BLOCK + 3)
    flags = rng.random((len(noise), 3)) < 0.4
    order = rng.permutation(len(noise))
    bootstrap = NoiseBootstrap(50)
    whole = bootstrap.sums(flags, noise)
    assert bootstrap.sums(flags[order], noise[order]) == pytest.approx(whole, rel=1e-12)
    parts = [noise[:, 0] == seed for seed in (0, 7)]
    apart = sum(NoiseBootstrap(50).sums(flags[own], noise[own]) for own in parts)
    assert apart == pytest.approx(whole, rel=1e-12)


def test_an_image_counts_as_often_as_it_occurs():
    """An image that occurs twice counts twice; one without a property counts for nothing."""
    bootstrap = NoiseBootstrap(20)
    once = bootstrap.sums(np.array([[True]]), np.array([[0, 3]]))
    twice = bootstrap.sums(np.array([[True, False]] * 2), np.array([[0, 3]] * 2))
    assert twice[:, 0] == pytest.approx(2 * once[:, 0])
    assert not twice[:, 1].any()


def test_sums_are_of_the_weights_of_seed_and_index():
    """By a loop over images: the weight of index i is column i % BLOCK of its block's stream."""
    noise = np.array([(3, 0), (3, 5), (3, BLOCK), (4, 5), (3, 2 * BLOCK - 1)])
    flags = np.array([[1, 0], [1, 1], [0, 1], [1, 0], [1, 1]], dtype=bool)
    bootstrap, expected = NoiseBootstrap(7), np.zeros((7, 2))
    for (seed, index), own in zip(noise, flags, strict=True):
        drawn = stream("noise", str(seed), str(index // BLOCK))
        weights = drawn.standard_exponential((7, BLOCK), dtype=np.float32)
        expected += weights[:, [index % BLOCK]] * own
    found = bootstrap.sums(flags, noise)
    assert found.dtype == np.float64 and found == pytest.approx(expected, rel=1e-6)
    assert len(bootstrap._weights) == 3  # drawn once: two blocks of seed 3, one of seed 4
    assert all(kept.shape == (7, BLOCK) for kept in bootstrap._weights.values())
    kept = {key: value.copy() for key, value in bootstrap._weights.items()}
    assert bootstrap.sums(flags, noise) == pytest.approx(found, rel=1e-12)
    assert all(np.array_equal(kept[key], value) for key, value in bootstrap._weights.items())
