"""Precision, recall, density, coverage, KID: closed forms, other programs, real against real."""

import json
from itertools import combinations, product
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from measures.made_up_study import write_run, write_study
from scipy import stats

from depthbias.estimates.intervals import mixed_share, wilson
from depthbias.estimates.measurements import rows_of
from depthbias.estimates.runs import Run
from depthbias.estimates.tidy import tidy
from depthbias.measures import nearest as nearest_module
from depthbias.measures.kid import kernel_reference, kernel_sums, own_sums
from depthbias.measures.neighbor_sets import NeighborData
from depthbias.measures.pair_means import weighted, weighted_values
from depthbias.measures.quality import balls, covers, expected_coverage, held, held_by_others
from depthbias.measures.quality_rows import (
    Images,
    manifold_of,
    of_generated,
    of_heldout,
    of_runs,
    reference,
    references,
)
from depthbias.measures.samples import noise_of
from depthbias.system.errors import UserError
from depthbias.system.files import read_npz

FIXTURE = json.loads(Path(__file__).with_name("quality_fixture.json").read_text())
CPU = torch.device("cpu")
RUN = Run("s", "90-10", "depth2", "0", "ddim-4")
TRAINED = np.array([0.9, 0.1])


def prdc(generated, real, k):
    """The four measures of two sets of vectors."""
    inside = balls(real, [k]), balls(generated, [k])
    counts = held(generated, inside[0])
    return {
        "precision": (counts > 0).mean(),
        "recall": (held(real, inside[1]) > 0).mean(),
        "density": (counts / k).mean(),
        "coverage": covers(generated, inside[0]).mean(),
    }


def on_line(*places):
    return np.array(places, dtype=float)[:, None]


# Balls


def test_points_on_a_line():
    real = balls(on_line(0, 1, 2, 10), [1, 2, 4])
    np.testing.assert_allclose(
        real.radii, [[1, 2, np.nan], [1, 1, np.nan], [1, 2, np.nan], [8, 9, np.nan]]
    )
    generated = on_line(2.5, 11, 30)
    np.testing.assert_array_equal(held(generated, real), [[2, 2, 0], [1, 1, 0], [0, 0, 0]])
    assert held(generated, real).dtype == np.int64
    np.testing.assert_array_equal(held_by_others(real)[:, 0], [1, 2, 2, 0])
    np.testing.assert_array_equal(covers(generated, real)[:, 0], [False, False, True, True])
    none = covers(generated[:0], real)
    assert not none.any() and none.dtype == bool and held(generated[:0], real).shape == (0, 3)


@pytest.mark.parametrize("k", [3, 5])
def test_equals_prdc_and_torch_fidelity(k):
    """Computed by both packages: make_quality_fixture.py."""
    found = prdc(np.array(FIXTURE["generated"]), np.array(FIXTURE["real"]), k)
    assert found == pytest.approx(FIXTURE["prdc"][str(k)], abs=1e-12)
    other = FIXTURE["torch_fidelity_prc"][str(k)]
    assert found["precision"] == pytest.approx(other["precision"], abs=1e-6)  # it is in float32
    assert found["recall"] == pytest.approx(other["recall"], abs=1e-6)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("block", [1 << 28, 2_000])
def test_leaving_one_out_is_what_it_says(metric, block, monkeypatch):
    monkeypatch.setattr(nearest_module, "BLOCK_BYTES", block)
    vectors = np.random.default_rng(1).normal(size=(40, 3))
    counts = held_by_others(balls(vectors, [1, 4], metric))
    for row in range(40):
        rest = balls(np.delete(vectors, row, axis=0), [1, 4], metric)
        alone = held(vectors[[row]], rest)
        assert ((alone > 0) == (counts[row] > 0)).all()


def test_images_that_are_the_held_out_ones_are_all_in_their_balls():
    """Also on the surface: an image's k-th neighbour is in its ball."""
    real = np.random.default_rng(2).integers(0, 17, (60, 64))
    assert prdc(real, real, 5) == pytest.approx(
        {"precision": 1, "recall": 1, "density": 1.2, "coverage": 1}, abs=0.05
    )
    counts = held_by_others(balls(real.astype(np.uint8), [5]))
    assert counts.sum() >= 5 * 60  # ties may hold more


