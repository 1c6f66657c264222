"""The diffusion transformer is built, called, trained, resumed, saved and sampled as a U-Net."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from test_training import FP32, OPTIONS, ROOT

from depthbias.data.registry import load_data_set
from depthbias.diffusion.architectures import get_architecture
from depthbias.diffusion.checkpoints import load_model, save_model
from depthbias.diffusion.network_denoiser import NetworkDenoiser
from depthbias.diffusion.resume_points import load_point, save_point
from depthbias.diffusion.trainer import Trainer, train
from depthbias.export.diffusers_folder import export_diffusers
from depthbias.system.errors import UserError
from depthbias.system.files import read_json, write_json, write_npz

SMALL = get_architecture("dit-small")
META = {"architecture": "dit-small", "channels": 1, "size": 8, "width": 0.25, "objective": "ddpm"}


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def network():
    """With weights that are not those of the start, which makes its output 0."""
    torch.manual_seed(0)
    made = SMALL.build(channels=1, size=8, width=0.25)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.normal_(std=0.05)
    return made.eval()


@pytest.fixture
def x():
    return torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(1))


def call(network, x, *times):
    with torch.no_grad():
        return network(x, torch.tensor(times), return_dict=False)[0]


def test_size_and_kind():
    assert 1_000_000 < SMALL.parameters(1, 8, 1.0) == 1_420_164 < 1_500_000
    assert SMALL.parameters(3, 64, 1.0) == 1_422_220
    assert (SMALL.depth, SMALL.stages, SMALL.has_mid_block) == (None, 0, False)
    network = SMALL.build(channels=1, size=8, width=0.25)
    assert not hasattr(network, "down_blocks") and not hasattr(network, "mid_block")


@pytest.mark.parametrize(
    ("size", "width", "message"),
    [
        (7, 1.0, "images of 7x7 pixels into patches of 2x2: choose a size that is a multiple of 2"),
        (0, 1.0, "choose a size"),
        (8, 0.3, "width 0.3 gives dit-small 38.4 channels: .* multiple of 32; choose a width"),
        (8, 0, "positive multiple of 32"),
    ],
)
def test_what_does_not_fit_is_refused(size, width, message):
    with pytest.raises(UserError, match=message):
        SMALL.check(size, width)
    with pytest.raises(UserError, match=message):
        SMALL.build(channels=1, size=size, width=width)


def test_times_are_whole_or_not_one_or_one_an_image(network, x):
    whole, between = call(network, x, 500), call(network, x, 500.5)
    assert torch.equal(whole, call(network, x, 500.0))
    assert 0 < float((whole - between).abs().max()) < float((whole - call(network, x, 900)).std())
    each = torch.cat([call(network, x[i : i + 1], t) for i, t in enumerate((-1.2, 0.3, 999.0))])
    torch.testing.assert_close(call(network, x, -1.2, 0.3, 999.0), each, atol=1e-5, rtol=1e-4)


def test_it_is_the_network_of_diffusers_with_one_class(network, x):
    plain = type(network)(**network.config).eval()
    plain.load_state_dict(network.state_dict())
    times, labels = torch.tensor([3, 500, 999]), torch.zeros(3, dtype=torch.int64)
    with torch.no_grad():
        expected = plain(x, times, class_labels=labels).sample
    assert torch.equal(call(network, x, 3, 500, 999), expected)


def test_it_starts_at_zero_and_draws_nothing_when_called(x):
    network = SMALL.build(channels=1, size=8, width=0.25).train()
    state = torch.get_rng_state()
    assert not network(x, torch.tensor([5]), return_dict=False)[0].any()
    assert torch.equal(torch.get_rng_state(), state)


def test_what_is_saved_is_loaded_with_its_positions(network, x, tmp_path):
    places = tmp_path / "m.safetensors", tmp_path / "m.json"
    save_model(network, META, *places)
    again, _ = load_model(*places)
    assert torch.equal(call(again, x, 7), call(network, x, 7))


def test_it_is_no_model_for_the_pipeline_of_diffusers(network, tmp_path):
    with pytest.raises(UserError, match=r"^architecture dit-small: .* only models that are U-Nets"):
        export_diffusers(network, META, tmp_path / "exported")
    assert not (tmp_path / "exported").exists()


@pytest.mark.parametrize("objective", ["ddpm", "edm"])
def test_it_learns_and_resuming_changes_no_bit(objective, tmp_path):
    images = np.full((8, 8, 8, 1), 20, np.uint8)
    images[:, 2:5, 3:6] = 230
    network = {"architecture": "dit-small", "objective": objective, "seed": 0}
    amounts = {"budget": 800, "batch_size": 8, "learning_rate": 5e-3, "warmup": 80, "log_every": 80}
    options = replace(OPTIONS, **network, **amounts)

    def trainer():
        return Trainer(options, torch.from_numpy(images), torch.device("cpu"), FP32)

    whole, half = trainer(), trainer()
    for _ in train(whole, lambda: None):
        if whole.seen == 400:
            tensors, record = whole.state()
            save_point(tmp_path / "point", tensors, record)
    torch.manual_seed(5)  # nothing may depend on the global generator
    half.restore(*load_point(tmp_path / "point"))
    for _ in train(half, lambda: None):
        pass
    assert all(torch.equal(half.average[name], whole.average[name]) for name in whole.average)
    assert whole.rows[-1]["loss"] < 0.5 * whole.rows[0]["loss"]
    denoiser = NetworkDenoiser(whole.averaged(), objective, whole.sigma_data)
    clean = torch.from_numpy(images[:1, ..., 0][None] / 127.5 - 1).float()
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        found = denoiser(clean + noise, 1.0)
    assert float((found - clean).square().mean()) < 0.25


def script(name, folder, **options):
    """Run a script on files in `folder`."""
    flags = [w for k, v in options.items() for w in ("--" + k.replace("_", "-"), str(v))]
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / f"{name}.py", *flags],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def write_digits(tmp_path):
    """images.npz and subset.json of 64 digits, nine or other."""
    digits = load_data_set("digits", [Path()], Path(), size=8, channels=1, workers=1)
    images = np.concatenate(list(digits.blocks))
    write_npz(tmp_path / "images.npz", {"images": images}, compress=False)
    labels = digits.attributes[:, 9].astype(int).tolist()
    subset = {"ratio": "90-10", "seed": 0, "indices": list(range(64)), "labels": labels[:64]}
    write_json(tmp_path / "subset.json", subset | {"classes": ["other", "nine"]})
    rows = {"other": [100, 101], "nine": [109, 119]}
    split = {"classes": ["other", "nine"], "population": [9, 9], "images": "0f"}
    split |= dict.fromkeys(["pool", "calibration", "control"], rows)
    write_json(tmp_path / "split.json", split)


def test_scripts_train_and_sample_it_on_digits(tmp_path):
    write_digits(tmp_path)
    model = {"model": "m.safetensors", "meta": "m.json"}
    run = {"study": "tiny", "ratio": "90-10", "architecture": "dit-small", "seed": "0"}
    script(
        "train",
        tmp_path,
        images="images.npz",
        subset="subset.json",
        split="split.json",
        run=json.dumps(run),
        width=0.5,
        budget=128,
        batch_size=32,
        learning_rate=1e-3,
        warmup=32,
        weight_decay=0.01,
        clip=1.0,
        ema_halflife=64,
        log_every=64,
        kept_snapshots="snapshots.safetensors",
        log="train.csv",
        usage="train-usage.json",
        **model,
    )
    meta = read_json(tmp_path / "m.json")
    assert (meta["architecture"], meta["parameters"]) == ("dit-small", 390_596)
    script(
        "sample",
        tmp_path,
        sampler="ddim",
        steps=4,
        count=6,
        noise_seed=0,
        batch_size=4,
        run=json.dumps(run | {"sampler": "ddim-4"}),
        output="samples.npz",
        usage="sample-usage.json",
        **model,
    )
    with np.load(tmp_path / "samples.npz", allow_pickle=False) as archive:
        assert archive["images"].shape == (6, 8, 8, 1) and archive["images"].std() > 10
