"""Round trips of known denoisers, the votes of neighbours, and which images make the trips."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import ndtr

from depthbias.data.splits import Split
from depthbias.data.subsets import Subset
from depthbias.diffusion.multi_delta_denoiser import DeltaDenoiser
from depthbias.diffusion.schedules import levels_from
from depthbias.estimates.runs import TRAIN, Run
from depthbias.measures.nearest_classes import twins, voted_classes, weighted_classes
from depthbias.measures.round_trips import choose_travellers, decoded, noise_of_trips
from depthbias.measures.trip_classes import TripClasses
from depthbias.measures.variance_split import bias_variance
from depthbias.system.files import write_npz

CPU = torch.device("cpu")
CLASSES = ("six", "nine")


def trips_of(rows, labels, levels, seed="0", noises=2):
    """Round trips without a model: what twins need to know of them."""
    everyone = np.ones(len(rows), dtype=bool)
    return TripClasses(
        Run("s", "90-10", "depth2", seed),
        np.zeros((len(levels), noises, len(rows)), dtype=np.int8),
        np.array(levels),
        0,
        rows,
        labels,
        *(everyone, everyone, everyone),
        CLASSES,
        np.array([0.9, 0.1]),
    )


@pytest.fixture
def digits(tmp_path):
    """(prepared images of 60 random digits, their labels, the path)."""
    pixels = np.random.default_rng(0).integers(0, 256, (60, 4, 4, 1), dtype=np.uint8)
    write_npz(tmp_path / "images.npz", {"images": pixels}, compress=False)
    return pixels, (np.arange(60) % 5 == 0).astype(int), tmp_path / "images.npz"


def subset_of(rows, labels, seed="0", path="subset.json"):
    return Subset(path, "90-10", seed, CLASSES, rows, labels[rows])


# Levels and decoding


def test_levels_start_where_they_are_told_and_end_at_0():
    for objective, lowest in (("edm", 0.002), ("ddpm", 0.01)):
        found = levels_from(5.0, objective, 6)
        assert found[0] == pytest.approx(5) and found[-1] == 0 and len(found) == 7
        assert found[-2] == pytest.approx(lowest, rel=0.01) and (found.diff() < 0).all()
    with pytest.raises(ValueError, match=r"noise level 0\.01: must be above 0\.01"):
        levels_from(0.01, "ddpm", 6)


def test_the_multi_delta_of_one_image_a_class_decodes_the_nearer_one():
    """A closed form: a flip has chance Phi(-|y1 - y0| / 2s); both twins say the same of each."""
    ends = np.stack([np.full((2, 2, 1), grey, dtype=np.uint8) for grey in (64, 191)])
    images = torch.tensor([-63.5, 63.5]).div(127.5).view(2, 1, 1, 1).expand(2, 1, 2, 2)
    noise = noise_of_trips(np.arange(2), 1500, (1, 2, 2), 0, "0")
    for level in (0.5, 1.0):
        sigmas = levels_from(level, "edm", 12)
        batches = decoded(DeltaDenoiser(images), "heun", images, noise, sigmas, 400)
        made = np.concatenate(list(batches)).reshape(1500, 2, -1)
        classes = (made.mean(axis=2) > 127.5).astype(int)
        # A trip that starts halfway between the two images may end between them.
        assert np.isin(made, [64, 191]).mean() > 0.99
        noised = (ends.reshape(2, 4) + level * 127.5 * noise.flatten(2).numpy()).reshape(-1, 4)
        voted = voted_classes(noised, ends.reshape(2, 4), np.arange(2), (1, 3), CPU)
        assert list(voted) == [1] and (voted[1].reshape(1500, 2) == classes).mean() > 0.999
        queries, training = torch.from_numpy(noised), torch.from_numpy(ends.reshape(2, 4))
        weighted = weighted_classes(queries, training, torch.arange(2), level * 127.5, 2)
        assert np.array_equal(weighted, voted[1])
        chance = ndtr(-math.dist(*(images.flatten(1).tolist())) / 2 / level)
        error = math.sqrt(chance * (1 - chance) / 3000)
        assert (classes != np.arange(2)).mean() == pytest.approx(chance, abs=4 * error)


def test_decoding_does_not_depend_on_the_batches_and_refuses_what_is_not_finite():
    images = torch.rand(5, 1, 4, 4) * 2 - 1
    noise, sigmas = noise_of_trips(np.arange(5), 2, (1, 4, 4), 0, "0"), levels_from(2.0, "edm", 5)
    delta = DeltaDenoiser(images)
    parts = [
        np.concatenate(list(decoded(delta, "dpmpp", images, noise, sigmas, size)))
        for size in (3, 10)
    ]
    assert np.array_equal(*parts) and parts[0].shape == (10, 4, 4, 1)
    with pytest.raises(FloatingPointError, match="noise level 2 are not finite"):
        list(decoded(lambda x, s: x * math.nan, "ddim", images, noise, sigmas, 3))


def test_the_noise_of_an_image_is_its_own_and_that_of_the_training_seed():
    whole = noise_of_trips(np.arange(6), 3, (1, 2, 2), 0, "0")
    assert whole.shape == (3, 6, 1, 2, 2) and whole.dtype == torch.float32
    assert torch.equal(noise_of_trips(np.array([4, 2]), 3, (1, 2, 2), 0, "0"), whole[:, [4, 2]])
    assert torch.equal(noise_of_trips(np.arange(6), 2, (1, 2, 2), 0, "0"), whole[:2])
    for other in ((1, "0"), (0, "1")):
        assert not torch.equal(noise_of_trips(np.arange(6), 3, (1, 2, 2), *other), whole)
    assert noise_of_trips(np.arange(400), 2, (1, 4, 4), 0, "0").std() == pytest.approx(1, abs=0.03)


# The votes of neighbours


def test_votes_are_those_of_plain_loops_and_ties_go_to_the_nearer_class():
    random = np.random.default_rng(0)
    training, labels = random.random((12, 3)), random.integers(0, 3, 12)
    queries = random.random((30, 3))
    found = voted_classes(queries, training, labels, (1, 4, 6, 12, 100), CPU)
    assert list(found) == [1, 4, 6, 12]
    assert {classes.dtype for classes in found.values()} == {np.dtype(np.int8)}
    ties = 0
    for place, query in enumerate(queries):
        near = labels[np.argsort(((training - query) ** 2).sum(axis=1))].tolist()
        for k, classes in found.items():
            counts = [near[:k].count(name) for name in range(3)]
            best = [name for name in range(3) if counts[name] == max(counts)]
            ties += len(best) > 1
            assert classes[place] == min(best, key=near.index)
    assert ties > 5


@pytest.mark.parametrize("sigma", [0.01, 0.2, 0.3, 0.5, 1.0, 100.0])
def test_weighted_votes_are_those_of_plain_loops(sigma):
    random = np.random.default_rng(1)
    training, labels = random.random((15, 4)), (np.arange(15) % 4 == 0).astype(int)
    queries = random.random((20, 4))
    found = weighted_classes(
        *map(torch.from_numpy, (queries, training, labels)), sigma=sigma, classes=2
    )
    assert found.dtype == np.int8
    for query, name in zip(queries, found, strict=True):
        squares = ((training - query) ** 2).sum(axis=1)
        weights = np.exp(-(squares - squares.min()) / 2 / sigma**2)
        assert name == np.argmax([weights[labels == c].sum() for c in range(2)])


def test_one_neighbour_has_no_bias_and_no_variance_where_the_subsets_agree(digits):
    _, labels, path = digits
    subsets = [np.arange(0, 40), np.arange(20, 60)]
    rows = np.arange(20, 60)  # the first 20 are in both
    found = [
        next(twins(trips_of(rows, labels[rows], [0.01], seed), subset_of(own, labels), path, CPU))
        for seed, own in zip("01", subsets, strict=True)
    ]
    assert [one.k for one in found] == [1, 1] and found[0].run.architecture == TRAIN
    parts = bias_variance(np.stack([one.decoded[0] for one in found]), labels[rows], 2)
    for values in (parts.bias, parts.variance_sets, parts.variance_noises):
        assert not values[:20].any()
    assert parts.variance_sets[20:].mean() > 0.05


def test_all_neighbours_return_the_majority_for_every_image(digits):
    _, labels, path = digits
    own = np.arange(30)
    trips = trips_of(np.arange(60), labels, [0.1, 5.0])
    by_k = {one.k: one.decoded for one in twins(trips, subset_of(own, labels), path, CPU)}
    assert list(by_k) == [1, 3, 10, 30, 0] and not by_k[30].any()
    assert by_k[1].any() and by_k[0].shape == (2, 2, 60)
    assert np.array_equal(by_k[1][0], by_k[0][0])  # at low noise the nearest has all the weight


def test_twins_vote_on_the_images_with_the_noise_of_their_trips(digits):
    pixels, labels, path = digits
    rows, own, levels = np.arange(20, 60), np.arange(30), [0.3, 1.0]
    trips = replace(trips_of(rows, labels[rows], levels, seed="1"), noise_seed=3)
    found = {one.k: one for one in twins(trips, subset_of(own, labels, "1"), path, CPU)}
    flat = pixels.reshape(60, -1).astype(float)
    noise = noise_of_trips(rows, 2, (16,), 3, "1").numpy()
    for place, level in enumerate(levels):
        for j, i in np.ndindex(2, 40):
            noised = flat[rows[i]] + level * 127.5 * noise[j, i]
            squares = ((flat[own] - noised) ** 2).sum(axis=1)
            assert found[1].decoded[place, j, i] == labels[own][squares.argmin()]
            weights = np.exp((squares.min() - squares) / 2 / (level * 127.5) ** 2)
            of_class = [weights[labels[own] == name].sum() for name in range(2)]
            assert found[0].decoded[place, j, i] == np.argmax(of_class)
    assert 0 < found[1].decoded.mean() < 1 and 0 < found[0].decoded.mean() < 1


# Which images


def test_images_travel_once_and_tell_which_part_they_are_of(digits):
    pixels, labels, path = digits
    heldout = [np.arange(50, 60)[labels[50:] == name] for name in (0, 1)]
    split = Split(CLASSES, [np.arange(50)], heldout, [np.arange(0)] * 2)
    own, first = subset_of(np.arange(10, 40), labels, "1"), subset_of(np.arange(30), labels)
    found = choose_travellers(path, split, own, first, 8, CPU)
    assert (np.diff(found.rows) > 0).all() and np.array_equal(found.labels, labels[found.rows])
    assert (found.rows[found.heldout] >= 50).all() and found.own.sum() == 8
    assert np.isin(found.rows[found.own], own.rows).all()
    assert np.isin(found.rows[found.shared], first.rows).all()
    assert np.bincount(found.labels[found.own]).tolist() == [4, 4]
    again = choose_travellers(path, split, first, first, 8, CPU)
    assert np.array_equal(again.own, again.shared)
    assert np.array_equal(again.rows[again.shared], found.rows[found.shared])
    expected = pixels[found.rows].transpose(0, 3, 1, 2) / 127.5 - 1
    assert np.allclose(found.images.numpy(), expected, atol=1e-6)
