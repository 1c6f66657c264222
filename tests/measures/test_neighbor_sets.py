"""What is compared with the training images: a made-up study against loops over all pairs."""

import numpy as np
import pytest
import torch
from measures.made_up_study import (
    CLASSES,
    HELDOUT,
    REAL_LABELS,
    ROWS,
    SAMPLE_LABELS,
    SAMPLES,
    SUBSETS,
    write_run,
    write_study,
    write_subset,
)
from scipy.spatial.distance import cdist

from depthbias.estimates.runs import Run
from depthbias.measures.copy_thresholds import calibrate
from depthbias.measures.embedding_files import read_embedded, read_real
from depthbias.measures.neighbor_rows import NeighborSettings
from depthbias.measures.neighbor_sets import (
    NeighborData,
    of_run,
    read_embedded_samples,
    real_vectors,
)
from depthbias.system.errors import UserError
from depthbias.system.files import read_npz

CPU = torch.device("cpu")
NAMES = ["pixels", "classifier"]
OPTIONS = NeighborSettings([1, 3], {}, CPU)


@pytest.fixture
def study(tmp_path):
    return write_study(tmp_path)


def data(study, **other):
    files = study._asdict() | other
    return NeighborData(
        "s",
        files["images_path"],
        files["real"],
        files["subsets"],
        files["samples"],
        files["embedded"],
        NAMES,
    )


def flat(images):
    return images.reshape(len(images), -1).astype(float)


def of_rows(study, name, rows):
    """Vectors of rows of the data set."""
    return flat(study.images[rows]) if name == "pixels" else study.vectors[rows - ROWS[0]]


def expected(queries, training, metric, others=None):
    """(distances, indices) [N, 3] by sorting all; others: the place of each among training."""
    distances = cdist(queries.astype(float), training.astype(float), metric)
    if others is not None:
        distances[np.arange(len(queries)), others] = np.inf
    order = np.argsort(distances, axis=1, kind="stable")[:, :3]
    return np.take_along_axis(distances, order, axis=1), order


METRICS = {"pixels": "euclidean", "classifier": "cosine"}


def check(study, neighbours, vectors, rows, others=None):
    assert [found.embedding for found in neighbours] == NAMES
    for found in neighbours:
        training = of_rows(study, found.embedding, rows)
        metric = METRICS[found.embedding]
        assert found.metric == metric
        distances, indices = expected(vectors[found.embedding], training, metric, others)
        np.testing.assert_allclose(found.distances, distances, atol=1e-6)
        np.testing.assert_array_equal(found.indices, indices)
        own, _ = expected(training, training, metric, np.arange(len(training)))
        np.testing.assert_allclose(found.gap, own[indices[:, 0], 0], atol=1e-6)


def test_the_sets_come_by_subset_held_out_training_and_models(study):
    found = data(study)
    sets = list(found.compare(OPTIONS))
    assert len(sets) == len(found) == 4 + 2 * 2
    runs = [queries.run for queries, _, _ in sets]
    assert runs == [
        Run("s", ratio, architecture, "0", sampler)
        for ratio in SUBSETS
        for architecture, sampler in (
            ("real", ""),
            ("train", ""),
            ("depth2", "ddim-4"),
            ("depth3", "ddim-4"),
        )
    ]
    assert [subset.ratio for _, _, subset in sets] == [ratio for ratio in SUBSETS for _ in range(4)]


def test_held_out_images_and_their_mix(study):
    heldout, labels = ROWS[HELDOUT], REAL_LABELS[HELDOUT]
    sets = [one for one in data(study).compare(OPTIONS) if one[0].run.architecture == "real"]
    # Training 9 and 3, 4 and 4; held out 10 and 5: the largest mixes are 9 and 3, 5 and 5.
    for (queries, neighbours, subset), mix in zip(sets, [[9, 3], [5, 5]], strict=True):
        np.testing.assert_array_equal(queries.images, study.images[heldout])
        np.testing.assert_array_equal(queries.labels, labels)
        assert np.bincount(labels[queries.overall_rows]).tolist() == mix
        vectors = {name: of_rows(study, name, heldout) for name in NAMES}
        check(study, neighbours, vectors, SUBSETS[subset.ratio])
        closest = neighbours[0].indices[queries.overall_rows, 0]
        first, second = neighbours[0].distances[queries.overall_rows, :2].T
        copied = np.bincount(closest[first < second / 3], minlength=len(SUBSETS[subset.ratio]))
        np.testing.assert_array_equal(neighbours[0].copied, copied)