@given(st.integers(1, 6), st.integers(0, 6), st.integers(1, 4))
def test_expected_coverage_by_counting_all_orders(real, generated, k):
    """Of the others of a real image, the k nearest are any k with equal chance."""
    found = expected_coverage(real, generated, [k])[0]
    if k > real - 1:
        assert np.isnan(found)
        return
    chosen = list(combinations(range(real - 1 + generated), k))
    missed = np.mean([max(places) < real - 1 for places in chosen])
    assert found == pytest.approx(1 - missed, abs=1e-12)


def test_new_real_images_reach_what_is_expected_of_them():
    """Means over 200 pairs of sets of one distribution; four standard errors."""
    rng, k, found, within = np.random.default_rng(3), 4, [], []
    for _ in range(200):
        real, other = rng.normal(size=(2, 30, 5))
        found.append(list(prdc(other, real, k).values()))
        within.append((held_by_others(balls(real, [k])) > 0).mean())
    means, errors = np.mean(found, axis=0), np.std(found, axis=0) / np.sqrt(200)
    accepted = np.mean(within)
    expected = [accepted, accepted, 1, expected_coverage(30, 30, [k])[0]]
    # Leaving one out there is one ball less.
    assert (np.abs(means - expected) < 4 * errors + [0.01, 0.01, 0, 0]).all(), (means, expected)


@settings(max_examples=20, deadline=None)
@given(st.floats(0, 1))
def test_a_share_of_noise_lowers_precision_by_that_share(share):
    rng = np.random.default_rng(4)
    real, generated = rng.normal(size=(2, 100, 8))
    noise = rng.random(100) < share
    spoilt = np.where(noise[:, None], rng.uniform(50, 99, (100, 8)), generated)
    inside = held(generated, balls(real, [5]))[:, 0] > 0
    found = prdc(spoilt, real, 5)["precision"]
    assert found == pytest.approx(inside[~noise].sum() / 100)


# KID


def kernel_distance(first, second):
    """KID as its formula says."""
    kernel = [
        ((a @ b.T) / a.shape[1] + 1) ** 3
        for a, b in ((first, first), (second, second), (first, second))
    ]
    own = [(k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)) for k in kernel[:2]]
    return sum(own) - 2 * kernel[2].mean()


def parts(generated, real):
    """What `weighted` takes: sums, groups, weights."""
    groups = np.zeros(len(generated), int), np.zeros(len(real), int)
    across, back = kernel_sums(generated, real, groups, 1)
    own = own_sums(generated, groups[0], 1), own_sums(real, groups[1], 1)
    sums = np.block([[own[0], across], [back, own[1]]])
    labels = np.repeat([0, 1], [len(generated), len(real)])
    return sums, labels, np.array([[1, -1], [-1, 1]])


def test_kid_equals_torch_fidelity_and_its_formula():
    generated, real = np.array(FIXTURE["generated"]), np.array(FIXTURE["real"])
    found = weighted(*parts(generated, real)).value
    other = FIXTURE["torch_fidelity_kid"]["kernel_inception_distance_mean"]
    assert found == pytest.approx(other, rel=1e-9)
    assert found == pytest.approx(kernel_distance(generated, real), rel=1e-9)


@pytest.mark.parametrize("block", [1 << 28, 300])
def test_kid_by_class_and_of_a_mix(block, monkeypatch):
    monkeypatch.setattr(nearest_module, "BLOCK_BYTES", block)
    rng = np.random.default_rng(5)
    real, generated = rng.normal(size=(40, 3)) + 7, 2 * rng.normal(size=(31, 3)) + 7
    labels, own = rng.integers(0, 2, 40), rng.integers(0, 2, 31)
    found = kernel_reference(real, labels, 2, origin=7)
    scale = np.sqrt(((real - 7) ** 2).mean())
    assert found.scale == pytest.approx(scale)
    compared = found.compare(generated, own)
    x, y = (generated - 7) / scale, (real - 7) / scale
    for c in range(2):
        expected = kernel_distance(x[own == c], y[labels == c])
        assert compared.of_class(c).value == pytest.approx(expected)
    estimate, values = compared.of_all(TRAINED)
    means = {}
    for (a, first), (b, second) in combinations(
        [(0, x), (1, y[labels == 0]), (2, y[labels == 1])], 2
    ):
        means[a, b] = (((first @ second.T) / 3 + 1) ** 3).mean()
    for a, first in enumerate([x, y[labels == 0], y[labels == 1]]):
        kernel = ((first @ first.T) / 3 + 1) ** 3
        means[a, a] = (kernel.sum() - np.trace(kernel)) / (len(first) * (len(first) - 1))
    p, q = TRAINED
    expected = means[0, 0] + p * p * means[1, 1] + q * q * means[2, 2]
    expected += 2 * (p * q * means[1, 2] - p * means[0, 1] - q * means[0, 2])
    assert estimate.value == pytest.approx(expected)
    assert values.mean() == pytest.approx(estimate.value) and len(values) == 71


