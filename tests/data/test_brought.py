"""Images that were brought: listed, decoded as training images, split, counted, described."""

import io
import json
import zipfile
from collections import Counter

import numpy as np
import pytest
from conftest import program
from PIL import Image

from depthbias.data.brought import described, differences, generated_photos, list_images, looked_at
from depthbias.data.photos import decode, decode_stream
from depthbias.data.splits import read_split
from depthbias.data.subsets import read_subset
from depthbias.measures.samples import read_samples
from depthbias.system.errors import UserError
from depthbias.system.files import map_npz, read_npz

RUN = {"study": "mine-theirs", "ratio": "natural", "architecture": "theirs", "seed": "0"}


def noise(count, seed, shape=(6, 6)):
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8)


def folder_of(folder, images, labels=(), used=()):
    """Images as PNG files in a folder, and a table beside it."""
    for place, image in enumerate(images):
        path = folder / f"{place // 3}/{place:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    lines = ["file,label,used" if used else "file,label"]
    for place, label in enumerate(labels):
        more = f",{used[place]}" if used else ""
        lines.append(f"{place // 3}/{place:03}.png,{label}{more}")
    table = folder.parent / f"{folder.name}.csv"
    table.write_text("\n".join(lines) + "\n")
    return table


def test_without_labels_all_images_at_any_depth_count(tmp_path):
    folder_of(tmp_path / "a", noise(5, 0))
    (tmp_path / "a/notes.txt").write_text("no image")
    found = list_images(tmp_path / "a", None, labelled=False)
    assert len(found.files) == 5 and set(found.labels) == {"image"}


def test_the_column_used_narrows_the_training_images(tmp_path):
    table = folder_of(tmp_path / "a", noise(4, 0), ["x", "y", "x", "y"], ["yes", "No", "1", "y"])
    found = list_images(tmp_path / "a", table, labelled=True)
    assert found.labels == ["x", "x", "y"]


@pytest.mark.parametrize(
    ("labels", "used", "words"),
    [
        (["x", "y"], [], "does not list 1 images"),
        (["x", "y", "x"], ["yes", "maybe", "no"], "line 3: used is 'maybe': write yes or no"),
        (["x", "y", "x"], ["no", "no", "no"], "uses no image"),
    ],
)
def test_tables_that_do_not_fit_are_refused(tmp_path, labels, used, words):
    table = folder_of(tmp_path / "a", noise(3, 0), labels, used)
    with pytest.raises(UserError, match=words):
        list_images(tmp_path / "a", table, labelled=True)


def as_zip(path, images):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("__MACOSX/in/0.png", b"left by an archiver")
        archive.writestr("in/readme.txt", "no image")
        for place, image in enumerate(images):
            content = io.BytesIO()
            Image.fromarray(image).save(content, "PNG")
            archive.writestr(f"in/deep/{place:03}.png", content.getvalue())


@pytest.mark.parametrize("kind", ["folder", "zip", "arr_0", "images", "channels first"])
def test_generated_images_are_the_same_however_they_are_brought(tmp_path, kind):
    images = noise(7, 1, (9, 7, 3))
    path = tmp_path / "g"
    if kind == "folder":
        folder_of(path, images)
    elif kind == "zip":
        as_zip(path := tmp_path / "g.zip", images)
    else:
        path = tmp_path / "g.npz"
        array = images.transpose(0, 3, 1, 2) if kind == "channels first" else images
        np.savez(path, **{kind if kind == "images" else "arr_0": array}, labels=np.arange(7))
    names, photos = generated_photos(path)
    found = np.concatenate(list(decode_stream(photos, 6, 3, 1)))
    alone = tmp_path / "one.png"
    Image.fromarray(images[2]).save(alone)
    assert len(names) == 7 and found.shape == (7, 6, 6, 3)
    assert np.array_equal(found[2], decode(("one", alone), 6, 3))


def wrong_arrays(path, array):
    np.savez(path, arr_0=array)
    return path


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda t: t / "nothing", "no such file or folder"),
        (lambda t: folder_of(t / "a", []).parent / "a.csv", "neither folder, .zip nor .npz"),
        (lambda t: wrong_arrays(t / "a.npz", np.zeros((2, 4, 4, 3))), "is float64"),
        (lambda t: wrong_arrays(t / "a.npz", np.zeros((2, 4, 4, 2), np.uint8)), "give uint8"),
        (lambda t: wrong_arrays(t / "a.npz", np.zeros((0, 4, 4, 3), np.uint8)), "holds no image"),
    ],
)
def test_what_holds_no_generated_images_is_named(tmp_path, make, words):
    with pytest.raises(UserError, match=words):
        generated_photos(make(tmp_path))


