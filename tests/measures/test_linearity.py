"""Linearity, score errors and linear maps: closed forms, and all together on known denoisers."""

import json
import math
import runpy
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import depthbias.measures.structure
from depthbias.diffusion.gaussian_denoiser import GaussianDenoiser
from depthbias.diffusion.linear_denoiser import LinearDenoiser
from depthbias.diffusion.multi_delta_denoiser import DeltaDenoiser
from depthbias.diffusion.schedules import edm_sigmas
from depthbias.diffusion.trajectories import follow
from depthbias.estimates.runs import Run
from depthbias.estimates.tidy import tidy
from depthbias.measures.linearity import (
    alignment,
    in_batches,
    linearity,
    relative_error,
    score_error,
    weight_nmse,
)
from depthbias.measures.structure import Effort, measure
from depthbias.measures.structure_files import Structure, read_structures
from depthbias.measures.structure_rows import REGIMES, regime, structure_rows
from depthbias.system.errors import UserError
from depthbias.system.files import read_npz, write_json, write_npz

ROOT = Path(__file__).parents[2]
SHAPE = (1, 3, 4)
EFFORT = Effort(pairs=20, noisy_images=30, samples=150, seed=0, batch_size=16)
LOW_MIDDLE_HIGH = {"low": 2, "middle": 5, "high": 3}


def draw(count, *shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, *shape, generator=generator, dtype=torch.float64)


def draw_images(count, seed=0):
    return 0.3 * draw(count, *SHAPE, seed=seed) * torch.linspace(0.1, 2, 4) - 0.4


def bent(x, sigma):
    return torch.tanh(1.5 * x + 0.4 * x.flip(-1)) + 0.1


# Linearity


def test_a_linear_denoiser_is_linear():
    slope = draw(12, 12, seed=3)
    found = linearity(
        lambda x, sigma: (x.flatten(1) @ slope).view(x.shape),
        draw(9, *SHAPE),
        draw(9, *SHAPE, seed=1),
        1.0,
        torch.zeros(SHAPE, dtype=torch.float64),
    )
    for name in ("linearity", "linearity_centred"):
        torch.testing.assert_close(found[name], torch.ones(2, 9).double(), rtol=0, atol=1e-12)
        nmse = found[name.replace("linearity", "linearity_nmse")]
        assert nmse.shape == (2, 9) and nmse.max() < 1e-12


def test_a_constant_lowers_the_score_and_centring_restores_it():
    """A Gaussian of variance 1 at sigma 3 about a mean of mu: D(x) = mu + (x - mu) / 10.

    In many dimensions D(a x1 + b x2) tends to ((0.9 + 0.1 c) mu + n) and a D(x1) + b D(x2) to
    (c mu + n) with c = a + b and |n|^2 = 0.01 (a^2 + b^2) (1 + 9) d: 0.989 for mu^2 = 0.05.
    """
    size, mean, c = 40_000, math.sqrt(0.05), math.sqrt(2)
    centre = torch.full((1, 1, size), mean, dtype=torch.float64)
    pairs = centre + math.sqrt(10) * draw(8, 1, 1, size)
    found = linearity(
        lambda x, s: centre + (x - centre) / 10, pairs[:4], pairs[4:], 3.0, centre, [45]
    )
    one, two, noise = (0.9 + 0.1 * c) * mean, c * mean, 0.1
    expected = (one * two + noise) / math.sqrt((one**2 + noise) * (two**2 + noise))
    assert abs(expected - 0.989) < 0.0005
    assert abs(float(found["linearity"].mean()) - expected) < 0.001
    distance = 0.9 * (c - 1) * mean / math.sqrt(one**2 + noise)
    assert abs(float(found["linearity_nmse"].mean()) - distance) < 0.01
    assert found["linearity_centred"].min() > 1 - 1e-12
    assert found["linearity_nmse_centred"].max() < 1e-12


def test_centred_measures_do_not_see_any_affine_constant():
    slope, bias = draw(12, 12, seed=3), 5 * draw(12, seed=4)
    found = linearity(
        lambda x, sigma: (x.flatten(1) @ slope + bias).view(x.shape),
        draw(9, *SHAPE),
        draw(9, *SHAPE, seed=1),
        1.0,
        draw_images(1)[0],
    )
    assert found["linearity"].max() < 0.999
    assert found["linearity_centred"].min() > 1 - 1e-12
    assert found["linearity_nmse_centred"].max() < 1e-12


