"""The classifier: what it learns, that it is deterministic, its scripts and their errors."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.metrics import balanced_accuracy_score, confusion_matrix

from depthbias.estimates.confusion import confusion_counts
from depthbias.measures.samples import noise_of
from depthbias.system.errors import UserError
from depthbias.system.files import read_json, read_npz, write_json, write_npz
from depthbias.vision.classifier import (
    Classifier,
    check_accuracy,
    classify,
    load_classifier,
    save_classifier,
    train_classifier,
)

SCRIPTS = Path(__file__).parents[2] / "scripts"
OPTIONS = {"budget": 6400, "batch_size": 64, "learning_rate": 2e-3}


def digits(*classes, held=50):
    """Real digits: uint8 images, rows of each class to train on, rows of each class held out."""
    bunch = load_digits()
    images = np.rint(bunch.images * (255 / 16)).astype(np.uint8)[..., None]
    rows = [np.flatnonzero(bunch.target == digit) for digit in classes]
    return images, [own[held:] for own in rows], [own[:held] for own in rows]


def accuracy(model, images, rows):
    return [
        float((classify(model, images[own]).argmax(1) == k).mean()) for k, own in enumerate(rows)
    ]


@pytest.fixture(scope="module")
def trained():
    torch.set_num_threads(1)
    images, pool, held = digits(6, 9)
    options = OPTIONS | {"budget": 20_000}
    return train_classifier(images, pool, seed=0, **options), images, pool, held


def test_it_learns_digits(trained):
    model, images, _, held = trained
    assert min(accuracy(model, images, held)) >= 0.98
    probabilities = classify(model, images[held[0]])
    assert probabilities.dtype == np.float32 and probabilities.sum(1) == pytest.approx(1, abs=1e-5)


def test_it_is_sure_of_real_images_and_not_of_half_and_half(trained):
    model, images, _, held = trained
    sure = [classify(model, images[own]).max(1) >= 0.9 for own in held]
    assert np.mean(sure) > 0.95
    half = (images[held[0]].astype(int) + images[held[1]]) // 2
    assert (classify(model, half.astype(np.uint8)).max(1) >= 0.9).mean() < 0.5


def test_training_is_deterministic_and_leaves_the_random_state_alone(trained):
    _, images, pool, _ = trained
    torch.manual_seed(1)
    state = torch.random.get_rng_state()
    short = OPTIONS | {"budget": 320}
    first, again, other = (train_classifier(images, pool, seed=s, **short) for s in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), state)
    same = [
        [torch.equal(a, b) for a, b in zip(first.parameters(), model.parameters(), strict=True)]
        for model in (again, other)
    ]
    assert all(same[0]) and not any(same[1][-2:])


def test_rare_classes_are_seen_as_often_as_common_ones():
    """Of two classes that look the same, the network cannot prefer the common one."""
    images = np.random.default_rng(0).integers(0, 256, (400, 8, 8, 1), dtype=np.uint8)
    images[:] = 128
    model = train_classifier(images, [np.arange(390), np.arange(390, 400)], seed=0, **OPTIONS)
    assert classify(model, images[:1])[0, 1] == pytest.approx(0.5, abs=0.1)


def test_three_classes_and_few_images_of_one():
    images, pool, held = digits(6, 9, 3)
    pool[2] = pool[2][:60]
    model = train_classifier(images, pool, seed=0, **OPTIONS)
    assert min(accuracy(model, images, held)) >= 0.9


@pytest.mark.parametrize(("size", "channels"), [(8, 1), (12, 3), (28, 1), (64, 3)])
def test_sizes_and_channels(size, channels):
    model = Classifier(channels, size, 5)
    assert model(torch.zeros(2, channels, size, size)).shape == (2, 5)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_it_learns_on_a_gpu():
    images, pool, held = digits(6, 9)
    model = train_classifier(images, pool, seed=0, device="cuda", **OPTIONS)
    assert min(accuracy(model, images, held)) >= 0.96


def test_confusion_is_classified_by_true():
    rng = np.random.default_rng(0)
    true, found = rng.integers(0, 3, 500), rng.integers(0, 3, 500)
    confusion = confusion_counts(found, true, 3)
    assert np.array_equal(confusion, confusion_matrix(true, found).T)
    assert check_accuracy(confusion, ["a", "b", "c"], 0) == pytest.approx(
        balanced_accuracy_score(true, found)
    )


def test_too_many_errors_are_listed():
    confusion = np.array([[27, 2], [0, 25]])
    assert check_accuracy(confusion, ["six", "nine"], 0.9) == pytest.approx((1 + 25 / 27) / 2)
    with pytest.raises(UserError, match=r"0\.963.*0\.98.*2 of 27 nine taken for six\)"):
        check_accuracy(confusion, ["six", "nine"], 0.98)


def test_files_of_another_classifier_are_refused(trained, tmp_path):
    model, images, _, held = trained
    meta = {"classes": ["six", "nine"], "size": 8, "channels": 1}
    for name, saved in (("a", model), ("b", Classifier(1, 8, 2))):
        save_classifier(saved, meta, tmp_path / f"{name}.safetensors", tmp_path / f"{name}.json")
    loaded, described = load_classifier(tmp_path / "a.safetensors", tmp_path / "a.json")
    assert described["classes"] == ["six", "nine"]
    assert np.array_equal(classify(loaded, images[held[0]]), classify(model, images[held[0]]))
    with pytest.raises(UserError, match=r"a\.safetensors.*b\.json"):
        load_classifier(tmp_path / "a.safetensors", tmp_path / "b.json")
    (tmp_path / "a.safetensors").write_bytes((tmp_path / "b.safetensors").read_bytes()[:5000])
    with pytest.raises(UserError, match=r"a\.safetensors"):
        load_classifier(tmp_path / "a.safetensors", tmp_path / "a.json")


# Scripts


def script(name, **flags):
    arguments = [f"--{key.replace('_', '-')}={value}" for key, value in flags.items()]
    command = [sys.executable, str(SCRIPTS / f"{name}.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Prepared digits and their split."""
    folder = tmp_path_factory.mktemp("classifier")
    images, pool, held = digits(6, 9, held=54)
    write_npz(folder / "images.npz", {"images": images}, compress=False)
    split = {"classes": ["six", "nine"], "population": [170, 170], "images": "fingerprint"}
    split |= {"pool": dict(zip(["six", "nine"], pool, strict=True))}
    for part, rows in (("calibration", slice(0, 27)), ("control", slice(27, 54))):
        split[part] = {"six": held[0][rows], "nine": held[1][rows]}
    write_json(folder / "split.json", split)
    return folder


