"""Sweeps: studies made of one value each, subsets that share no image, weights kept on the way."""

import copy
import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from conftest import TINY, copy_checkout, snakemake

from depthbias.config.reading import load, parse
from depthbias.data.subsets import draw_subset
from depthbias.diffusion.trainer import Trainer, TrainingOptions
from depthbias.estimates.tidy import read_rows
from depthbias.system.compute import Precision
from depthbias.system.errors import UserError
from depthbias.system.files import read_json, write_json
from depthbias.system.tensors import read_tensors, write_tensors

ROOT = Path(__file__).parents[2]
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())


def test_a_value_makes_a_study_and_the_own_value_is_the_study():
    params = load(ROOT / "params.yaml")
    points = params.points("mnist-size")
    assert points["mnist-sweep"] == params.studies["mnist-sweep"].subset_size
    assert points["mnist-size-64"] == 64 and len(points) == 4
    base = params.studies["mnist-sweep"]
    varied = params.study("mnist-size", "mnist-size-64", 64.0)
    assert varied.subset_size == 64
    expected = base.model_dump() | {"subset_size": 64}
    expected["training"]["snapshots"] = []  # those are of the study itself
    assert varied.model_dump() == expected
    assert params.study("mnist-width", "mnist-width-0.25", 0.25).width == 0.25
    early = params.study("mnist-time", "mnist-time-6000", 6000.0)
    assert early.training.budget == 6000 and early.training.snapshots == []


@pytest.mark.parametrize(
    ("sweep", "words"),
    [
        ({"study": "mnist-sweeb"}, ["no study 'mnist-sweeb'", "did you mean 'mnist-sweep'"]),
        ({"values": [256, 16]}, ["sweeps.mnist-size.values", "rise"]),
        ({"vary": "depth"}, ["sweeps.mnist-size.vary"]),
        ({"vary": "snapshots", "values": [7, 24_000]}, ["7 is not among training.snapshots"]),
        ({"vary": "width", "values": [0.5, 9]}, ["sweeps.mnist-size.values.width: 9"]),
        ({"vary": "width", "values": [0.1, 0.5]}, ["sweeps.mnist-size.values", "multiple of 8"]),
        ({"values": [8, 16]}, ["mnist-size.values: 8: neighbors.k", "needs more than 8 images"]),
        ({"values": [16, 64.7]}, ["64.7 is not a whole number"]),
        ({"valeus": [1, 2]}, ["unknown key", "did you mean 'values'"]),
    ],
)
def test_bad_sweeps_are_refused_in_one_line(sweep, words):
    content = copy.deepcopy(PARAMS)
    content["sweeps"]["mnist-size"] |= sweep
    with pytest.raises(UserError) as caught:
        parse(content)
    message = str(caught.value)
    assert all(word in message for word in words), message
    assert "pydantic" not in message and "\n" not in message


def test_disjoint_subsets_share_no_image_and_keep_their_counts():
    labels = np.array(["six"] * 60 + ["nine"] * 40)
    drawn = [draw_subset(labels, {"six": 0.6, "nine": 0.4}, 30, seed, True) for seed in range(3)]
    assert len(np.unique(np.concatenate(drawn))) == 90
    for rows in drawn:
        assert np.count_nonzero(labels[rows] == "nine") == 12
    with pytest.raises(UserError, match=r"30 images .* 18 of six \(available: 15\).* ratio is 25$"):
        draw_subset(labels, {"six": 0.6, "nine": 0.4}, 30, 3, True)  # a fourth block


