"""Every example of docs/extend.md is applied to a copy of the checkout and run."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, copy_checkout, python_in, snakemake
from extend_blocks import apply, blocks

EXAMPLES = ["A metric", "A figure from the summary", "A sampler", "A data set", "An architecture"]


def python(folder, *arguments):
    """Run Python on the copy in `folder`; its output."""
    done = python_in(folder, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def checkout(tmp_path):
    folder = copy_checkout(tmp_path / "checkout")
    shutil.copytree(ROOT / "docs", folder / "docs", ignore=shutil.ignore_patterns("figures"))
    return folder


def extended(checkout, section):
    """The checkout with an example applied, and the files it took.

    Skipped while a table that the example needs a row in is not there.
    """
    for block in blocks(section):
        if block.where != "new" and not (checkout / block.path).exists():
            pytest.skip(f"{block.path} is not there yet")
    return apply(section, checkout)


@pytest.mark.parametrize("section", EXAMPLES)
def test_every_example_has_python_that_compiles(section):
    found = [b for b in blocks(section) if b.path.endswith(".py") and b.where == "new"]
    assert blocks(section)
    for block in found:
        compile(block.text, block.path, "exec")


def test_a_metric_measures_made_up_images(checkout, tmp_path):
    assert len(extended(checkout, "A metric")) == 4
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 1), dtype=np.uint8)
    run = {"study": "s", "ratio": "90-10", "architecture": "depth2", "seed": "0"}
    np.savez(tmp_path / "samples.npz", run=json.dumps(run | {"sampler": "ddim-4"}), images=images)
    flags = ["--samples", tmp_path / "samples.npz", "--study", "s", "--output", tmp_path / "c.csv"]
    python(checkout, "scripts/measure_contrast.py", *flags)
    table = pd.read_csv(tmp_path / "c.csv", dtype={"seed": str})
    value = table[table["seed"] == "0"]["value"].item()
    assert value == pytest.approx(np.mean([image.std() for image in images]))


def test_a_metric_has_a_rule_that_is_planned(checkout):
    extended(checkout, "A metric")
    plan = snakemake(checkout, "-n", "results/tiny/contrast.csv")
    assert plan.returncode == 0, plan.stdout
    assert "measure_contrast" in plan.stdout


def test_a_figure_takes_five_files_and_is_drawn(checkout):
    assert len(extended(checkout, "A figure from the summary")) == 5
    python(checkout, "-m", "pytest", "-q", "tests/report/test_recall_figure.py")


def test_a_sampler_takes_two_files_and_is_more_exact_than_euler(checkout):
    assert len(extended(checkout, "A sampler")) == 2
    check = """
import torch
from depthbias.diffusion.gaussian_denoiser import GaussianDenoiser
from depthbias.diffusion.samplers import SAMPLERS
from depthbias.diffusion.schedules import edm_sigmas
random = torch.Generator().manual_seed(0)
images = torch.randn(200, 1, 2, 2, generator=random)
denoiser = GaussianDenoiser.fit(images)
x = 80 * torch.randn(50, 1, 2, 2, generator=random)
sigmas = torch.cat([torch.as_tensor(edm_sigmas(40)), torch.zeros(1)])
exact = denoiser.flow(x, 80.0, 0.002)
def error(name):
    *_, last = SAMPLERS[name](denoiser, x, sigmas)
    return float((last - exact).norm())
assert error("midpoint") < error("ddim") / 3, (error("midpoint"), error("ddim"))
"""
    python(checkout, "-c", check)


def test_a_data_set_takes_three_files_and_is_prepared(checkout, tmp_path):
    assert len(extended(checkout, "A data set")) == 3
    flags = ["--dataset", "shapes", "--size", "16", "--channels", "1"]
    python(checkout, "scripts/prepare.py", *flags, "--output", tmp_path / "images.npz")
    with np.load(tmp_path / "images.npz") as prepared:
        assert prepared["images"].shape == (2000, 16, 16, 1)
        assert prepared["attributes"].sum(axis=0).tolist() == [1000, 1000]


def test_an_architecture_takes_two_files_and_is_built(checkout):
    assert len(extended(checkout, "An architecture")) == 2
    check = """
import torch
from depthbias.diffusion.architectures import get_architecture
net = get_architecture("convnet").build(channels=1, size=8, width=1.0)
x = torch.zeros(2, 1, 8, 8)
assert net(x, torch.tensor([0.0, 999.5]), return_dict=False)[0].shape == x.shape
assert get_architecture("convnet").depth is None
from depthbias.report.architecture_table import architecture_table
table = architecture_table(["convnet", "depth2"], 1, 8, 1.0)
assert table["name"].tolist() == ["depth2", "convnet"]
"""
    python(checkout, "-c", check)