def test_measures_are_those_of_a_loop_over_pairs():
    first, second, centre = draw(5, *SHAPE), draw(5, *SHAPE, seed=1), draw_images(1)[0]
    found = linearity(bent, first, second, 1.0, centre, angles=[20, 130])
    for row, angle in enumerate([20, 130]):
        a, b = np.cos(np.pi * angle / 180), np.sin(np.pi * angle / 180)
        for i in range(5):
            for name, mu in (("", torch.zeros(SHAPE).double()), ("_centred", centre)):

                def around(u, mu=mu, name=name):
                    at_mu = bent(mu[None], 1.0) if name else 0
                    return (bent(u[None] + mu, 1.0) - at_mu).numpy().ravel()

                one, two = first[i] - mu, second[i] - mu
                left, right = around(a * one + b * two), a * around(one) + b * around(two)
                cosine = left @ right / np.sqrt(left @ left) / np.sqrt(right @ right)
                nmse = np.sqrt(((left - right) ** 2).sum() / (left**2).sum())
                assert np.isclose(float(found[f"linearity{name}"][row, i]), abs(cosine), rtol=1e-12)
                assert np.isclose(float(found[f"linearity_nmse{name}"][row, i]), nmse, rtol=1e-12)


def test_opposite_directions_count_as_the_same():
    """An even D at 180 degrees: D(-x1) = -(-D(x1)), so the cosine is -1 and the score 1."""
    x = draw(3, *SHAPE)
    found = linearity(lambda y, sigma: y.abs(), x, x, 1.0, torch.zeros(SHAPE).double(), [180])
    torch.testing.assert_close(found["linearity"], torch.ones(1, 3).double())
    torch.testing.assert_close(found["linearity_nmse"], torch.full((1, 3), 2.0).double())


def test_batches_change_nothing():
    x = draw(10, *SHAPE)
    torch.testing.assert_close(in_batches(bent, 3)(x, 1.0), bent(x, 1.0), rtol=0, atol=1e-15)


# Distances


def test_a_score_error_is_the_error_of_a_pixel():
    x = draw(4, 3, 5, 5)
    torch.testing.assert_close(score_error(x, x + 0.25), torch.full((4,), 0.25).double())
    torch.testing.assert_close(score_error(x, -x), 2 * x.flatten(1).square().mean(1).sqrt())


def test_a_relative_error_is_relative_to_the_first():
    x = draw(4, 3, 5, 5)
    torch.testing.assert_close(relative_error(x, 4 * x), torch.full((4,), 3.0).double())
    torch.testing.assert_close(relative_error(x, 0 * x), torch.ones(4).double())


def test_weights_are_compared_by_squares():
    gaussian = GaussianDenoiser.fit(draw_images(30)).matrix(0.5)
    assert weight_nmse(gaussian, gaussian) == 0
    assert weight_nmse(4 * gaussian, gaussian) == pytest.approx(9)
    assert weight_nmse(0 * gaussian, gaussian) == pytest.approx(1)


def test_alignment_is_that_of_the_leading_left_singular_vectors():
    """A turn within the two leading directions moves the first one alone, not their plane."""
    gaussian = GaussianDenoiser.fit(draw_images(30))
    right, _ = torch.linalg.qr(draw(12, 12, seed=5))
    left = gaussian.vectors.clone()
    turn = math.radians(30)
    left[:, 0] = math.cos(turn) * gaussian.vectors[:, 0] + math.sin(turn) * gaussian.vectors[:, 1]
    left[:, 1] = math.cos(turn) * gaussian.vectors[:, 1] - math.sin(turn) * gaussian.vectors[:, 0]
    weight = left @ torch.diag(torch.arange(12.0, 0, -1).double()) @ right.T
    expected = torch.tensor([math.cos(turn), 1, 1, 1], dtype=torch.float64)
    torch.testing.assert_close(alignment(weight, gaussian, 4), expected, rtol=0, atol=1e-12)
    assert alignment(weight, GaussianDenoiser.fit(draw_images(3)), 4).shape == (2,)


def test_alignment_is_that_of_scipys_principal_angles():
    from scipy.linalg import subspace_angles, svd

    gaussian = GaussianDenoiser.fit(draw_images(30))
    weight = draw(12, 12, seed=7).double()
    left = svd(weight.numpy())[0]
    found = alignment(weight, gaussian, 5)
    for k in range(1, 6):
        angles = subspace_angles(left[:, :k], gaussian.vectors[:, :k].numpy())
        assert float(found[k - 1]) == pytest.approx(np.sqrt(np.mean(np.cos(angles) ** 2)))


# All together


