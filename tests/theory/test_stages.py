"""Stages of noise levels: similarity, partition, and networks with a decoder a stage."""

import itertools
import json

import numpy as np
import pytest
import torch
from conftest import program

from depthbias.diffusion.multi_delta_denoiser import DeltaDenoiser
from depthbias.diffusion.unet import build_unet
from depthbias.estimates.tidy import of, read_rows
from depthbias.report.style import save
from depthbias.report.theory_figures import FIGURES
from depthbias.system.errors import UserError
from depthbias.theory.multi_stage import MultiStage, Separate, flops, ranges, skip_channels
from depthbias.theory.stage_names import KINDS
from depthbias.theory.stages import between, by_rank, partition, similarities


def test_a_block_constant_similarity_returns_its_blocks():
    sizes = [3, 2, 4]
    blocks = np.repeat(np.arange(3), sizes)
    similarity = np.where(blocks[:, None] == blocks, 0.9, 0.2)
    assert partition(similarity, 3) == [3, 5]
    assert partition(similarity, 1) == []


def test_the_partition_is_the_best_of_all():
    random = np.random.default_rng(0).random((7, 7))
    similarity = (random + random.T) / 2

    def total(starts):
        edges = [0, *starts, 7]
        return sum((j - i) * similarity[i:j, i:j].mean() for i, j in itertools.pairwise(edges))

    for stages in (2, 3, 4):
        every = itertools.combinations(range(1, 7), stages - 1)
        assert partition(similarity, stages) == list(max(every, key=total))
    with pytest.raises(UserError, match="8 of 7 levels"):
        partition(similarity, 8)


def test_a_level_alone_is_no_stage_because_it_is_similar_to_itself():
    """Similarity that fades with distance, and never ends: halves, not two single levels."""
    places = np.arange(9)
    similarity = 1 / (1 + np.abs(places[:, None] - places))
    assert partition(similarity, 3) == [3, 6]


def test_levels_are_similar_where_exact_denoisers_agree():
    """Two images far apart: below, D is the image itself; far above, the mean of both."""
    images = torch.stack([torch.full((1, 2, 2), -1.0), torch.full((1, 2, 2), 1.0)])
    levels = [0.01, 0.02, 300.0, 400.0]
    found = similarities(DeltaDenoiser(images), images, levels, 0)
    assert found.shape == (4, 4, 2)
    assert torch.equal(found.mean(2)[:2, :2], torch.ones(2, 2, dtype=torch.float64))
    assert (found.mean(2)[:2, 2:] == 0).all() and (found.mean(2)[2:, 2:] == 1).all()
    assert torch.equal(found, found.transpose(0, 1))


def test_stages_end_between_levels_and_the_highest_rank_is_the_widest():
    assert between([0.1, 1.0, 4.0], [1, 2]) == pytest.approx([10**-0.5, 2.0])
    assert by_rank([0.75, 0.25, 0.5], [0.2, 0.9, 0.4]) == [0.25, 0.75, 0.5]
    assert ranges([0.3, 2.0], [0.1, 1.0, 2.0, 4.0]) == [[0], [1], [2, 3]]


@pytest.fixture(scope="module")
def unet():
    torch.manual_seed(0)
    return build_unet("depth2", channels=1, size=8, width=0.25).eval()


def inputs(count=6):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(count, 1, 8, 8, generator=generator)
    return x, torch.tensor([0.05, 0.2, 0.9, 2.0, 9.0, 70.0][:count]).log() / 4


@torch.no_grad()
def test_decoders_with_the_weights_of_one_unet_compute_its_bits(unet):
    staged = MultiStage(unet, [unet, unet, unet], [0.5, 3.0])
    x, t = inputs()
    for time in t[[0, 3, 5]]:  # of each stage; other batches round otherwise
        times = time.expand(len(x))
        assert torch.equal(staged(x, times)[0], unet(x, times).sample)
    assert torch.allclose(staged(x, t)[0], unet(x, t).sample, atol=1e-6)


@torch.no_grad()
def test_each_image_goes_to_the_network_of_its_stage(unet):
    torch.manual_seed(5)
    other = build_unet("depth2", channels=1, size=8, width=0.25).eval()
    x, t = inputs()
    (output,) = Separate([unet, other], [3.0])(x, t)
    assert torch.equal(output[:4], unet(x[:4], t[:4]).sample)
    assert torch.equal(output[4:], other(x[4:], t[4:]).sample)
    (single,) = Separate([unet, other], [3.0])(x[:3], t[:1])
    assert torch.equal(single, unet(x[:3], t[:1]).sample)


def test_decoders_may_have_other_widths_and_all_learn():
    narrow, wide = (build_unet("depth3", channels=1, size=8, width=w) for w in (0.25, 0.5))
    staged = MultiStage(narrow, [wide, narrow], [3.0])
    x, t = inputs()
    staged(x, t)[0].square().sum().backward()
    assert all(p.grad is not None for p in staged.parameters())
    assert skip_channels(narrow) == [8, 8, 8, 8, 16, 16, 16, 32, 32]
    low, high = (flops(staged, (1, 8, 8), sigma) for sigma in (1.0, 10.0))
    whole = flops(narrow, (1, 8, 8), 1.0)
    assert whole < high < 1.01 * whole < low  # the narrow decoder embeds the time once more


def test_the_program_trains_compares_and_draws(tiny, tmp_path, monkeypatch):
    run = {"study": "tiny", "ratio": "90-10", "architecture": "depth2", "seed": "0"}
    training = {
        **{"budget": 64, "batch_size": 16, "learning_rate": 2e-3, "warmup": 8},
        **{"weight_decay": 0.01, "clip": 1.0, "ema_halflife": 100, "precision": "fp32"},
        **{"log_every": 1000, "optimizer": "adamw"},
    }
    outputs = [tmp_path / f"{kind}.npz" for kind in KINDS]
    program(
        monkeypatch,
        "measure_stages",
        *["--images", tiny / "data/tiny/images.npz", "--split", tiny / "data/tiny/split.json"],
        *["--subset", tiny / "data/tiny/90-10/seed0.json", "--stages", 2, "--widths", 0.25, 0.5],
        *["--sigmas", 0.1, 1, 10, 40, "--width", 0.25, "--training", json.dumps(training)],
        *["--heldout-images", 12, "--noise-seed", 0, "--run", json.dumps(run), "--output"],
        *outputs,
    )
    table = tmp_path / "stages.csv"
    words = ["stages", "--study", "tiny", "--measurements", *outputs, "--output", table]
    program(monkeypatch, "estimate_theory", *words)
    found = read_rows(table)
    change = of(found, "stages_loss_change")
    assert set(change["architecture"]) == {"separate", "multi-stage"}
    loss = of(found[found["seed"] == "0"], "stages_loss").set_index(["architecture", "sigma"])
    one = change[(change["seed"] == "0") & (change["architecture"] == "separate")]
    one = one[one["sigma"] == 1.0]["value"].item()
    plain = loss.loc[("unified", 1.0), "value"]
    assert one == pytest.approx(loss.loc[("separate", 1.0), "value"] / plain - 1, abs=1e-6)
    diagonal = of(found, "stages_similarity", k=2)
    assert diagonal[diagonal["sigma"] == 1.0]["value"].eq(1).all()
    figure = FIGURES["stages"](found, [])
    assert figure.axes[0].images[0].get_array().shape == (4, 4)
    save(figure, [tmp_path / "stages.png"])
    assert (tmp_path / "stages.png").stat().st_size > 5000
    with pytest.raises(UserError, match="no stages"):
        FIGURES["stages"](found[found["metric"] == "stages_loss"], [])