def test_training_images_are_compared_with_the_others(study):
    sets = [one for one in data(study).compare(OPTIONS) if one[0].run.architecture == "train"]
    for (queries, neighbours, subset), count in zip(sets, [SAMPLES, 8], strict=True):
        rows = SUBSETS[subset.ratio]
        assert len(queries.images) == count  # no more than a model has samples, or all
        places = [
            np.flatnonzero((study.images[rows] == image).all(axis=(1, 2, 3)))
            for image in queries.images
        ]
        chosen = np.concatenate(places)
        assert (np.diff(chosen) > 0).all() and len(chosen) == count
        np.testing.assert_array_equal(queries.labels, REAL_LABELS[rows - ROWS[0]][chosen])
        np.testing.assert_array_equal(queries.overall_rows, np.arange(count))
        vectors = {name: of_rows(study, name, rows[chosen]) for name in NAMES}
        check(study, neighbours, vectors, rows, chosen)


def test_the_chosen_training_images_are_random_and_those_of_the_subset(study, tmp_path):
    """Another seed or ratio of the same rows chooses others; the same one the same."""
    rows, chosen = ROWS[~HELDOUT], {}
    for ratio, seed in (("75-25", 0), ("75-25", 1), ("50-50", 0)):
        run = Run("s", ratio, "depth2", str(seed), "ddim-4")
        samples, embedded = write_run(tmp_path, run, 0)
        path = write_subset(tmp_path / "one.json", ratio, seed, rows)
        one = data(study, subsets=[path], samples=[samples], embedded=[embedded])
        (queries,) = (q for q, _, _ in one.compare(OPTIONS) if q.run.architecture == "train")
        (again,) = (q for q, _, _ in one.compare(OPTIONS) if q.run.architecture == "train")
        np.testing.assert_array_equal(queries.images, again.images)
        chosen[ratio, seed] = queries.images.tobytes()
    assert len(set(chosen.values())) == 3


def test_the_mix_is_random_and_that_of_the_subset(study, tmp_path):
    """Another seed or ratio of the same rows mixes other images; the same one the same."""
    mixes = {}
    for ratio, seed in (("75-25", 0), ("75-25", 1), ("50-50", 0)):
        run = Run("s", ratio, "depth2", str(seed), "ddim-4")
        samples, embedded = write_run(tmp_path, run, 0)
        path = write_subset(tmp_path / "one.json", ratio, seed, SUBSETS["50-50"])
        one = data(study, subsets=[path], samples=[samples], embedded=[embedded])
        mix, again = (
            next(q.overall_rows for q, _, _ in one.compare(OPTIONS) if q.run.architecture == "real")
            for _ in range(2)
        )
        np.testing.assert_array_equal(mix, again)
        mixes[ratio, seed] = tuple(mix)
    assert len(set(mixes.values())) == 3


def test_copies_are_looked_for_in_the_images_that_stand_for_all(study):
    options = NeighborSettings([1], {"classifier": 0.5}, CPU)
    sets = [one for one in data(study).compare(options) if one[0].run.architecture != "train"]
    for queries, neighbours, subset in sets:
        if queries.run.sampler:
            place = [path.stem for path in study.samples].index(
                f"samples-{'-'.join(queries.run.key)}"
            )
            (vectors,) = read_npz(study.embedded[place], "classifier")
        else:
            vectors = of_rows(study, "classifier", ROWS[HELDOUT])
        training = of_rows(study, "classifier", SUBSETS[subset.ratio])
        near = 1 - cdist(vectors[queries.overall_rows], training, "cosine") > 0.5
        assert near.any()
        np.testing.assert_array_equal(neighbours[1].copied, near.sum(axis=0))