def test_a_gaussian_denoiser_is_gaussian_in_every_measure():
    images, levels = draw_images(60), edm_sigmas(4).tolist()
    found = measure(GaussianDenoiser.fit(images), images, levels, EFFORT).by_name
    assert {values.shape[0] for values in found.values()} == {4}
    for name in ("linearity_centred@15", "linearity_centred@45"):
        np.testing.assert_allclose(found[name], np.ones((4, 20)), rtol=0, atol=1e-12)
    for name in ("score_error:gaussian", "score_error:linear", "score_nmse:linear"):
        assert found[name].shape == (4, 30) and found[name].max() < 1e-6
    assert found["weight_nmse"].max() < 1e-12
    for k in (1, 3, 10):
        np.testing.assert_allclose(found[f"alignment@{k}"], np.ones((4, 1)), rtol=0, atol=1e-6)
    assert found["score_error:delta"][1:3].mean() > 0.01


def test_a_model_that_memorised_is_the_multi_delta():
    images = draw_images(40)
    found = measure(DeltaDenoiser(images), images, [0.3], EFFORT).by_name
    assert found["score_error:delta"].max() < 1e-12
    assert min(found[f"score_error:{name}"].mean() for name in ("linear", "gaussian")) > 0.1


def test_linear_maps_are_judged_on_other_noise_than_they_were_fitted_to():
    """With few samples a map follows its own noise, so its error elsewhere is larger."""
    images = draw_images(40)
    few, many = (
        measure(bent, images, [1.0], Effort(20, 40, samples, 0, 64))
        .by_name["score_error:linear"]
        .mean()
        for samples in (20, 20_000)
    )
    assert few > 1.2 * many


def test_a_relative_score_error_is_relative_to_the_model():
    images = draw_images(40)
    gaussian = GaussianDenoiser.fit(images)
    found = measure(lambda x, sigma: 4 * gaussian(x, sigma), images, [1.0], EFFORT).by_name
    np.testing.assert_allclose(found["score_nmse:gaussian"], 0.75)


def test_pairs_are_of_different_images(monkeypatch):
    pairs = []

    def kept(denoiser, first, second, *others):
        pairs.append(torch.cat([first, second]))
        return linearity(denoiser, first, second, *others)

    monkeypatch.setattr(depthbias.measures.structure, "linearity", kept)
    images = draw_images(40)
    measure(bent, images, [0.002], EFFORT)
    nearest = torch.cdist(pairs[0].flatten(1), images.flatten(1)).argmin(1)
    assert sorted(nearest.tolist()) == list(range(40))


def test_no_two_measures_or_seeds_share_their_noise(monkeypatch):
    """Maps are fitted with noise of their own as well: with other seeds than both."""
    seeds, noisy = [], depthbias.measures.structure.noisy_batches
    distill = LinearDenoiser.distill

    def heard(images, count, sigma, seed, *others):
        seeds.append(seed)
        return noisy(images, count, sigma, seed, *others)

    def fitted(*arguments, seed, **options):
        seeds.append(seed)
        return distill(*arguments, seed=seed, **options)

    monkeypatch.setattr(depthbias.measures.structure, "noisy_batches", heard)
    monkeypatch.setattr(depthbias.measures.structure.LinearDenoiser, "distill", fitted)
    for seed in range(4):
        measure(bent, draw_images(40), [1.0], Effort(5, 5, 40, seed, 64))
    assert len(seeds) == len(set(seeds)) == 3 * 4


def test_little_data_gives_fewer_pairs_and_none_is_an_error():
    found = measure(bent, draw_images(7), [1.0], EFFORT).by_name
    assert found["linearity@45"].shape == (1, 3) and found["score_error:delta"].shape == (1, 7)
    assert "alignment@3" in found and "alignment@10" not in found
    with pytest.raises(UserError, match="two training images"):
        measure(bent, draw_images(1), [1.0], EFFORT)


def test_trajectories_keep_every_state_and_estimate():
    gaussian, sigmas = GaussianDenoiser.fit(draw_images(40)), edm_sigmas(60).tolist()
    noise = draw(3, *SHAPE)
    path = follow({"gaussian": gaussian}, noise, sigmas)["gaussian"]
    assert path.states.shape == (61, 3, *SHAPE) and path.denoised.shape == (60, 3, *SHAPE)
    torch.testing.assert_close(path.states[0], 80 * noise)
    for step in (0, 30, 59):
        torch.testing.assert_close(path.denoised[step], gaussian(path.states[step], sigmas[step]))
    exact = gaussian.flow(path.states[0], 80.0, 0.0)
    assert (path.states[-1] - exact).abs().max() < 0.02 * (exact - gaussian.mean).abs().max()