def train(files, output, **changed):
    outputs = {"model": "c.safetensors", "meta": "c.json", "control": "control.npz"}
    flags = {"images": files / "images.npz", "split": files / "split.json", "seed": 0}
    flags |= OPTIONS | {"threshold": 0.9, "threads": 1}
    flags |= {key: output / name for key, name in outputs.items()} | changed
    return script("train_classifier", **flags)


def test_train_and_classify(files, tmp_path):
    for folder in ("one", "two"):
        done = train(files, tmp_path / folder)
        assert done.returncode == 0, done.stderr
    for name in ("c.safetensors", "c.json", "control.npz"):
        first, second = ((tmp_path / folder / name).read_bytes() for folder in ("one", "two"))
        assert first == second
    meta = read_json(tmp_path / "one" / "c.json")
    assert meta["classes"] == ["six", "nine"] and (meta["size"], meta["channels"]) == (8, 1)
    assert np.sum(meta["confusion"], axis=0).tolist() == [27, 27]
    probabilities, labels = read_npz(tmp_path / "one" / "control.npz", "probabilities", "labels")
    assert probabilities.shape == (54, 2) and labels.tolist() == [0] * 27 + [1] * 27
    assert (probabilities.argmax(1) == labels).mean() > 0.95

    (images,) = read_npz(files / "images.npz", "images")
    run = json.dumps({"study": "s", "ratio": "90-10", "architecture": "depth2", "seed": "0"})
    samples = {
        "images": images[:60],
        "noise": noise_of([3], 60),
        "run": run,
    }
    write_npz(tmp_path / "samples.npz", samples)
    done = classify_samples(tmp_path, tmp_path / "one")
    assert done.returncode == 0, done.stderr
    names = ("probabilities", "classes", "run", "noise")
    found, classes, copied, noise = read_npz(tmp_path / "classes.npz", *names)
    model, _ = load_classifier(tmp_path / "one" / "c.safetensors", tmp_path / "one" / "c.json")
    assert found.dtype == np.float32 and np.array_equal(found, classify(model, images[:60]))
    assert (classes.tolist(), str(copied)) == (["six", "nine"], run)
    assert np.array_equal(noise, samples["noise"])

    samples["images"] = np.zeros((60, 16, 16, 3), dtype=np.uint8)
    write_npz(tmp_path / "samples.npz", samples)
    one_error(
        classify_samples(tmp_path, tmp_path / "one"), "samples.npz", "(16, 16, 3)", "(8, 8, 1)"
    )


def classify_samples(folder, classifier):
    return script(
        "classify",
        samples=folder / "samples.npz",
        model=classifier / "c.safetensors",
        meta=classifier / "c.json",
        threads=1,
        output=folder / "classes.npz",
    )


def one_error(done, *words):
    assert done.returncode == 1 and done.stdout == ""
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: ") and "Traceback" not in done.stderr, done.stderr
    assert all(word in last for word in words), last


def test_below_the_threshold_nothing_is_written(files, tmp_path):
    done = train(files, tmp_path / "out", budget=64, threshold=0.999)
    one_error(done, "balanced accuracy", "threshold 0.999", "taken for")
    assert not list((tmp_path / "out").iterdir())


def test_bad_input(files, tmp_path):
    write_json(tmp_path / "split.json", {"classes": ["six"]})
    one_error(train(files, tmp_path, split=tmp_path / "split.json"), "split.json", "not a split")
    one_error(train(files, tmp_path, images=tmp_path / "absent.npz"), "absent.npz")
