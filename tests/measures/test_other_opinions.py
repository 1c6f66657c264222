"""The classifiers of a study, asked about images: each against one that is fitted by hand."""

from functools import partial
from typing import NamedTuple

import numpy as np
import pytest
import torch
from measures.made_up_study import ABOUT, CLASSES
from scipy.special import logit
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from depthbias.data.splits import Split
from depthbias.estimates.intervals import stream
from depthbias.estimates.runs import Run, as_json
from depthbias.measures.embedding_files import write_embedded
from depthbias.measures.other_opinions import RealImages, opinions_of, others
from depthbias.measures.samples import noise_of
from depthbias.system.errors import UserError
from depthbias.system.files import write_npz
from depthbias.vision.classifier import Classifier, classify, train_classifier

CPU = torch.device("cpu")
TRAINING = {"budget": 64, "batch_size": 16, "learning_rate": 0.01}
ROWS = np.arange(5, 75)  # of the data set of 80 images, embedded
SPLIT = Split(
    CLASSES,
    pool=[np.arange(5, 35), np.arange(35, 55)],
    calibration=[np.array([55, 58, 60]), np.array([56, 57])],
    control=[np.arange(61, 65), np.arange(65, 75)],
)
HELDOUT, TRUTH = np.array([55, 56, 57, 58, 60]), [0, 1, 1, 0, 0]
DRAWN = 18  # of each class, for those in an embedding
RUNS = [Run("s", "90-10", architecture, "0", "ddim-4") for architecture in ("depth2", "depth3")]
SAMPLES = 6
NAMES = ("logistic-pixels", "nearest-classifier", "logistic-lpips-alex", "network-3")
EMBEDDED = ABOUT | {"lpips-alex": {"metric": "euclidean"}}


class Made(NamedTuple):
    """Real images uint8 [80, 4, 4, 1], and the vectors [70, D] of those of ROWS."""

    images: np.ndarray
    vectors: dict[str, np.ndarray]
    real: RealImages


def random_vectors(rng, count):
    sizes = {"classifier": 3, "lpips-alex": 4}
    return {name: rng.normal(size=(count, k)).astype(np.float32) for name, k in sizes.items()}


@pytest.fixture
def made(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (80, 4, 4, 1), dtype=np.uint8)
    vectors = random_vectors(rng, len(ROWS))
    others = {"rows": ROWS, "heldout": np.isin(ROWS, HELDOUT), "labels": ROWS % 2}
    others |= {"classes": np.array(CLASSES), "sums": rng.random((len(HELDOUT), 2))}
    path = tmp_path / "real.npz"
    write_embedded(path, vectors, EMBEDDED, others)
    return Made(images, vectors, RealImages(images, SPLIT, path))


def asked(made, *names):
    return others(made.real, names, DRAWN, TRAINING, CPU)


def of_rows(made, rows, name):
    if name == "pixels":
        return made.images[rows].reshape(len(rows), -1).astype(np.float32)
    return made.vectors[name][rows - ROWS[0]]


def fitted_by_hand(made, name):
    """Of scikit-learn, on 18 images of each class."""
    kind, _, embedding = name.partition("-")
    rows = [
        np.sort(stream("other classifiers", one).permutation(pool)[:DRAWN])
        for one, pool in zip(CLASSES, SPLIT.pool, strict=True)
    ]
    model = {
        "logistic": make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)),
        "nearest": KNeighborsClassifier(15, metric="cosine", algorithm="brute"),
    }[kind]
    vectors = of_rows(made, np.concatenate(rows), embedding)
    return embedding, model.fit(vectors, np.repeat([0, 1], DRAWN))


@pytest.mark.parametrize("name", NAMES[:3])
def test_those_in_an_embedding_are_fitted_on_a_draw_of_the_pool(made, name):
    embedding, by_hand = fitted_by_hand(made, name)
    rows = np.arange(50, 75)
    told = asked(made, name)[name](made.images[rows], lambda of: of_rows(made, rows, of))
    expected = by_hand.predict_proba(of_rows(made, rows, embedding))
    np.testing.assert_array_equal(told, expected, strict=True)


def test_a_network_of_another_seed_learns_from_the_whole_pool(made):
    network = train_classifier(made.images, SPLIT.pool, **TRAINING, seed=3)
    told = asked(made, "network-3")["network-3"](made.images, None)
    np.testing.assert_array_equal(told, classify(network, made.images))


def test_vectors_are_those_of_rows_of_the_data_set(made):
    rows = np.array([57, 55, 57])
    for name in ("pixels", "lpips-alex"):
        np.testing.assert_array_equal(made.real.vectors(rows, name)[:], of_rows(made, rows, name))


def test_real_images_of_other_classes_are_refused(made):
    split = Split(("six", "two"), SPLIT.pool, SPLIT.calibration, SPLIT.control)
    path = made.real.embedded.path
    with pytest.raises(UserError) as caught:
        RealImages(made.images, split, path)
    assert str(caught.value) == f"{path}: its classes are six, nine, not six, two: make it again"