def test_archives_that_are_damaged_or_empty_are_named(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04nothing")
    with pytest.raises(UserError, match=r"a\.zip"):
        generated_photos(tmp_path / "a.zip")
    np.savez(tmp_path / "b.npz", samples=np.zeros((1, 4, 4), np.uint8))
    with pytest.raises(UserError, match="has no array arr_0 or images"):
        generated_photos(tmp_path / "b.npz")
    as_zip(tmp_path / "c.zip", [])
    with pytest.raises(UserError, match="holds no images"):
        generated_photos(tmp_path / "c.zip")


def test_an_image_of_another_shape_is_cropped_to_the_shape_of_the_study(tmp_path):
    image = noise(1, 2, (8, 20))[0]
    Image.fromarray(image).save(tmp_path / "a.png")
    found = decode(("a", tmp_path / "a.png"), (8, 12), 1)
    assert np.array_equal(found[..., 0], image[:, 4:16])


def test_sizes_formats_and_filters_are_told_where_they_differ(tmp_path):
    for name, size in (("a.png", 6), ("b.jpg", 12)):
        Image.fromarray(noise(1, 3, (size, size))[0]).save(tmp_path / name)
    told = []
    for name in ("a.png", "b.jpg"):
        kinds = Counter()
        list(looked_at([(name, tmp_path / name)], 6, kinds))
        told.append(described(kinds, 6))
    assert told[0]["filter"] == "none" and told[0]["sizes"] == {"6x6": 1}
    found = differences(*told)
    for words in ("formats JPEG where", "sizes 12x12 where training images have 6x6", "Lanczos"):
        assert words in found
    assert not differences(told[0], told[0])


def bring(monkeypatch, tmp_path, *words):
    outputs = {name: tmp_path / name for name in ("images.npz", "split.json", "about.json")}
    flags = [f"--{path.stem}={path}" for path in outputs.values()]
    program(monkeypatch, "bring_images", *words, "--size", 6, "--channels", 1, *flags)
    subset = tmp_path / "subset.json"
    program(monkeypatch, "whole_subset", "--split", tmp_path / "split.json", "--output", subset)
    about = json.loads((tmp_path / "about.json").read_text())
    return read_split(tmp_path / "split.json"), read_subset(subset), about


def test_held_out_images_that_are_training_images_are_left_out(monkeypatch, tmp_path, capfd):
    training, heldout = noise(9, 4), noise(8, 5)
    training[8], heldout[0] = training[2], training[3]
    labels = ["x", "y"] * 5
    first = folder_of(tmp_path / "train", training, labels[:9])
    second = folder_of(tmp_path / "test", heldout, labels[:8])
    words = ["--raw", first.with_suffix(""), "--labels", first, "--heldout-raw"]
    words += [second.with_suffix(""), "--heldout-labels", second, "--classes"]
    words.append(json.dumps({"x": {"any": ["x"]}, "y": {"any": ["y"]}}))
    split, subset, about = bring(monkeypatch, tmp_path, *words)
    assert sorted(subset.rows) == list(range(9)) and subset.counts.tolist() == [5, 4]
    assert len(np.concatenate(split.calibration + split.control)) == 7
    assert 9 not in np.concatenate(split.calibration + split.control)
    assert about["training"]["repeated"] == 1 and about["held-out"]["left_out"] == 1
    assert "1 held-out images are training images as well" in capfd.readouterr().err
    assert map_npz(tmp_path / "images.npz", "images").shape == (17, 6, 6, 1)


def test_without_held_out_images_some_training_images_are_set_aside(monkeypatch, tmp_path):
    folder_of(tmp_path / "train", noise(60, 6))
    split, subset, _ = bring(monkeypatch, tmp_path, "--raw", tmp_path / "train")
    assert split.classes == ("image",) and len(subset.rows) == 60
    aside = np.concatenate(split.calibration + split.control)
    assert len(aside) == 24 and not set(aside) & set(split.pool[0].tolist())


def test_a_training_image_without_a_class_is_refused(monkeypatch, tmp_path):
    table = folder_of(tmp_path / "train", noise(6, 7), ["x", "y", "z"] * 2)
    words = ["--raw", tmp_path / "train", "--labels", table, "--classes"]
    words.append(json.dumps({"x": {"any": ["x"]}, "y": {"any": ["y"]}}))
    with pytest.raises(SystemExit, match="2 training images are in no class"):
        bring(monkeypatch, tmp_path, *words)


def test_samples_keep_their_order_names_and_duplicates(monkeypatch, tmp_path, capfd):
    images = noise(5, 8)
    images[4] = images[1]
    folder_of(tmp_path / "made", images)
    kinds = Counter({("PNG", "6x6", "RGB"): 3})
    (tmp_path / "real.json").write_text(json.dumps({"training": described(kinds, 6)}))
    words = ["--given", tmp_path / "made", "--size", 6, "--channels", 1, "--training"]
    words += [tmp_path / "real.json", "--output", tmp_path / "s.npz", "--about"]
    words += [tmp_path / "s.json", "--run", json.dumps(RUN | {"sampler": "given"})]
    program(monkeypatch, "bring_samples", *words)
    samples = read_samples(tmp_path / "s.npz", "mine-theirs")
    assert np.array_equal(samples.images[..., 0], images)
    assert read_npz(tmp_path / "s.npz", "source")[0].tolist()[:2] == ["0/000.png", "0/001.png"]
    about = json.loads((tmp_path / "s.json").read_text())
    assert about["repeated"] == 1 and "modes L where training images have RGB" in about["differs"]
    warned = capfd.readouterr().err
    assert warned.count("warning: ") == 2 and "1 images are copies of others" in warned