# Rows


def test_regimes_are_those_of_the_paper():
    found = [regime(sigma) for sigma in edm_sigmas(10).tolist()]
    assert {name: found.count(name) for name in REGIMES} == LOW_MIDDLE_HIGH
    assert [regime(sigma) for sigma in (0.001, 0.1, 19.9, 20.0, 200.0)] == [
        "low",
        "middle",
        "middle",
        "high",
        "high",
    ]


def made_up(architecture, seed, score, ratio="90-10"):
    """A run whose pairs score `score` minus 0, 0.02 or 0.04 at every level; one value a map."""
    sigmas = edm_sigmas(10).numpy()
    pairs = score - 0.02 * (np.arange(30) % 3)
    levels = np.ones((10, 1))
    values = {
        "linearity@15": levels * pairs,
        "linearity_centred@45": levels * pairs,
        "score_error:gaussian": (1 - pairs) * sigmas[:, None],
        "score_error:linear": (1 - pairs) * sigmas[:, None],
        "weight_nmse": sigmas[:, None] ** 2,
    }
    return Structure(Run("made-up", ratio, architecture, str(seed)), sigmas, values)


def rows_of_study(*runs):
    return tidy(structure_rows(runs))


def test_rows_hold_levels_regimes_seeds_and_trends():
    runs = [
        made_up(architecture, seed, 0.94 - 0.1 * depth + 0.01 * seed)
        for architecture, depth in (("depth2", 0), ("depth3", 1), ("depth2-large", 9))
        for seed in range(3)
    ]
    rows = rows_of_study(*runs)
    score = rows[(rows.metric == "linearity_centred") & (rows.k == 45)]
    one = score[(score.architecture == "depth3") & (score.seed == "1")]
    assert len(one) == 13 and one.sigma.isna().sum() == 3
    np.testing.assert_allclose(one.value, 0.83)
    half_width = 2.045 * np.std([0, 0.02, 0.04] * 10, ddof=1) / np.sqrt(30)
    np.testing.assert_allclose(one.upper - one.value, half_width, rtol=1e-3)
    over = score[(score.architecture == "depth3") & (score.seed == "all") & (score.sigma == 80.0)]
    np.testing.assert_allclose(over.value, 0.83)
    assert (over.upper - over.value).item() > half_width
    errors = rows[(rows.metric == "score_error:gaussian") & (rows.architecture == "depth3")]
    for name in REGIMES:
        mean = errors[(errors["class"] == name) & (errors.seed == "1")].value.item()
        levels = [sigma for sigma in edm_sigmas(10).tolist() if regime(sigma) == name]
        assert mean == pytest.approx(0.17 * np.mean(levels))
    slopes = rows[
        (rows.metric == "linearity_centred_per_depth") & (rows.architecture == "published")
    ]
    np.testing.assert_allclose(slopes.value, -0.1)
    assert set(slopes["class"]) == set(REGIMES) and (slopes.lower < -0.1).all()
    maps = rows[(rows.metric == "weight_nmse") & (rows.seed == "0")]
    assert maps.lower.isna().all() and (maps.n == 1).all()
    assert not rows.duplicated(
        ["ratio", "architecture", "seed", "metric", "class", "k", "sigma"]
    ).any()


def test_intervals_end_where_the_measure_ends():
    rows = rows_of_study(*(made_up("depth2", seed, 1 - 0.2 * seed) for seed in range(2)))
    over = rows[(rows.seed == "all") & (rows.metric == "linearity_centred")]
    assert (over.upper == 1).all() and (over.lower < 0.5).all()
    assert (rows[rows.metric == "score_error:gaussian"].lower.dropna() >= 0).all()
    assert rows[rows.metric == "score_error:linear"].upper.max() > 10  # these have no end
    assert rows[rows.metric == "weight_nmse"].k.isna().all()  # and maps no angle


def written(folder, name, study="made-up", levels=4):
    path = folder / name
    run = {"study": study, "ratio": "90-10", "architecture": "depth2", "seed": "0"}
    arrays = {"sigmas": edm_sigmas(levels).numpy(), "names": np.array(["linearity@45"])}
    values = {"linearity@45": np.full((levels, 5), 0.9)}
    write_npz(path, arrays | values | {"run": json.dumps(run)})
    return path