def write_run(folder, run, seed, noise_seed=7, classes=CLASSES):
    """(files, images, vectors, probabilities) of random samples."""
    rng = np.random.default_rng(seed)
    common = {"run": as_json(run), "noise": noise_of([noise_seed], SAMPLES)}
    images = rng.integers(0, 256, (SAMPLES, 4, 4, 1), dtype=np.uint8)
    share = rng.random(SAMPLES, dtype=np.float32)
    told = np.stack([share, 1 - share], axis=1)
    files = [folder / f"{name}-{seed}.npz" for name in ("samples", "classes", "embedded")]
    write_npz(files[0], common | {"images": images})
    write_npz(files[1], common | {"classes": np.array(classes), "probabilities": told})
    labelled = common | {"labels": told.argmax(axis=1), "classes": np.array(classes)}
    vectors = random_vectors(rng, SAMPLES)
    write_embedded(files[2], vectors, EMBEDDED, labelled | {"sums": rng.random((SAMPLES, 2))})
    return tuple(files), images, vectors, told


@pytest.fixture(scope="module")
def own():
    torch.manual_seed(0)
    return Classifier(1, 4, 2).eval()


def by_hand(made, own, name, images, of):
    """Log-odds of one classifier; of: the vectors in an embedding."""
    if name == "network-0":
        return logit(np.float64(classify(own, images)))
    if name == "network-3":
        network = train_classifier(made.images, SPLIT.pool, **TRAINING, seed=3)
        return logit(np.float64(classify(network, images)))
    embedding, fitted = fitted_by_hand(made, name)
    return logit(np.clip(fitted.predict_proba(of(embedding)), 1e-6, 1 - 1e-6))


def test_all_classifiers_are_asked_about_held_out_and_generated_images(tmp_path, made, own):
    runs, seen = [write_run(tmp_path, run, seed) for seed, run in enumerate(RUNS)], []
    files = [one[0] for one in runs]
    own_name = "network-0", own
    found = opinions_of("s", made.real, own_name, asked(made, *NAMES), files, seen.append)
    assert seen == [1, 2]
    assert found.runs == tuple(RUNS)
    assert (found.names, found.classes) == (("network-0", *NAMES), CLASSES)
    np.testing.assert_array_equal(found.noise, noise_of([7], SAMPLES))
    assert found.truth.tolist() == TRUTH
    heldout = made.images[HELDOUT]
    for c, name in enumerate(found.names):
        expected = by_hand(made, own, name, heldout, partial(of_rows, made, HELDOUT))
        np.testing.assert_allclose(found.heldout[:, c], expected, atol=1e-5)
    for r, (_, images, vectors, told) in enumerate(runs):
        flat = {"pixels": np.float32(images.reshape(SAMPLES, -1))}
        np.testing.assert_allclose(found.log_odds[r, :, 0], logit(told), atol=1e-4)
        for c, name in enumerate(NAMES):
            expected = by_hand(made, own, name, images, (flat | vectors).get)
            np.testing.assert_allclose(found.log_odds[r, :, 1 + c], expected, atol=1e-5)


def test_the_studys_own_classifier_may_stand_alone(tmp_path, made, own):
    files, _, _, told = write_run(tmp_path, RUNS[1], 0)
    found = opinions_of("s", made.real, ("network-0", own), {}, [files])
    assert found.log_odds.shape == (1, SAMPLES, 1, 2) and found.heldout.shape == (5, 1, 2)
    np.testing.assert_allclose(found.log_odds[0, :, 0], logit(told), atol=1e-4)
    np.testing.assert_array_equal(found.noise, noise_of([7], SAMPLES))


def refused(made, own, runs):
    with pytest.raises(UserError) as caught:
        opinions_of("s", made.real, ("network-0", own), {}, runs)
    return str(caught.value)


def test_files_of_another_study_are_refused(tmp_path, made, own):
    files, *_ = write_run(tmp_path, RUNS[0], 0)
    others, *_ = write_run(tmp_path, RUNS[0]._replace(study="t"), 1)
    for place, other in enumerate(others):
        mixed = [other if i == place else file for i, file in enumerate(files)]
        message = f"{other}: a run of study 't', not of 's': leave it out"
        assert refused(made, own, [mixed]) == message


def test_files_that_do_not_belong_together_are_refused(tmp_path, made, own):
    first, *_ = write_run(tmp_path, RUNS[0], 0)
    second, *_ = write_run(tmp_path, RUNS[1], 1)
    later, *_ = write_run(tmp_path, RUNS[1], 2, noise_seed=8)
    wrong, *_ = write_run(tmp_path, RUNS[0], 3, classes=("six", "two"))
    assert "classify again" in refused(made, own, [(first[0], second[1], first[2])])
    for embedded in (second[2], write_run(tmp_path, RUNS[0], 4, noise_seed=8)[0][2]):
        message = f"{embedded}: not the images of {first[0]}: embed them again"
        assert refused(made, own, [(*first[:2], embedded)]) == message
    message = f"{later[0]}: not from the noise of the other runs: sample again"
    assert refused(made, own, [first, later]) == message
    message = f"{wrong[1]}: its classes are six, two, not six, nine: make it again"
    assert refused(made, own, [wrong]) == message
