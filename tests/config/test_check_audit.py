"""`depthbias check` of an audit: what its folders, tables, archives and models hold."""

import copy
import json
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml

from depthbias.config.check import main
from depthbias.config.outlook import QUICK_TABLE
from depthbias.config.raw_data import first_problem
from depthbias.config.reading import parse
from depthbias.system.errors import UserError

UNET = {"_class_name": "UNet2DModel", "in_channels": 3, "out_channels": 3, "sample_size": 8}
SCHEDULER = {"_class_name": "DDPMScheduler"}
AUDIT = {
    "data": {"raw": "train", "labels": "train.csv", "size": 8, "channels": 3},
    "heldout": {"raw": "test", "labels": "test.csv"},
    "classes": {"cat": {"any": ["cat"]}, "dog": {"any": ["dog"]}},
    "quality": {"k": [3, 5]},
    "subjects": {
        "folder": {"images": "generated"},
        "archive": {"images": "generated.zip"},
        "array": {"images": "generated.npz"},
        "model": {"diffusers": "model"},
        "loose": {"weights": "w.bin", "unet": "model/unet/config.json", "scheduler": "s.json"},
    },
}


def images(folder, count, table="", label=lambda place: ("cat", "dog")[place % 2]):
    """Files by the names of images, which nobody reads, and their table."""
    Path(folder).mkdir(exist_ok=True)
    for place in range(count):
        Path(folder, f"{place}.png").touch()
    if table:
        rows = "".join(f"{place}.png,{label(place)}\n" for place in range(count))
        Path(table).write_text(f"file,label\n{rows}")


@pytest.fixture
def brought(tmp_path, monkeypatch):
    """A folder with all that AUDIT names; a copy of it to change."""
    monkeypatch.chdir(tmp_path)
    images("train", 60, "train.csv")
    images("test", 40, "test.csv")
    images("generated", 7)
    with zipfile.ZipFile("generated.zip", "w") as archive:
        archive.writestr("a/0.png", "")
    np.savez("generated.npz", arr_0=np.zeros((5, 9, 9, 3), np.uint8))
    for path, content in (("model/unet/config.json", UNET), ("s.json", SCHEDULER)):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(json.dumps(content))
    Path("model/scheduler_config.json").write_text(json.dumps(SCHEDULER))
    Path("model/unet/diffusion_pytorch_model.safetensors").touch()
    Path("w.bin").touch()
    return copy.deepcopy(AUDIT)


def params(audit):
    return {"active": ["mine"], "studies": {"mine": audit}}


def checked(audit, monkeypatch, capsys):
    """(what is printed, problems without the name of the file) of `depthbias check`."""
    Path("params.yaml").write_text(yaml.safe_dump(params(audit), sort_keys=False))
    monkeypatch.setattr(sys, "argv", ["check", "mine"])
    try:
        main()
    except UserError as error:
        assert "\n" not in str(error)
    out, told = capsys.readouterr()
    return out, [line.removeprefix("params.yaml: studies.mine.") for line in told.splitlines()]


def test_what_is_brought_is_counted(brought, monkeypatch, capsys):
    out, told = checked(brought, monkeypatch, capsys)
    assert told == []
    assert out == (
        "mine: 60 training images, 40 held-out images, 1000 images from model, 1000 images from "
        "loose, 7 images of folder, 1 images of archive, 5 images of array\n"
    )
    assert first_problem(parse(params(brought)), ["mine"]) == ""


def without_labels(audit):
    del audit["classes"], audit["data"]["labels"]
    images("few", 5)
    audit["heldout"] = {"raw": "few"}


def third_label(_):
    """Training images of a label that is in no class."""
    images("train", 60, "train.csv", lambda place: ("cat", "dog", "fox")[place % 3])


def config(**changes):
    return lambda _: Path("model/unet/config.json").write_text(json.dumps(UNET | changes))


def write(path, text):
    return lambda _: Path(path).write_text(text)


def array(**arrays):
    return lambda _: np.savez("generated.npz", **arrays)


def set_to(key, value):
    """Change the value at a dotted key."""

    def change(audit):
        *parents, last = key.split(".")
        block = audit
        for parent in parents:
            block = block[parent]
        block[last] = value

    return change