def test_snapshots_are_the_average_of_their_time_and_survive_an_interruption():
    options = TrainingOptions(
        architecture="depth2",
        width=0.25,
        seed=0,
        objective="edm",
        budget=32,
        batch_size=8,
        learning_rate=0.01,
        warmup=0,
        weight_decay=0.0,
        clip=1.0,
        ema_halflife=16,
        precision="fp32",
        log_every=8,
        snapshots=[8, 20],
    )
    images = torch.randint(0, 256, (16, 8, 8, 1), dtype=torch.uint8)
    make = lambda: Trainer(options, images, torch.device("cpu"), Precision("fp32", ""))  # noqa: E731
    trainer = make()
    trainer.step()
    first = {name: weight.clone() for name, weight in trainer.average.items()}
    trainer.step()
    resumed = make()
    resumed.restore(*trainer.state())
    for one in (trainer, resumed):
        one.step()
        assert sorted(one.kept) == [8, 20]  # 20 is first passed at 24
        for name, weight in one.kept[8].items():
            assert torch.equal(weight, first[name])
        for name, weight in one.kept[20].items():
            assert torch.equal(weight, one.average[name])


RUN = {"study": "seen-8", "ratio": "90-10", "architecture": "depth2", "seed": "0"}


def snapshot(folder, monkeypatch, seen):
    files = {name: folder / f"{name}.json" for name in ("whole", "meta")}
    files |= {name: folder / f"{name}.safetensors" for name in ("kept", "model")}
    words = [word for name, path in files.items() for word in (f"--{name}", str(path))]
    monkeypatch.setattr(
        sys, "argv", ["snapshot", *words, "--seen", str(seen), "--run", json.dumps(RUN)]
    )
    runpy.run_path(str(ROOT / "scripts/snapshot.py"), run_name="__main__")


def test_a_snapshot_is_cut_out_as_a_model_of_its_own(tmp_path, monkeypatch):
    kept = {f"{seen}.{name}": torch.full((2,), 1.0 * seen) for seen in (8, 80) for name in "ab"}
    write_tensors(tmp_path / "kept.safetensors", kept)
    whole = {
        "budget": 160,
        "snapshots": [8, 80],
        "weights": "of the whole",
        "architecture": "depth2",
    }
    write_json(tmp_path / "whole.json", whole)
    snapshot(tmp_path, monkeypatch, 8)
    tensors, *_ = read_tensors(tmp_path / "model.safetensors")
    assert {name: tensor.tolist() for name, tensor in tensors.items()} == {
        "a": [8, 8],
        "b": [8, 8],
    }
    meta = read_json(tmp_path / "meta.json")
    assert (meta["budget"], meta["snapshots"], meta["architecture"]) == (8, [], "depth2")
    assert meta["run"] == RUN
    assert meta["weights"] not in ("of the whole", "")
    with pytest.raises(SystemExit, match=r"kept\.safetensors: has no snapshot at 9 images"):
        snapshot(tmp_path, monkeypatch, 9)


@pytest.mark.slow
def test_sweeps_run_from_digits_to_figures(tmp_path):
    params = copy.deepcopy(TINY)
    study = params["studies"]["tiny"]
    study.update(ratios=["50-50"], architectures=["depth2"], subset_size=20, disjoint=True)
    study["training"].update(objective="edm", budget=1920, snapshots=[960])
    params["sweeps"] = {
        "size": {"study": "tiny", "vary": "subset_size", "values": [12, 20]},
        "time": {"study": "tiny", "vary": "snapshots", "values": [960, 1920]},
    }
    folder = copy_checkout(tmp_path / "sweeps", params)
    done = snakemake(folder, "--cores", "2", "sweeps_tiny")
    assert done.returncode == 0, done.stdout[-4000:]
    for name in ("sweeps/size", "sweeps/time", "size-12/figures/disjoint-50-50"):
        assert (folder / f"results/{name}.png").stat().st_size > 5000
    subsets = [read_json(folder / f"data/size-12/50-50/seed{k}.json")["indices"] for k in (0, 1)]
    assert not set(subsets[0]) & set(subsets[1])
    assert not (folder / "data/size-12/images.npz").exists()  # those of the base are used
    early, late = (
        read_rows(folder / f"results/{name}/structure.csv").query(
            "metric == 'score_error:gaussian'"
        )
        for name in ("time-960", "tiny")
    )
    assert (early["value"].to_numpy() != late["value"].to_numpy()).any()
    assert "Nothing to be done" in snakemake(folder, "-n", "--cores", "1", "sweeps_tiny").stdout