def test_models_are_compared_with_their_own_training_images(study):
    sets = [one for one in data(study).compare(OPTIONS) if one[0].run.sampler]
    for (queries, neighbours, subset), samples, embedded in zip(
        sets, study.samples, study.embedded, strict=True
    ):
        (images,), (vectors,) = read_npz(samples, "images"), read_npz(embedded, "classifier")
        np.testing.assert_array_equal(queries.images, images)
        np.testing.assert_array_equal(queries.labels, SAMPLE_LABELS)
        np.testing.assert_array_equal(queries.overall_rows, np.arange(SAMPLES))
        own = {"pixels": flat(images), "classifier": vectors}
        check(study, neighbours, own, SUBSETS[subset.ratio])


def test_the_threshold_is_calibrated_on_the_mixes(study):
    found = data(study)
    mixes = [q.overall_rows for q, _, _ in found.compare(OPTIONS) if q.run.architecture == "real"]
    cosines = []
    for mix, rows in zip(mixes, SUBSETS.values(), strict=True):
        heldout = of_rows(study, "classifier", ROWS[HELDOUT][mix])
        training = of_rows(study, "classifier", rows)
        cosines.append(1 - cdist(heldout, training, "cosine").min(axis=1))
    assert found.threshold("classifier", CPU) == pytest.approx(calibrate(cosines), abs=1e-6)


def test_vectors_are_those_of_the_rows_and_images(study):
    real, rows = read_real(study.real), ROWS[[5, 2, 20]]
    images = study.images
    pixels = real_vectors("pixels", images, real, rows)
    np.testing.assert_array_equal(pixels[:], flat(images[rows]))
    vectors = real_vectors("classifier", images, real, rows)
    np.testing.assert_array_equal(vectors[:], study.vectors[[5, 2, 20]])
    np.testing.assert_array_equal(data(study).of_real("classifier", rows)[:], vectors[:])
    model = read_embedded(study.embedded[0], "s")
    (own,) = read_npz(study.embedded[0], "classifier")
    samples = read_embedded_samples(study.samples[0], model)
    np.testing.assert_array_equal(of_run("pixels", samples, model), flat(samples))
    np.testing.assert_array_equal(of_run("classifier", samples, model), own)


def refused(read):
    with pytest.raises(UserError) as caught:
        read()
    return str(caught.value)


def test_files_that_do_not_belong_together_are_refused(study, tmp_path):
    run, other = Run("s", "75-25", "depth2", "0", "ddim-4"), tmp_path / "other"
    other.mkdir()
    model = read_embedded(study.embedded[0], "s")
    message = f"{study.embedded[0]}: not the images of {{}}: embed them again"
    samples, _ = write_run(other, run, 0, noise_seed=8)
    assert refused(lambda: read_embedded_samples(samples, model)) == message.format(samples)
    wrong = study.samples[1]
    assert refused(lambda: read_embedded_samples(wrong, model)) == message.format(wrong)
    assert "of study 't', not of 's'" in refused(
        lambda: read_embedded_samples(write_run(other, run._replace(study="t"), 0)[0], model)
    )
    assert "of study 't', not of 's'" in refused(
        lambda: data(study, embedded=[write_run(other, run._replace(study="t"), 0)[1]])
    )
    lost = refused(lambda: data(study, subsets=study.subsets[:1]))
    assert lost == f"{study.embedded[2]}: no subset 50-50 of seed 0 was given"
    with pytest.raises(ValueError, match="zip"):
        data(study, samples=study.samples[:2])
    names = [*NAMES, "sscd"]
    files = [study.images_path, study.real, study.subsets, study.samples, study.embedded]
    assert refused(lambda: NeighborData("s", *files, names)) == (
        f"{study.real}: has no embedding sscd: embed all images of the study again"
    )
    write_subset(study.subsets[0], "75-25", 0, ROWS)
    content = study.subsets[0].read_text().replace("six", CLASSES[1] * 2)
    study.subsets[0].write_text(content)
    assert "its classes are" in refused(lambda: data(study))
