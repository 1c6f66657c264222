"""Families of models: their training sets, their files, and what is counted as the same image."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import program

from depthbias.diffusion.trainer import TrainingOptions
from depthbias.estimates.measurements import rows_of
from depthbias.estimates.runs import Run
from depthbias.estimates.tidy import of, read_rows, tidy
from depthbias.report.family_figures import plot_family_samples
from depthbias.report.style import save
from depthbias.report.theory_figures import FIGURES
from depthbias.system.errors import UserError
from depthbias.system.files import write_npz
from depthbias.theory.families import Plan, disjoint_rows, members, sampled, solution
from depthbias.theory.family_files import Made, read_made, write_made
from depthbias.theory.family_names import DELTA, GRID, Member
from depthbias.theory.family_rows import Space, family_rows

FAMILIES = ["unet-edm", "unet-ddpm", "transformer", "consistency"]


def test_the_grid_has_every_width_and_size_and_others_the_largest():
    found = members(FAMILIES, [0.25], [16, 40], 0.5)
    assert len(found) == len(set(found)) == 2 * (3 + 4 + 2)
    assert {m.size for m in found if m.family not in (GRID, DELTA)} == {40}
    assert {(m.width, m.size) for m in found if m.family == GRID} == {
        (0.25, 16),
        (0.25, 40),
        (0.5, 16),
        (0.5, 40),
    }
    assert {(m.width, m.size) for m in found if m.family == DELTA} == {(0.5, 16), (0.5, 40)}


def test_halves_share_no_image_are_balanced_and_nested():
    rows, labels = np.arange(100, 150), np.arange(50) % 2
    a, b = disjoint_rows(rows, labels, 20, 0)
    assert len({*a, *b}) == 40
    for size in (2, 8, 20):
        assert (labels[a[:size] - 100] == 0).sum() == size // 2
    again, other = disjoint_rows(rows, labels, 20, 0), disjoint_rows(rows, labels, 20, 1)
    assert np.array_equal(again[0], a) and not np.array_equal(other[0], a)
    with pytest.raises(UserError, match="sizes: 26: two disjoint sets have at most 24"):
        disjoint_rows(rows, labels, 26, 0)


OPTIONS = TrainingOptions(
    architecture="depth2",
    width=0.25,
    seed=3,
    objective="edm",
    budget=64,
    batch_size=16,
    learning_rate=2e-3,
    warmup=8,
    weight_decay=0.01,
    clip=1.0,
    ema_halflife=100,
    precision="fp32",
    log_every=1000,
)
PLAN = Plan(OPTIONS, {"consistency": {"budget": 96}}, "dpmpp", 3, 5, 0, 3, torch.device("cpu"))


@pytest.mark.parametrize("family", [*FAMILIES, DELTA])
def test_every_family_is_trained_and_makes_an_image_of_every_noise(family):
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (12, 8, 8, 1), np.uint8))
    member = Member(family, 0.25, 12, "a")
    made, again = (sampled(*solution(member, images, PLAN), (1, 8, 8), PLAN) for _ in range(2))
    assert made.shape == (5, 8, 8, 1) and made.dtype == np.uint8 and np.array_equal(made, again)
    whole = sampled(*solution(member, images, PLAN), (1, 8, 8), PLAN._replace(batch_size=5))
    assert np.abs(whole.astype(int) - made).max() <= 1  # batches change rounding at most
    if family == DELTA:
        flat = images.numpy().reshape(12, -1).astype(int)
        near = [np.abs(flat - one.reshape(-1)).max(1).min() for one in made.astype(int)]
        assert max(near) <= 1


def test_halves_start_from_other_networks():
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (12, 8, 8, 1), np.uint8))
    first, second = (
        sampled(*solution(Member(GRID, 0.25, 12, half), images, PLAN), (1, 8, 8), PLAN)
        for half in "ab"
    )
    assert not np.array_equal(first, second)


@pytest.fixture
def data():
    """300 images of noise, of which the last 100 are held out."""
    return np.random.default_rng(1).integers(0, 256, (300, 4, 4, 1), np.uint8)


def made_up(data, seed):
    """The U-Net of half a copies its images, that of b too; the consistency model of a makes what
    that of b makes."""
    halves = {"a": np.arange(40), "b": np.arange(40, 80)}
    shared = np.random.default_rng(9).integers(0, 256, (20, 4, 4, 1), np.uint8)
    chosen = [Member(f, 0.5, 40, h) for f in (GRID, "consistency", DELTA) for h in "ab"]
    own = {GRID: lambda h: data[halves[h][:20]], "consistency": lambda h: shared}
    own[DELTA] = own[GRID]
    images = np.stack([own[m.family](m.half) for m in chosen])
    return Made(Run("s", "equal", "depth2", str(seed)), chosen, images, halves, 0.5)


def rows(data, seeds):
    threshold, *measured = family_rows(seeds, Space(data, np.arange(200), np.arange(200, 300)))
    return tidy([threshold.row, *rows_of(measured, [])])


def test_copies_and_agreement_are_told_apart(data):
    found = rows(data, [made_up(data, 0), made_up(data, 1)])
    assert 0.3 < of(found, "family_threshold")["value"].item() < 0.95

    def value(metric, name):
        mine = found[(found["seed"] == "all") & (found["architecture"] == name)]
        return of(mine, metric)["value"].item()

    assert value("family_gl:0.5", GRID) == 0 and value("family_gl:0.5", "consistency") >= 0.9
    assert value("family_rp_disjoint:0.5", GRID) < 0.1
    assert value("family_rp_disjoint:0.5", "consistency") == 1
    assert value("family_rp", f"{GRID}~{DELTA}") == 1
    assert value("family_rp_chance", f"{GRID}~{DELTA}") < 0.1
    assert value("family_rp", f"{GRID}~consistency") < 0.1
    assert 0 <= value("family_precision:0.5", GRID) <= 1
    alone = found[(found["seed"] == "1") & (found["metric"] == "family_gl:0.5")]
    assert alone["n"].eq(40).all() and alone["k"].eq(40).all()


def test_figures_of_families_are_drawn(data, tmp_path):
    found = rows(data, [made_up(data, 0), made_up(data, 1)])
    matrix = FIGURES["families"](found, []).axes[0]
    texts = [text.get_text().splitlines()[0] for text in matrix.texts]
    assert texts == ["0", "0", "100", "100", "0", "0"]
    grid = FIGURES["family-grid"](found, [])
    assert [axes.get_title() for axes in grid.axes][1] == "GL"
    picture = plot_family_samples([made_up(data, 0)])
    assert len(picture.axes[0].images) == 3 * 8
    for name, figure in (("grid", grid), ("picture", picture)):
        save(figure, [tmp_path / f"{name}.png"])
        assert (tmp_path / f"{name}.png").stat().st_size > 5000
    with pytest.raises(UserError, match="no families"):
        FIGURES["families"](found[found["metric"] == "family_threshold"], [])


def test_files_of_seeds_are_read_back_and_damaged_ones_refused(data, tmp_path):
    made = made_up(data, 0)
    path, other = tmp_path / "0.npz", tmp_path / "1.npz"
    write_made(path, made)
    [back] = read_made([path], "s")
    assert (back.run, back.members, back.width) == (made.run, made.members, 0.5)
    assert np.array_equal(back.images, made.images)
    assert np.array_equal(back.halves["b"], made.halves["b"])
    write_made(other, replace(made, members=made.members[:2], images=made.images[:2]))
    with pytest.raises(UserError, match="other models than in the rest"):
        read_made([path, other], "s")
    arrays = dict(np.load(path))
    for change, words in (
        ({"members": json.dumps([["unet", 1, 2, "a"]])}, "models are not described"),
        ({"images": arrays["images"][:2]}, "is damaged"),
    ):
        write_npz(other, arrays | change)
        with pytest.raises(UserError, match=words):
            read_made([other], "s")
    with pytest.raises(UserError, match="not of 't'"):
        read_made([path], "t")


def test_the_programs_train_estimate_and_draw(tiny, tmp_path, monkeypatch):
    images = ["--images", tiny / "data/tiny/images.npz", "--split", tiny / "data/tiny/split.json"]
    run = {"study": "tiny", "ratio": "equal", "architecture": "depth2", "seed": "0"}
    training = {
        key: value
        for key, value in vars(OPTIONS).items()
        if key not in ("architecture", "width", "seed", "objective", "snapshots")
    }
    program(
        monkeypatch,
        "measure_families",
        *[*images, "--families", "unet-edm", "consistency", "--sizes", 4, 8, "--widths", 0.25],
        *["--width", 0.25, "--training", json.dumps(training), "--sampler", "dpmpp-3"],
        *["--count", 12, "--noise-seed", 0, "--batch-size", 12, "--run", json.dumps(run)],
        *["--output", tmp_path / "made.npz"],
    )
    made = ["--made", tmp_path / "made.npz", "--study", "tiny", "--output"]
    program(monkeypatch, "estimate_families", *images, *made, tmp_path / "families.csv")
    found = read_rows(tmp_path / "families.csv")
    assert set(of(found, "family_rp")["k"]) == {4, 8}
    program(monkeypatch, "plot_families", *made, tmp_path / "samples.png")
    assert (tmp_path / "samples.png").stat().st_size > 5000