def test_runs_that_do_not_belong_together_are_refused(tmp_path):
    first = written(tmp_path, "a.npz")
    (run,) = read_structures([first], "made-up")
    np.testing.assert_array_equal(run.sigmas, edm_sigmas(4).numpy())
    with pytest.raises(UserError, match=r"b\.npz: a run of study 'other', not of 'made-up'"):
        read_structures([first, written(tmp_path, "b.npz", study="other")], "made-up")
    with pytest.raises(UserError, match=r"c\.npz: measured at other noise levels"):
        read_structures([first, written(tmp_path, "c.npz", levels=5)], "made-up")


# The programs


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """An untrained half-width depth2 for 8x8 images, its data and a subset of 30 of them."""
    from depthbias.diffusion.checkpoints import save_model
    from depthbias.diffusion.unet import build_unet

    folder = tmp_path_factory.mktemp("trained")
    torch.manual_seed(0)
    net = build_unet("depth2", channels=1, size=8, width=0.5)
    meta = {"architecture": "depth2", "channels": 1, "size": 8, "width": 0.5, "objective": "ddpm"}
    meta |= {"sigma_data": 0.5, "seed": 0}
    save_model(net, meta, folder / "model.safetensors", folder / "model.json")
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 1), dtype=np.uint8)
    write_npz(folder / "images.npz", {"images": images}, compress=False)
    subset = {"ratio": "90-10", "seed": 0, "classes": ["six", "nine"]}
    subset |= {"indices": list(range(30)), "labels": [0] * 27 + [1] * 3}
    write_json(folder / "subset.json", subset)
    return folder


def program(monkeypatch, name, folder, output, **flags):
    """Run a script on the files of `trained` in this process, which has torch and diffusers."""
    flags |= {
        "model": folder / "model.safetensors",
        "meta": folder / "model.json",
        "images": folder / "images.npz",
        "subset": folder / "subset.json",
        "run": json.dumps(
            {"study": "made-up", "ratio": "90-10", "architecture": "depth2", "seed": "0"}
        ),
        "output": output,
    }
    words = [word for key, value in flags.items() for word in (f"--{key}", str(value))]
    monkeypatch.setattr(sys, "argv", [name, *words])
    runpy.run_path(str(ROOT / f"scripts/{name}.py"), run_name="__main__")


EFFORTS = {"levels": 3, "pairs": 9, "noisy-images": 9, "samples": 100, "batch-size": 50}
SEEDS = {"seed": 0, "count": 2, "noise-seed": 5}


def test_measure_gaussian_writes_what_the_next_rules_read(trained, tmp_path, monkeypatch, capsys):
    output, trajectories = tmp_path / "structure.npz", tmp_path / "trajectories.npz"
    flags = EFFORTS | SEEDS | {"trajectories": trajectories}
    program(monkeypatch, "measure_structure", trained, output, **flags)
    assert "covariance of rank 29 in 64 dimensions" in capsys.readouterr().err
    (run,) = read_structures([output], "made-up")
    assert run.run == Run("made-up", "90-10", "depth2", "0", "") and len(run.sigmas) == 3
    frame = pd.DataFrame(structure_rows([run]))
    assert np.isfinite(frame["value"]).all() and set(frame["metric"]) >= {"linearity", "alignment"}
    parts = ("names", "states", "denoised", "images")
    names, states, denoised, images = read_npz(trajectories, *parts)
    assert names.tolist() == ["architecture", "linear", "gaussian", "delta"]
    assert states.shape == (4, 4, 2, 8, 8, 1) and denoised.shape == (4, 3, 2, 8, 8, 1)
    assert (states[:, 0] == states[:1, 0]).all() and images.dtype == np.uint8
    training = read_npz(trained / "images.npz", "images")[0][:30]
    for image in images[3]:  # what the multi-delta makes is a training image
        assert np.abs(training.astype(int) - image).max((1, 2, 3)).min() <= 1


def test_images_of_another_size_end_in_one_line(trained, tmp_path, monkeypatch):
    for name in ("model.safetensors", "model.json", "subset.json"):
        (tmp_path / name).write_bytes((trained / name).read_bytes())
    images = {"images": np.zeros((40, 9, 9, 1), np.uint8)}
    write_npz(tmp_path / "images.npz", images, compress=False)
    flags = EFFORTS | SEEDS | {"trajectories": tmp_path / "neither.npz"}
    with pytest.raises(SystemExit, match=r"images of shape \(9, 9, 1\) where the model has"):
        program(monkeypatch, "measure_structure", tmp_path, tmp_path / "none.npz", **flags)
    assert not (tmp_path / "none.npz").exists() and not (tmp_path / "neither.npz").exists()
