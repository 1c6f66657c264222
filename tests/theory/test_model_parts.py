"""The programs of the bench that measure one trained model, and what the next rules read."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import program

from depthbias.diffusion.checkpoints import save_model
from depthbias.diffusion.unet import build_unet
from depthbias.measures.structure_files import read_structures
from depthbias.report.editing_figures import read_edits
from depthbias.system.files import read_npz, write_json, write_npz
from depthbias.theory.model_rows import model_rows

RUN = {"study": "made-up", "ratio": "90-10", "architecture": "depth2", "seed": "0"}
COMMON = {"strengths": [5, 40], "noise-seed": 5, "seed": 0, "batch-size": 70}
REGION = {"rows": [0, 4], "columns": [0, 8], "kept": 2, "sampler": "dpmpp-3"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A U-Net that is not trained, but whose output is not 0 either, and 30 images."""
    folder = tmp_path_factory.mktemp("trained")
    torch.manual_seed(0)
    net = build_unet("depth2", channels=1, size=8, width=0.25)
    with torch.no_grad():
        for weight in net.parameters():
            weight.add_(0.05 * torch.randn_like(weight))
    meta = {"architecture": "depth2", "channels": 1, "size": 8, "width": 0.25, "objective": "edm"}
    save_model(
        net,
        meta | {"sigma_data": 0.5, "seed": 0},
        folder / "model.safetensors",
        folder / "model.json",
    )
    images = np.random.default_rng(0).integers(0, 256, (30, 8, 8, 1), dtype=np.uint8)
    write_npz(folder / "images.npz", {"images": images}, compress=False)
    subset = {"ratio": "90-10", "seed": 0, "classes": ["six", "nine"]}
    subset |= {"indices": list(range(30)), "labels": [0] * 27 + [1] * 3}
    write_json(folder / "subset.json", subset)
    return folder


def words(folder, output, **flags):
    """The flags of a program as words."""
    given = {"model": folder / "model.safetensors", "meta": folder / "model.json"}
    given |= {"run": json.dumps(RUN), "output": output} | flags
    lists = {key: value if isinstance(value, list) else [value] for key, value in given.items()}
    return [word for key, values in lists.items() for word in (f"--{key}", *values)]


def test_jacobians_of_a_model_become_rows(trained, tmp_path, monkeypatch):
    inputs = {"images": trained / "images.npz", "subset": trained / "subset.json"}
    flags = words(
        trained,
        tmp_path / "out.npz",
        **inputs,
        **COMMON,
        **{"sigmas": [0.5, 5], "trajectories": 2},
    )
    program(monkeypatch, "measure_jacobian", *flags)
    (run,) = read_structures([tmp_path / "out.npz"], "made-up")
    names = ("jacobian_rank", "jacobian_asymmetry", "local_error:random@5", "local_error:random@40")
    ranks, asymmetry, near, far = read_npz(tmp_path / "out.npz", *names)
    assert run.sigmas.tolist() == [0.5, 5] and ranks.shape == (2, 2)
    frame = pd.DataFrame(model_rows("jacobian", [run]))
    assert np.isfinite(frame["value"]).all() and (frame["study"] == "made-up").all()
    rank = frame[frame["metric"] == "jacobian_rank"]["value"]
    assert rank.between(0, 1, inclusive="right").all()
    assert (asymmetry > 1e-3).all() and (far > near).all()


def test_edits_of_a_model_become_rows_and_pictures(trained, tmp_path, monkeypatch):
    flags = words(
        trained, tmp_path / "out.npz", **COMMON, **REGION, **{"levels": [0.5, 2], "images": 2}
    )
    program(monkeypatch, "measure_editing", *flags)
    (run,) = read_structures([tmp_path / "out.npz"], "made-up")
    frame = pd.DataFrame(model_rows("editing", [run]))
    assert np.isfinite(frame["value"]).all()
    local = frame[frame["metric"].str.startswith("edit_localisation")]
    assert local["value"].between(0, 1).all() and set(local["k"].dropna()) == {5, 40}
    (edits,) = read_edits([tmp_path / "out.npz"])
    assert edits.sigma == 2 and edits.strength == 40 and edits.region.tolist() == [[0, 4], [0, 8]]
    assert np.any(edits.pictures["loco"] != edits.pictures["original"])


def test_a_region_outside_of_the_images_ends_in_one_line(trained, tmp_path, monkeypatch):
    levels = {"levels": [0.5, 2], "images": 2}
    flags = words(trained, tmp_path / "out.npz", **COMMON, **levels, **REGION | {"rows": [4, 9]})
    with pytest.raises(SystemExit, match="rows 4 to 9: a region needs"):
        program(monkeypatch, "measure_editing", *flags)
    assert not (tmp_path / "out.npz").exists()


@pytest.mark.parametrize(
    ("other", "line"),
    [({"sampler": "ddpm-9"}, "--sampler"), ({"strengths": [9, 9]}, "--strengths must rise")],
)
def test_flags_that_do_not_go_together_are_wrong_usage(
    trained, tmp_path, monkeypatch, capsys, other, line
):
    levels = {"levels": [0.5, 2], "images": 2}
    flags = words(trained, tmp_path / "out.npz", **COMMON | levels | REGION | other)
    with pytest.raises(SystemExit, match="2"):
        program(monkeypatch, "measure_editing", *flags)
    assert line in capsys.readouterr().err