def test_kid_is_in_float64_from_the_origin_and_of_no_scale_where_all_is_0():
    vectors = np.random.default_rng(14).normal(size=(2, 9, 5)).astype(np.float32)
    groups = np.zeros(9, int), np.zeros(9, int)
    across, _ = kernel_sums(*vectors, groups, 1)
    first, second = vectors.astype(float)
    expected = ((first @ second.T / 5 + 1) ** 3).sum(axis=1)
    np.testing.assert_allclose(across[:, 0], expected, rtol=1e-13)
    assert kernel_reference(first, groups[0], 1).origin == 0
    assert kernel_reference(np.zeros((4, 3)), groups[0][:4], 1).scale == 1


def test_kid_covers_0_for_equal_distributions():
    """200 pairs of sets; at 95 % fewer than 178 have a chance of 1 in 3000."""
    rng = np.random.default_rng(6)
    found = [weighted(*parts(*rng.normal(size=(2, 40, 6)))) for _ in range(200)]
    assert sum(low <= 0 <= high for _, low, high, _ in found) >= 178
    assert abs(np.mean([f.value for f in found])) < 4 * np.std([f.value for f in found]) / 200**0.5


def test_what_an_image_contributes_has_the_error_of_the_jackknife():
    sums, labels, weights = parts(*np.random.default_rng(7).normal(size=(2, 30, 4)))
    estimate, values = weighted(sums, labels, weights), weighted_values(sums, labels, weights)
    half = stats.t.ppf(0.975, 58) * values.std(ddof=1) / np.sqrt(60)
    assert estimate.upper - estimate.value == pytest.approx(half)


def test_kid_without_a_pair_is_not_a_number():
    found = kernel_reference(np.eye(6), np.repeat([0, 1], 3), 2).compare(
        np.eye(6)[:3], np.array([0, 0, 1])
    )
    assert np.isnan(found.of_class(1).value) and np.isfinite(found.of_class(0).value)


# Rows


def made_up(rng, sizes, shift=0.0):
    """Images of two classes that lie apart."""
    labels = np.repeat([0, 1], sizes)
    return Images(rng.normal(size=(sum(sizes), 4)) + 9 * labels[:, None] + shift, labels)


@pytest.fixture
def real():
    images = made_up(np.random.default_rng(8), (40, 40))
    return reference("classifier", "euclidean", images, ["six", "nine"], [3, 5], CPU)


def values_of(measured, k=5):
    return {(m.metric.partition(":")[0], m.class_name): m for m in measured if m.k in (0, k)}


def test_rows_of_a_run(real):
    generated = made_up(np.random.default_rng(9), (70, 30), 0.5)
    measured, accepted = of_generated(real, RUN, generated, TRAINED)
    found = values_of(measured)
    own = [generated.vectors[generated.labels == c] for c in (0, 1)]
    for c, name in enumerate(("six", "nine")):
        some = own[c][:40]  # recall and coverage are of as many images as there are real ones
        expected = prdc(some, real.manifolds[c].vectors[:], 5)
        for metric in ("recall", "coverage"):
            assert found[metric, name].estimate.value == pytest.approx(expected[metric])
            assert found[metric, name].estimate.n == 40
        expected = prdc(own[c], real.manifolds[c].vectors[:], 5)
        for metric in ("precision", "density"):
            assert found[metric, name].estimate.value == pytest.approx(expected[metric])
            assert found[metric, name].estimate.n == len(own[c])
    assert accepted.shape == (100, 2)
    np.testing.assert_array_equal(found["precision", ""].values, accepted[:, 1])
    assert found["precision", ""].estimate.value == accepted[:, 1].mean()
    for metric in ("recall", "coverage"):
        mixed = [found[metric, name].estimate.value for name in ("six", "nine")] @ TRAINED
        assert found[metric, ""].estimate.value == pytest.approx(mixed)
    assert {m.metric for m in measured} == {
        f"{name}:classifier" for name in ("precision", "recall", "density", "coverage", "kid")
    }
    frame = tidy(rows_of(measured, ["precision:classifier"]))
    assert len(frame) == 2 * len(measured)
    shares = {"precision": True, "recall": True, "coverage": True, "density": False, "kid": False}
    for (metric, name), m in found.items():
        assert m.share is shares[metric]
        kept = metric not in ("recall", "coverage") and not name  # image by image
        assert (m.values is not None) == kept, (metric, name)
    assert [found["kid", name].estimate.n for name in ("", "six", "nine")] == [100, 70, 30]
    assert len(found["kid", ""].values) == 100 + 80
    assert found["precision", ""].values.dtype == np.float64