WRONG = [
    (set_to("data.raw", "trian"), ["data.raw: trian: no such folder; did you mean 'train'?: put"]),
    (set_to("heldout.raw", "tset"), ["heldout.raw: tset: no such folder; did you mean 'test'?"]),
    (set_to("data.labels", "tarin.csv"), ["data.labels: tarin.csv: no such file; did you mean"]),
    (write("test.csv", "file,label\n99.png,cat\n"), ["heldout.labels: test.csv, line 2: '99.png'"]),
    (write("train.csv", "file,label\n0.png,cat\n"), ["data.labels: train.csv: does not list 59"]),
    (set_to("classes.dog", {"any": ["fox"]}), ["classes: class dog: no attribute 'fox'"]),
    (
        set_to("classes.dog", {"all": ["dog", "cat"]}),
        ["classes: class dog: no image matches all"],
    ),
    (third_label, ["classes: 20 training images are in no"]),
    (without_labels, ["quality.k: 5 needs more than 5 held-out images"]),
    (set_to("neighbors", {"k": [1, 61]}), ["neighbors.k: 61 needs as many training images, and"]),
    (
        set_to("quality.k", [5, 20]),
        ["quality.k: 20 needs more than 20 held-out images of class"] * 2,
    ),
    (set_to("subjects.folder.images", "genrated"), ["subjects.folder.images: genrated: no such"]),
    (set_to("subjects.folder.images", "w.bin"), ["subjects.folder.images: w.bin: neither folder,"]),
    (write("generated.zip", "no"), ["subjects.archive.images: generated.zip: damaged (File is"]),
    (write("generated.npz", "no"), ["subjects.array.images: generated.npz: damaged ("]),
    (array(other=np.zeros(3)), ["subjects.array.images: generated.npz: has no array arr_0 or im"]),
    (
        array(arr_0=np.zeros((2, 8, 8, 3))),
        ["subjects.array.images: generated.npz: arr_0 is float64"],
    ),
    (
        array(images=np.zeros((0, 8, 8, 3), np.uint8)),
        ["subjects.array.images: generated.npz: holds"],
    ),
    (
        set_to("subjects.model.diffusers", "modle"),
        ["subjects.model.diffusers: modle: no such file"],
    ),
    (config(_class_name="UNet2DConditionModel"), ["a UNet2DConditionModel: supported"] * 2),
    (config(num_class_embeds=10), ["a class-conditional model: supported"] * 2),
    (config(in_channels=4, out_channels=4), ["4 channels, as of a latent model: supported"] * 2),
    (config(sample_size=32), ["a model of 32x32 images: set data.size: 32"] * 2),
    (set_to("data.channels", 1), ["a model of 3 channels: set data.channels: 3"] * 2),
    (write("model/scheduler_config.json", "[]"), ["subjects.model.diffusers: model/scheduler_con"]),
    (write("s.json", "{"), ["subjects.loose.weights: s.json: not valid JSON"]),
    (
        set_to("subjects.loose.weights", "s.json"),
        ["subjects.loose.weights: s.json: no file of wei"],
    ),
    (
        lambda _: Path("model/unet/diffusion_pytorch_model.safetensors").unlink(),
        ["subjects.model.diffusers: model/unet: has no weights in .safetensors or .bin"],
    ),
]


@pytest.mark.parametrize(("change", "lines"), WRONG)
def test_what_cannot_be_audited_is_told_before_the_first_job(
    brought, monkeypatch, capsys, change, lines
):
    change(brought)
    out, told = checked(brought, monkeypatch, capsys)
    assert len(told) == len(lines) and bool(out) == (not lines), told
    for line, words in zip(told, lines, strict=True):
        assert words in line
    first = first_problem(parse(params(brought)), ["mine"])
    assert first.removeprefix("studies.mine.") == "".join(told[:1])


def test_all_problems_are_told_in_one_pass(brought, monkeypatch, capsys):
    brought["data"]["raw"] = "gone"
    brought["heldout"]["labels"] = "gone.csv"
    for subject in ("folder", "model"):
        brought["subjects"][subject] = {next(iter(brought["subjects"][subject])): "gone"}
    keys = [line.split(": ")[0] for line in checked(brought, monkeypatch, capsys)[1]]
    subjects = ["subjects.model.diffusers", "subjects.folder.images"]
    assert keys == ["data.raw", "heldout.labels", *subjects]


def test_what_was_brought_before_may_be_gone(brought, monkeypatch, capsys):
    for path in ("data/mine/images.npz", "results/mine-folder/natural/folder/seed0"):
        Path(path).mkdir(parents=True)
    brought["data"]["raw"] = brought["heldout"]["raw"] = "gone"
    brought["subjects"]["folder"]["images"] = "gone"
    out, told = checked(brought, monkeypatch, capsys)
    assert told == [] and "7 images of folder" not in out and "5 images of array" in out


def test_a_large_table_is_left_to_the_first_job(brought, monkeypatch, capsys):
    with Path("train.csv").open("a") as file:
        file.write("gone.png,cat\n" + "\n" * QUICK_TABLE)
    assert first_problem(parse(params(brought)), ["mine"]) == ""
    assert "gone.png" in checked(brought, monkeypatch, capsys)[1][0]
