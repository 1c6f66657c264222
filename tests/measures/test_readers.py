"""Every reader of a file refuses a damaged one, and one that does not belong, in one line."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from depthbias.data.splits import read_split
from depthbias.data.subsets import read_subset
from depthbias.estimates.runs import Run
from depthbias.measures.class_shares import read_instrument
from depthbias.measures.denoising_errors import read_denoising_errors
from depthbias.measures.embedding_files import read_all, read_embedded, read_real
from depthbias.measures.manifolds import read_manifold, write_manifold
from depthbias.measures.samples import (
    is_noise,
    join,
    noise_of,
    read_classes,
    read_generated,
    read_samples,
)
from depthbias.measures.structure_files import read_structures
from depthbias.measures.trip_classes import read_trip_classes
from depthbias.report.trajectory_figures import read_trajectories
from depthbias.system.errors import UserError
from depthbias.system.files import read_npz, write_json, write_npz

RUN = {"study": "s", "ratio": "90-10", "architecture": "depth2", "seed": "0", "sampler": "ddim-4"}
SUBSET = {"ratio": "90-10", "seed": 0, "classes": ["six", "nine"]}
SUBSET |= {"indices": [3, 5, 8], "labels": [0, 0, 1]}
ROWS = {"six": [0, 1], "nine": [2]}
SPLIT = {"classes": ["six", "nine"], "population": [9, 9], "images": "0f"}
SPLIT |= {"pool": ROWS, "calibration": ROWS, "control": ROWS}
NOISE = {"run": json.dumps(RUN), "noise": noise_of([7], 3)}
CLASSES = np.array(["six", "nine"])
ABOUT = {"pixels": {"metric": "euclidean"}, "diversity": {"embedding": "x", "metric": "squared"}}
VECTORS = {"labels": np.array([0, 1, 1]), "classes": CLASSES, "sums": np.ones((3, 2))}
VECTORS["about"] = json.dumps(ABOUT)

ARCHIVES = {
    "samples": (read_samples, NOISE | {"images": np.zeros((3, 8, 8, 1), np.uint8)}),
    "classes": (read_classes, NOISE | {"classes": CLASSES, "probabilities": np.full((3, 2), 0.5)}),
    "embedded": (lambda path: read_embedded(path, "s"), NOISE | VECTORS),
    "real": (read_real, VECTORS | {"rows": np.arange(3), "heldout": np.ones(3, dtype=bool)}),
    "structure": (
        lambda path: read_structures([path], "s"),
        {
            "run": json.dumps(RUN),
            "sigmas": np.array([1.0, 2.0]),
            "names": np.array(["linearity@45"]),
            "linearity@45": np.ones((2, 5)),
        },
    ),
}
ARCHIVES["manifold"] = (
    lambda path: read_manifold(path, "s"),
    {
        "runs": np.array([json.dumps(RUN), json.dumps(RUN | {"seed": "1"})]),
        "noise": noise_of([7], 3),
        "accepted": np.eye(2, 3, dtype=bool),
        "acceptance": np.array([0.9, 1.0]),
        "heldout": np.array([27, 28]),
        "k": np.array(5),
        "embedding": np.array("pixels"),
        "classes": CLASSES,
    },
)
NUMBERS = {"noise_seed": np.array(0), "level_weights": np.ones(2)}
ERRORS = {"sigmas": np.array([1.0, 2.0]), "classes": CLASSES, "proportions": np.full(2, 0.5)}
ERRORS |= {"cut_errors": np.ones((1, 2, 3)), "constant_errors": np.ones(3), **NUMBERS}
for part, count in (("heldout", 3), ("training", 4)):
    ERRORS |= {f"{part}_{name}": np.ones((2, count)) for name in ("errors", "residuals")}
    ERRORS |= {f"{part}_rows": np.arange(count), f"{part}_labels": np.arange(count) % 2}
ARCHIVES["denoising"] = (
    lambda path: read_denoising_errors(path, "s"),
    {"run": json.dumps(RUN), **ERRORS},
)
FLIPS = {"decoded": np.zeros((2, 3, 4), np.int8), "levels": np.array([1.0, 2.0])}
FLIPS |= {"noise_seed": np.array(0), "rows": np.arange(4), "labels": np.arange(4) % 2}
FLIPS |= {part: np.array([True, False, True, False]) for part in ("heldout", "own", "shared")}
ARCHIVES["flips"] = (
    lambda path: read_trip_classes(path, "s"),
    {"run": json.dumps(RUN), **FLIPS, "classes": CLASSES, "proportions": np.full(2, 0.5)},
)
TRAJECTORIES = {"names": np.array(["model", "linear"]), "noise": noise_of([7], 3)}
TRAJECTORIES |= {"sigmas": np.array([2.0, 1.0])}
TRAJECTORIES |= {
    "denoised": np.zeros((2, 2, 3, 8, 8, 1), np.uint8),
    "images": np.zeros((2, 3, 8, 8, 1), np.uint8),
}
ARCHIVES["trajectories"] = (
    lambda path: read_trajectories([path]),
    {"run": json.dumps(RUN), **TRAJECTORIES},
)
TEXTS = {"subset": (read_subset, SUBSET), "split": (read_split, SPLIT)}
EVERY_MEMBER = [(kind, member) for kind, (_, good) in ARCHIVES.items() for member in good]
EVERY_KEY = [(kind, key) for kind, (_, good) in TEXTS.items() for key in good]


def refused(read, path):
    with pytest.raises(UserError) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message, message
    return message


@pytest.mark.parametrize("kind", list(ARCHIVES))
def test_whole_archives_are_read(tmp_path, kind):
    read, good = ARCHIVES[kind]
    write_npz(tmp_path / "a.npz", good)
    assert read(tmp_path / "a.npz")


@pytest.mark.parametrize(("kind", "member"), EVERY_MEMBER)
def test_an_archive_with_a_damaged_member_is_refused(tmp_path, kind, member):
    read, good = ARCHIVES[kind]
    path = tmp_path / "a.npz"
    write_npz(path, {name: value for name, value in good.items() if name != member})
    refused(read, path)
    wrong = [
        np.array("{"),
        np.array(0.5),
        np.zeros((0, 2)),
        np.ones((7, 1, 1)),
        np.array(["a"]),
        -np.ones((3, 2), int),
    ]
    for value in wrong:
        write_npz(path, good | {member: value})
        refused(read, path)


@pytest.mark.parametrize(("kind", "key"), EVERY_KEY)
def test_a_text_with_a_damaged_key_is_refused(tmp_path, kind, key):
    read, good = TEXTS[kind]
    path = tmp_path / "a.json"
    write_json(path, {name: value for name, value in good.items() if name != key})
    refused(read, path)
    wrong = ([], [0.5], [[1], [2, 3]], None, {"six": [-1], "nine": ["x"]})
    for value in () if key in ("ratio", "seed", "images") else wrong:
        write_json(path, good | {key: value})
        refused(read, path)


@pytest.mark.parametrize("kind", list(ARCHIVES))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.floats(0, 0.999))
def test_an_archive_cut_short_is_refused(tmp_path, kind, cut):
    read, good = ARCHIVES[kind]
    path = tmp_path / "a.npz"
    write_npz(path, good)
    content = path.read_bytes()
    path.write_bytes(content[: int(cut * len(content))])
    refused(read, path)


@given(content=st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=5))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_other_json_is_no_subset_and_no_split(tmp_path, content):
    write_json(tmp_path / "a.json", content)
    assert "not a training subset" in refused(read_subset, tmp_path / "a.json")
    assert "not a split" in refused(read_split, tmp_path / "a.json")


@pytest.mark.parametrize("kind", ["samples", "classes", "embedded", "structure"])
def test_runs_are_refused_with_the_same_words(tmp_path, kind):
    read, good = ARCHIVES[kind]
    path = tmp_path / "a.npz"
    write_npz(path, good | {"run": json.dumps({k: RUN[k] for k in RUN if k != "seed"})})
    assert refused(read, path) == f"{path}: the run is not described (no 'seed'): make it again"
    write_npz(path, good | {"run": json.dumps(RUN | {"study": "other"})})
    study = {
        "samples": lambda path: read_samples(path, "s"),
        "classes": lambda path: read_classes(path, "s"),
    }.get(kind, read)
    assert refused(study, path) == f"{path}: a run of study 'other', not of 's': leave it out"


def test_a_subset_of_other_classes_or_images_is_refused(tmp_path):
    path, images = tmp_path / "a.json", tmp_path / "images.npz"
    write_json(path, SUBSET)
    write_npz(images, {"images": np.zeros((8, 2, 2, 1), np.uint8)}, compress=False)
    subset = read_subset(path, ["six", "nine"])
    assert subset.counts.tolist() == [2, 1] and subset.proportions.sum() == 1
    assert "its classes are six, nine, not a, b" in refused(
        lambda path: read_subset(path, ["a", "b"]), path
    )
    assert "not a subset of" in refused(lambda _: subset.images(images), path)


def test_samples_and_classes_belong_together(tmp_path):
    samples, classes = tmp_path / "samples.npz", tmp_path / "classes.npz"
    write_npz(samples, ARCHIVES["samples"][1])
    write_npz(classes, ARCHIVES["classes"][1])
    (model,) = read_generated([samples], [classes])
    assert model.run == Run(**RUN) and model.images.shape == (3, 8, 8, 1)
    assert np.array_equal(model.probabilities, read_npz(classes, "probabilities")[0])
    for other in ({"noise": noise_of([8], 3)}, {"noise": noise_of([7], 3)[::-1]}):
        write_npz(classes, ARCHIVES["classes"][1] | other)
        refused(lambda path: join(read_samples(samples), read_classes(path)), classes)
    assert isinstance(model.path, Path)


@pytest.mark.parametrize(
    ("noise", "images"),
    [
        (np.ones((2, 2)), 2),
        (np.array([[0, 0], [0, 1]]), 3),
        (np.array([0, 1]), 2),
        (np.zeros((0, 2), int), 0),
        (np.array([[0, 0], [0, 0]]), 2),
        (np.array([[0, -1], [0, 1]]), 2),
        (np.array([[0, 0], [0, 1]]) + 0.5, 2),
    ],
)
def test_what_is_no_noise(noise, images):
    assert not is_noise(noise, images)


def test_one_noise_is_one():
    assert is_noise(np.array([[3, 0]]), 1) and is_noise(noise_of([3, 4], 2).astype(np.uint8), 4)
    assert noise_of([3, 4], 2).tolist() == [[3, 0], [3, 1], [4, 0], [4, 1]]


def test_samples_without_classes_are_named(tmp_path):
    samples = tmp_path / "samples.npz"
    write_npz(samples, ARCHIVES["samples"][1])
    assert read_samples(samples).path == samples
    with pytest.raises(UserError) as caught:
        read_generated([samples], [])
    told = f"{samples}: no classes of this run: give the file that classify.py made"
    assert str(caught.value) == told


def changed(tmp_path, kind, **members):
    read, good = ARCHIVES[kind]
    write_npz(tmp_path / "a.npz", good | members)
    return read(tmp_path / "a.npz")


def test_embeddings_are_read_as_they_were_written(tmp_path):
    found = changed(tmp_path, "embedded")
    assert found.run == Run(**RUN) and found.noise.tolist() == noise_of([7], 3).tolist()
    assert (found.classes, found.labels.tolist()) == (("six", "nine"), [0, 1, 1])
    assert found.about == ABOUT and found.sums.shape == (3, 2)
    found = changed(
        tmp_path, "real", rows=np.array([4, 6, 9]), heldout=np.arange(3) > 0, sums=np.ones((2, 2))
    )
    assert found.heldout_labels.tolist() == [1, 1]
    assert found.positions(np.array([9, 4])).tolist() == [2, 0]
    with pytest.raises(UserError) as caught:
        found.positions(np.array([4, 5]))
    told = f"{found.path}: does not hold all training images: embed all images of the study again"
    assert str(caught.value) == told


@pytest.mark.parametrize("labels", [[0, 0, 0], [1, 1, 1], np.array([0, 1, 1], np.uint8)])
def test_images_of_one_class_are_enough(tmp_path, labels):
    assert changed(tmp_path, "embedded", labels=np.array(labels)).labels.tolist() == list(labels)


@pytest.mark.parametrize(
    ("kind", "members"),
    [
        ("embedded", {"labels": np.array([0, 1, 2])}),
        ("embedded", {"labels": np.array([-1, 0, 1])}),
        ("embedded", {"sums": np.ones((2, 2))}),
        ("embedded", {"sums": np.ones((3, 2), int)}),
        ("real", {"rows": np.array([-1, 0, 1])}),
        ("real", {"rows": np.arange(2)}),
        ("real", {"heldout": np.ones(2, bool), "sums": np.ones((2, 2))}),
        ("real", {"heldout": np.ones(3, int)}),
        ("real", {"heldout": np.arange(3) > 0}),
        ("manifold", {"acceptance": np.array([-0.1, 1.0])}),
        ("manifold", {"acceptance": np.array([0.5, 1.1])}),
        ("manifold", {"acceptance": np.array([0, 1])}),
        ("manifold", {"acceptance": np.array([0.5, np.nan])}),
        ("manifold", {"heldout": np.array([0, 28])}),
        ("manifold", {"heldout": np.array([27.0, 28.0])}),
        ("manifold", {"k": np.array(0)}),
        ("manifold", {"k": np.array(1.0)}),
        (
            "manifold",
            {"classes": np.empty(0, "U1"), "acceptance": np.empty(0), "heldout": np.empty(0, int)},
        ),
    ],
)
def test_members_that_contradict_each_other_are_refused(tmp_path, kind, members):
    with pytest.raises(UserError, match=r"a\.npz: is damaged: "):
        changed(tmp_path, kind, **members)


@pytest.mark.parametrize(
    "members",
    [
        {"acceptance": np.array([0.0, 1.0]), "heldout": np.array([1, 1])},
        {"k": np.array(1), "heldout": np.array([27, 28], np.uint8)},
        {"classes": CLASSES[:1], "acceptance": np.ones(1), "heldout": np.ones(1, int)},
    ],
)
def test_a_manifold_at_its_limits_is_read(tmp_path, members):
    found = changed(tmp_path, "manifold", **members)
    for name, value in members.items():
        assert np.array_equal(getattr(found, name), value)


def test_a_manifold_of_another_study_is_refused(tmp_path):
    write_npz(tmp_path / "a.npz", ARCHIVES["manifold"][1])
    with pytest.raises(UserError, match=r"a\.npz: a run of study 's', not of 't': leave it out"):
        read_manifold(tmp_path / "a.npz", "t")


def test_embeddings_that_are_not_described_are_to_be_made_again(tmp_path):
    for about, told in (("{", "JSON"), (json.dumps(ABOUT | {"pixels": {"metric": 3}}), "no text")):
        with pytest.raises(UserError) as caught:
            changed(tmp_path, "embedded", about=np.array(about))
        message = str(caught.value)
        assert message.startswith(f"{tmp_path / 'a.npz'}: the embeddings are not described (")
        assert message.endswith("): embed all images of the study again")
        assert told in message or "Expecting" in message


def test_runs_are_compared_at_the_same_noise_levels(tmp_path):
    _, good = ARCHIVES["structure"]
    paths = [tmp_path / "a.npz", tmp_path / "b.npz"]
    for path in paths:
        write_npz(path, good)
    first, second = read_structures(paths, "s")
    assert first.run == second.run and first.sigmas.tolist() == [1, 2]
    write_npz(paths[1], good | {"sigmas": np.array([1.0, 3.0])})
    with pytest.raises(UserError) as caught:
        read_structures(paths, "s")
    told = f"{paths[1]}: measured at other noise levels than the rest: measure again"
    assert str(caught.value) == told


def test_a_manifold_is_written_as_it_is_read(tmp_path):
    write_npz(tmp_path / "a.npz", ARCHIVES["manifold"][1])
    found = read_manifold(tmp_path / "a.npz", "s")
    write_manifold(tmp_path / "b.npz", found)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert found.of(Run(**RUN)).tolist() == [True, False, False]
    assert (found.k, found.embedding, found.classes) == (5, "pixels", ("six", "nine"))
    with pytest.raises(UserError, match=r"no run 90-10, depth2, seed 9, ddim-4: measure"):
        found.of(Run(**RUN | {"seed": "9"}))
    path = tmp_path / "a.npz"
    write_npz(path, ARCHIVES["manifold"][1] | {"runs": np.array([json.dumps(RUN)] * 2)})
    assert "damaged" in refused(lambda path: read_manifold(path, "s"), path)


def test_runs_are_embedded_as_the_real_images_were(tmp_path):
    real, run = tmp_path / "real.npz", tmp_path / "run.npz"
    write_npz(real, ARCHIVES["real"][1])
    write_npz(run, ARCHIVES["embedded"][1])
    first, (model,) = read_all(real, [run], "s")
    assert (first.path, model.path) == (real, run)
    about = ABOUT | {"pixels": {"metric": "cosine"}}
    message = f"{run}: not embedded as {real} was: embed all images of the study again"
    for other in ({"about": json.dumps(about)}, {"classes": np.array(["a", "b"])}):
        write_npz(run, ARCHIVES["embedded"][1] | other)
        assert refused(lambda path: read_all(real, [path], "s"), run) == message


@pytest.mark.parametrize(("meta", "why"), [({"classes": ["a"]}, "'confusion'"), ([], "")])
def test_what_is_no_classifier_is_no_instrument(tmp_path, meta, why):
    write_json(tmp_path / "c.json", meta)
    message = refused(lambda path: read_instrument(path, 10), tmp_path / "c.json")
    assert "not a classifier (" in message and why in message and "train it again" in message