def test_images_in_the_balls_of_another_class_are_not_accepted(real):
    images = made_up(np.random.default_rng(9), (70, 30))
    swapped = Images(images.vectors, 1 - images.labels)
    measured, accepted = of_generated(real, RUN, swapped, TRAINED)
    assert not accepted.any() and values_of(measured)["recall", ""].estimate.value == 0


def test_classes_with_few_images(real):
    few = made_up(np.random.default_rng(10), (30, 4))
    found = values_of(of_generated(real, RUN, few, TRAINED)[0])
    assert np.isnan(found["recall", "nine"].estimate[:3]).all()
    assert np.isnan(found["recall", ""].estimate.value)
    assert found["recall", "six"].estimate.value > 0
    three = made_up(np.random.default_rng(10), (30, 3))
    found = values_of(of_generated(real, RUN, three, TRAINED)[0], k=3)
    assert np.isnan(found["recall", "nine"].estimate.value)  # of 3 images none has a third other
    none = made_up(np.random.default_rng(10), (30, 0))
    found = values_of(of_generated(real, RUN, none, TRAINED)[0])
    assert found["coverage", "nine"].estimate.value == 0
    assert np.isnan(found["precision", "nine"].estimate.value)
    assert np.isfinite(found["precision", ""].estimate.value)


def test_order_of_images_changes_nothing():
    rng = np.random.default_rng(11)
    images, generated = made_up(rng, (30, 30)), made_up(rng, (25, 15), 0.4)
    orders = rng.permutation(60), rng.permutation(40)
    found = []
    for first, second in (((slice(None),) * 2), orders):
        real = reference(
            "x", "euclidean", Images(*(part[first] for part in images)), ["a", "b"], [3, 5], CPU
        )
        measured, accepted = of_generated(
            real, RUN, Images(*(p[second] for p in generated)), TRAINED
        )
        found.append(([m.estimate for m in measured], accepted))
    (first, inside), (second, other) = found
    np.testing.assert_allclose(np.array(second), np.array(first), rtol=1e-9)
    np.testing.assert_array_equal(other, inside[orders[1]])


def test_rows_of_real_images(real):
    proportions = {"90-10": TRAINED, "60-40": np.array([0.6, 0.4])}
    measured = list(of_heldout(real, "s", proportions))
    assert {m.run for m in measured} == {Run("s", ratio, "real", "all") for ratio in proportions}
    found = values_of([m for m in measured if m.run.ratio == "90-10"])
    shares = [flags[:, 1].mean() for flags in real.accepted]
    assert found["precision", "six"].estimate.value == shares[0]
    assert found["precision", ""].estimate.value == pytest.approx(TRAINED @ shares)
    assert found["recall", ""].estimate == found["precision", ""].estimate
    assert found["density", ""].estimate.value == 1 and found["kid", ""].estimate.value == 0
    covered = expected_coverage(40, 40, [5])[0]
    assert found["coverage", "nine"].estimate.value == pytest.approx(covered)
    for metric, k in (("density", 5), ("coverage", 5), ("kid", 0)):  # known without an error
        for name, n in (("", 80), ("six", 40), ("nine", 40)):
            m = found[metric, name]
            assert np.isnan([m.estimate.lower, m.estimate.upper]).all()
            assert (m.estimate.n, m.k) == (n, k)


def test_a_class_with_too_few_held_out_images_is_refused():
    images = made_up(np.random.default_rng(12), (30, 5))
    with pytest.raises(
        UserError, match=r"quality\.k: 5 needs more than 5 held-out images of class nine"
    ):
        reference("pixels", "euclidean", images, ["six", "nine"], [3, 5], CPU)


def test_a_share_in_a_mix():
    found = mixed_share([wilson(30, 40), wilson(10, 40)], TRAINED)
    n = round(40 / (0.9**2 + 0.1**2))
    assert found == pytest.approx(wilson(0.7 * n, n)) and found.value == pytest.approx(0.7)
    assert mixed_share([wilson(0, 0)._replace(n=40), wilson(10, 40)], TRAINED).n == n
    equal = mixed_share([wilson(30, 40), wilson(10, 40)], np.array([0.5, 0.5]))
    assert equal == pytest.approx(wilson(40, 80))
    assert np.isnan(mixed_share([wilson(0, 0)._replace(n=9), wilson(1, 2)], TRAINED)[:3]).all()


def test_the_interval_of_a_mix_covers():
    """2000 pairs of groups with other shares; at 95 % fewer than 1860 have a chance below 1e-4."""
    rng = np.random.default_rng(13)
    counts = rng.binomial(40, [0.9, 0.6], (2000, 2))
    found = [mixed_share([wilson(a, 40), wilson(b, 40)], TRAINED) for a, b in counts]
    assert sum(low <= 0.87 <= high for _, low, high, _ in found) >= 1860


# Files of a study


@pytest.fixture
def study(tmp_path):
    files = write_study(tmp_path)
    return NeighborData("s", *files[:5], ["pixels", "classifier"])


def test_references_are_the_held_out_images_in_every_embedding(study):
    found = references(study, [1, 3], CPU)
    heldout = study.real.rows[study.real.heldout]
    assert [each.embedding for each in found] == ["pixels", "classifier"]
    for each, origin in zip(found, (127.5, 0.0), strict=True):
        assert each.classes == ("six", "nine") and each.ks == (1, 3)
        vectors = study.of_real(each.embedding, heldout)[:].astype(float)
        labels = study.real.heldout_labels
        for c, manifold in enumerate(each.manifolds):
            assert manifold.metric == study.metrics[each.embedding] and manifold.device == CPU
            np.testing.assert_array_equal(manifold.vectors[:], vectors[labels == c])
            inside = held_by_others(balls(vectors[labels == c], [1, 3], manifold.metric)) > 0
            np.testing.assert_array_equal(each.accepted[c], inside)
            assert each.accepted[c].dtype == bool
        assert each.kernel.origin == origin and each.kernel.device == CPU
        np.testing.assert_array_equal(each.kernel.labels, labels)


def test_runs_are_measured_one_by_one(study):
    real = references(study, [1, 3], CPU)
    found = list(of_runs(study, real))
    assert [one.run for one in found] == [model.run for _, model in study.runs]
    for one, (path, model) in zip(found, study.runs, strict=True):
        trained = np.array([0.75, 0.25] if model.run.ratio == "75-25" else [0.5, 0.5])
        (images,), flags, measured = read_npz(path, "images"), {}, []
        for each in real:
            vectors = images.reshape(10, -1) if each.embedding == "pixels" else None
            vectors = model.vectors("classifier") if vectors is None else vectors
            generated = Images(vectors, model.labels)
            rows, flags[each.embedding] = of_generated(each, model.run, generated, trained)
            measured += rows
        assert one.measured == measured
        assert set(one.accepted) == set(flags)
        for name, accepted in flags.items():
            np.testing.assert_array_equal(one.accepted[name], accepted)


def test_the_manifold_is_of_one_embedding_and_one_k(study):
    real = references(study, [1, 3], CPU)
    found = list(of_runs(study, real))
    for (place, name), (column, k) in product(
        enumerate(["pixels", "classifier"]), enumerate([1, 3])
    ):
        manifold = manifold_of(study, real, found, name, k)
        assert manifold.runs == tuple(one.run for one in found)
        np.testing.assert_array_equal(manifold.noise, noise_of([7], 10))
        accepted = [one.accepted[name][:, column] for one in found]
        np.testing.assert_array_equal(manifold.accepted, accepted)
        flags = [own[:, column] for own in real[place].accepted]
        assert manifold.acceptance.tolist() == [own.mean() for own in flags]
        assert manifold.heldout.tolist() == [10, 5]
        assert (manifold.k, manifold.embedding, manifold.classes) == (k, name, ("six", "nine"))


def test_a_manifold_of_runs_from_other_noise_is_refused(tmp_path):
    files = write_study(tmp_path)
    run = Run("s", "50-50", "depth3", "0", "ddim-4")
    write_run(tmp_path, run, 0, noise_seed=8)
    study = NeighborData("s", *files[:5], ["classifier"])
    real = references(study, [1], CPU)
    found = list(of_runs(study, real))
    with pytest.raises(UserError) as caught:
        manifold_of(study, real, found, "classifier", 1)
    first, *_, last = files.embedded
    message = f"{last}: not from the same noise as {first}: sample and embed again"
    assert str(caught.value) == message
