"""Noise of images, grids, and samplers against diffusers' schedulers and a closed-form ODE."""

import itertools
import json
import math
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    EDMDPMSolverMultistepScheduler,
    EDMEulerScheduler,
    HeunDiscreteScheduler,
)
from diffusers.schedulers import scheduling_ddpm

from depthbias.diffusion import sampler_names
from depthbias.diffusion.checkpoints import save_model
from depthbias.diffusion.network_denoiser import NetworkDenoiser
from depthbias.diffusion.noise import ImageNoise, initial_noise
from depthbias.diffusion.samplers import SAMPLERS, sample
from depthbias.diffusion.schedules import edm_sigmas, noise_levels, trailing_timesteps
from depthbias.diffusion.unet import build_unet

SCRIPT = Path(__file__).parents[2] / "scripts" / "sample.py"
SHAPE = (1, 8, 8)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def architecture():
    torch.manual_seed(0)
    return build_unet("depth2", channels=1, size=8, width=0.5).eval()


def last(states):
    for state in states:  # noqa: B007
        pass
    return state


# Noise


def test_noise_of_an_image_depends_on_seed_and_index_alone():
    many = initial_noise(3, range(50), SHAPE)
    assert many.shape == (50, *SHAPE)
    assert many.dtype == torch.float32
    assert torch.equal(initial_noise(3, [41, 0, 7], SHAPE), many[[41, 0, 7]])
    assert not torch.equal(initial_noise(4, [0], SHAPE), many[:1])
    assert len({image.numpy().tobytes() for image in many}) == 50


def test_noise_is_the_same_in_every_version():
    """Samples of different releases of NumPy start from the same noise only while this holds."""
    found = initial_noise(0, [0, 10**12], (3,))
    expected = [[0.059911, 0.01556, -1.164438], [-0.474804, 0.106575, -0.786531]]
    assert np.allclose(found, expected, atol=1e-6)


def test_noise_is_standard_normal():
    noise = initial_noise(1, range(400), (3, 8, 8)).double()
    assert float(noise.mean()) == pytest.approx(0, abs=5 / math.sqrt(noise.numel()))
    assert float(noise.square().mean()) == pytest.approx(1, abs=5 * math.sqrt(2 / noise.numel()))
    between_neighbours = (noise[1:] * noise[:-1]).mean()
    assert float(between_neighbours) == pytest.approx(0, abs=5 / math.sqrt(noise.numel()))


def test_every_call_gives_new_noise_that_belongs_to_the_image():
    some, all_of_them = ImageNoise(0, [5, 2], SHAPE), ImageNoise(0, range(8), SHAPE)
    calls = [(some(), all_of_them()) for _ in range(3)]
    for mine, theirs in calls:
        assert torch.equal(mine, theirs[[5, 2]])
    assert not torch.equal(calls[0][0], calls[1][0])


# Grids


def test_edm_grid_oracle():
    published = [80, 42.415189, 21.108677, 9.723201, 4.066124, 1.501742]
    published += [0.469979, 0.116639, 0.020435, 0.002]
    assert np.allclose(edm_sigmas(10), published, rtol=0, atol=1e-6)
    assert edm_sigmas(1).tolist() == pytest.approx([80.0])
    assert edm_sigmas(5, 0.1, 10.0, 1.0).tolist() == pytest.approx([10, 7.525, 5.05, 2.575, 0.1])
    with pytest.raises(ValueError, match="at least 1"):
        edm_sigmas(0)


@pytest.mark.parametrize("n", [1, 7, 10, 15, 25, 50, 333, 1000])
def test_trailing_timesteps_are_those_of_diffusers(n):
    scheduler = DDIMScheduler(timestep_spacing="trailing")
    scheduler.set_timesteps(n)
    assert trailing_timesteps(n).tolist() == scheduler.timesteps.tolist()


@pytest.mark.parametrize("objective", ["ddpm", "edm"])
def test_levels_fall_to_zero(objective):
    levels = noise_levels(objective, 25)
    assert len(levels) == 26
    assert levels[-1] == 0
    assert bool((levels[1:] < levels[:-1]).all())
    with pytest.raises(ValueError, match="noise levels"):
        noise_levels(objective, 0)


def test_a_ddpm_model_has_at_most_1000_levels():
    with pytest.raises(ValueError, match="1 to 1000"):
        noise_levels("ddpm", 1001)


# Samplers against diffusers. The network is not trained, which makes its outputs harder to follow.


def with_diffusers(scheduler, architecture, x, steps, **options):
    scheduler.set_timesteps(steps)
    with torch.inference_mode():
        for t in scheduler.timesteps:
            output = architecture(scheduler.scale_model_input(x, t), t).sample
            x = scheduler.step(output, t, x, **options).prev_sample
    return x


def with_ours(sampler, architecture, x, steps, objective="ddpm", clip=False, noise=None):
    denoiser = NetworkDenoiser(architecture, objective, sigma_data=0.5, clip=clip)
    with torch.inference_mode():
        return last(SAMPLERS[sampler](denoiser, x, noise_levels(objective, steps), noise))


def from_unit_noise(x, steps):
    return x * math.sqrt(1 + float(noise_levels("ddpm", steps)[0]) ** 2)


def assert_equal(found, expected, tolerance=2e-4):
    assert float((found - expected).abs().max() / expected.abs().max()) < tolerance


@pytest.mark.parametrize("steps", [10, 25])
@pytest.mark.parametrize("clip", [False, True])
def test_ddim_equals_diffusers(architecture, steps, clip):
    x = initial_noise(0, range(4), SHAPE)
    scheduler = DDIMScheduler(clip_sample=clip, timestep_spacing="trailing")
    expected = with_diffusers(scheduler, architecture, x, steps, use_clipped_model_output=clip)
    assert_equal(
        with_ours("ddim", architecture, from_unit_noise(x, steps), steps, clip=clip), expected
    )


@pytest.mark.parametrize("steps", [20, 200])
def test_ddpm_equals_diffusers_with_the_same_noise(architecture, steps, monkeypatch):
    theirs, ours = (ImageNoise(0, range(4), SHAPE) for _ in range(2))
    monkeypatch.setattr(scheduling_ddpm, "randn_tensor", lambda *_, **__: theirs())
    scheduler = DDPMScheduler(clip_sample=True, timestep_spacing="trailing")
    expected = with_diffusers(scheduler, architecture, theirs(), steps)
    x = from_unit_noise(ours(), steps)
    assert_equal(with_ours("ddpm", architecture, x, steps, clip=True, noise=ours), expected, 1e-3)


@pytest.mark.parametrize("steps", [5, 20])
def test_dpmpp_equals_diffusers(architecture, steps):
    x = initial_noise(0, range(4), SHAPE)
    scheduler = DPMSolverMultistepScheduler(
        beta_start=1e-4, beta_end=0.02, timestep_spacing="trailing", final_sigmas_type="zero"
    )
    expected = with_diffusers(scheduler, architecture, x, steps)
    assert_equal(with_ours("dpmpp", architecture, from_unit_noise(x, steps), steps), expected)


@pytest.mark.parametrize("steps", [5, 20])
def test_heun_equals_diffusers(architecture, steps):
    x = from_unit_noise(initial_noise(0, range(4), SHAPE), steps)
    scheduler = HeunDiscreteScheduler(
        beta_start=1e-4, beta_end=0.02, beta_schedule="linear", timestep_spacing="trailing"
    )
    assert_equal(
        with_ours("heun", architecture, x, steps), with_diffusers(scheduler, architecture, x, steps)
    )


@pytest.mark.parametrize(
    ("sampler", "scheduler"),
    [("ddim", EDMEulerScheduler), ("dpmpp", EDMDPMSolverMultistepScheduler)],
)
def test_edm_models_equal_diffusers(architecture, sampler, scheduler):
    steps, x = 12, 80 * initial_noise(0, range(4), SHAPE)
    made = scheduler(sigma_min=0.002, sigma_max=80.0, sigma_data=0.5)
    expected = with_diffusers(made, architecture, x, steps)
    assert_equal(with_ours(sampler, architecture, x, steps, objective="edm"), expected)


# Samplers against the closed-form ODE of a Gaussian (definitions: mean m, eigenvalues l)


class Gaussian:
    """Independent pixels of variance l about m: the exact denoiser and the exact flow."""

    def __init__(self, variances, mean=0.3):
        self.variances = torch.tensor(variances, dtype=torch.float64).view(1, 1, 1, -1)
        self.mean = mean

    def __call__(self, x, sigma):
        return self.mean + self.variances / (self.variances + sigma**2) * (x - self.mean)

    def flow(self, x, start, end):
        ratio = (end**2 + self.variances) / (start**2 + self.variances)
        return self.mean + ratio.sqrt() * (x - self.mean)


def error_against_the_flow(sampler, steps):
    """Largest relative error over eigen-directions at the end of EDM's grid."""
    gaussian, sigmas = Gaussian([1.0, 0.3, 0.1, 0.03, 0.01]), edm_sigmas(steps)
    x = gaussian.mean + 80 * torch.ones(1, 1, 1, 5, dtype=torch.float64)
    exact = gaussian.flow(x, 80.0, float(sigmas[-1]))
    found = last(SAMPLERS[sampler](gaussian, x, sigmas, None))
    return float(((found - exact) / (exact - gaussian.mean)).abs().max())


def test_euler_and_heun_oracles():
    assert 0.18 < error_against_the_flow("ddim", 10) < 0.40
    assert 0.05 < error_against_the_flow("ddim", 40) < 0.11
    assert 0.001 < error_against_the_flow("heun", 40) < 0.021


@pytest.mark.parametrize(("sampler", "order"), [("ddim", 1), ("dpmpp", 2), ("heun", 2)])
def test_order_of_convergence(sampler, order):
    coarse, fine = error_against_the_flow(sampler, 161), error_against_the_flow(sampler, 321)
    assert math.log2(coarse / fine) == pytest.approx(order, abs=0.15)


def ancestral_variance(variance, sigmas):
    """Variance of the samples when every step is affine in x with independent noise added."""
    now = sigmas[0] ** 2
    for sigma, following in itertools.pairwise(sigmas):
        kept, gain = (following / sigma) ** 2, variance / (variance + sigma**2)
        now = (gain + kept * (1 - gain)) ** 2 * now + following**2 * (1 - kept)
    return now


def test_ancestral_sampling_gives_the_distribution():
    variances, count, sigmas = [0.5, 0.1, 0.02], 4000, noise_levels("ddpm", 50)
    noise = ImageNoise(0, range(count), (1, 1, 3))
    x = 0.3 + float(sigmas[0]) * noise().double()
    x = last(SAMPLERS["ddpm"](Gaussian(variances), x, sigmas, noise)).view(count, 3)
    for pixel, variance in zip(x.T, variances, strict=True):
        expected = ancestral_variance(variance, sigmas.tolist())
        assert float(pixel.mean()) == pytest.approx(0.3, abs=5 * math.sqrt(expected / count))
        assert float(pixel.var()) == pytest.approx(expected, rel=5 * math.sqrt(2 / count))
        all_levels = noise_levels("ddpm", 1000).tolist()
        assert ancestral_variance(variance, all_levels) == pytest.approx(variance, rel=0.06)


@pytest.mark.parametrize("name", sampler_names.SAMPLERS)
def test_samplers_need_noise_where_their_table_says_so(name):
    x = torch.zeros(1, 1, 1, 1, dtype=torch.float64)
    states = SAMPLERS[name](Gaussian([1.0]), x, edm_sigmas(3))
    if not sampler_names.SAMPLERS[name].needs_noise:
        last(states)
        return
    with pytest.raises(ValueError, match="needs noise"):
        last(states)


def test_samplers_of_an_objective():
    assert sampler_names.samplers_for("ddpm") == ["ddim", "ddpm", "dpmpp", "heun"]
    assert sampler_names.samplers_for("edm") == ["ddim", "dpmpp", "heun"]


def test_samplers_yield_every_step():
    gaussian, sigmas = Gaussian([0.25]), noise_levels("edm", 6)
    for name, sampler in SAMPLERS.items():
        noise = ImageNoise(0, range(2), (1, 1, 1))
        states = list(sampler(gaussian, 80 * noise().double(), sigmas, noise))
        assert len(states) == 6, name
        assert all(state.shape == (2, 1, 1, 1) for state in states)


# Batches


def draw(architecture, sampler, indices, clip=True):
    return sample(
        NetworkDenoiser(architecture, "ddpm", clip=clip),
        sampler,
        noise_levels("ddpm", 8),
        noise_seed=5,
        indices=indices,
        shape=SHAPE,
    )


@pytest.mark.parametrize("sampler", ["ddim", "ddpm"])
def test_an_image_does_not_depend_on_its_batch(architecture, sampler):
    together = draw(architecture, sampler, range(12))
    assert together.shape == (12, 8, 8, 1)
    assert together.dtype == np.uint8
    assert together.std() > 10
    assert np.array_equal(together, draw(architecture, sampler, range(12)))
    in_parts = np.concatenate([draw(architecture, sampler, range(k, k + 4)) for k in (0, 4, 8)])
    assert np.abs(together.astype(int) - in_parts).max() <= 1


def test_progress_and_inference_mode(architecture):
    shares = []

    def denoiser(x, sigma):
        assert torch.is_inference_mode_enabled()
        return x * 0

    sigmas = noise_levels("edm", 4)
    kwargs = {"noise_seed": 0, "indices": range(2), "shape": SHAPE, "progress": shares.append}
    assert (sample(denoiser, "ddim", sigmas, **kwargs) == 128).all()
    assert shares == [0.25, 0.5, 0.75, 1.0]


def test_samples_that_are_not_finite(architecture):
    sigmas = noise_levels("edm", 4)
    with pytest.raises(FloatingPointError, match="not finite"):
        sample(
            lambda x, sigma: x * math.nan,
            "ddim",
            sigmas,
            noise_seed=0,
            indices=range(2),
            shape=SHAPE,
        )


# The script


RUN = {"study": "tiny", "ratio": "90-10", "architecture": "depth2", "seed": "0"}
RUN["sampler"] = "ddim-4"


def run_script(folder, **changes):
    flags = {
        "model": folder / "model.safetensors",
        "meta": folder / "model.json",
        "sampler": "ddim",
        "steps": 4,
        "count": 10,
        "noise-seeds": [5],
        "batch-size": 4,
        "threads": 1,
        "run": json.dumps(RUN),
        "output": folder / "samples.npz",
        "usage": folder / "samples-usage.json",
    } | changes
    arguments = []
    for key, value in flags.items():
        arguments += [f"--{key}", *map(str, value if isinstance(value, list) else [value])]
    before, sys.argv = sys.argv, [str(SCRIPT), *arguments]
    try:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    finally:
        sys.argv = before
    with np.load(flags["output"], allow_pickle=False) as archive:
        return dict(archive)


@pytest.fixture
def folder(architecture, tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    save(architecture, tmp_path)
    return tmp_path


def save(module, folder, **meta):
    described = {
        "architecture": "depth2",
        "channels": 1,
        "size": 8,
        "width": 0.5,
        "objective": "ddpm",
    }
    described |= {"sigma_data": 0.5, "seed": 0} | meta
    save_model(module, described, folder / "model.safetensors", folder / "model.json")


def test_script_writes_the_archive(folder, architecture):
    found = run_script(folder)
    assert found["images"].shape == (10, 8, 8, 1)
    assert found["noise"].tolist() == [[5, index] for index in range(10)]
    assert found["noise"].dtype == np.int64
    assert json.loads(str(found["run"])) == RUN
    assert json.loads((folder / "samples-usage.json").read_text())["run"] == RUN
    more = run_script(folder, count=12, output=folder / "more.npz")
    assert np.array_equal(more["images"][:8], found["images"][:8])
    assert np.abs(more["images"][:10].astype(int) - found["images"]).max() <= 1
    before = (folder / "samples.npz").read_bytes()
    run_script(folder)
    assert (folder / "samples.npz").read_bytes() == before


def test_every_noise_seed_gives_its_images(folder, architecture):
    both = run_script(folder, count=3, **{"noise-seeds": [5, 2]})
    assert both["noise"].tolist() == [[5, 0], [5, 1], [5, 2], [2, 0], [2, 1], [2, 2]]
    for place, seed in enumerate((5, 2)):
        alone = run_script(folder, count=3, **{"noise-seeds": [seed]})
        assert np.array_equal(both["images"][3 * place : 3 * place + 3], alone["images"])


@pytest.mark.parametrize("sampler", ["ddpm", "dpmpp", "heun"])
def test_script_knows_every_sampler(folder, architecture, sampler):
    save(architecture, folder, objective="edm")
    assert run_script(folder, sampler=sampler)["images"].shape == (10, 8, 8, 1)


def test_script_names_a_model_that_gives_no_numbers(folder, architecture):
    broken = build_unet("depth2", channels=1, size=8, width=0.5)
    with torch.no_grad():
        broken.conv_out.bias.fill_(math.nan)
    save(broken, folder)
    with pytest.raises(SystemExit, match=r"model\.safetensors: the samples are not finite: train"):
        run_script(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["model.json", "model.safetensors"]


def test_script_names_what_is_wrong(folder, architecture, capsys):
    with pytest.raises(SystemExit, match=r"--steps 1001 .* 1 to 1000"):
        run_script(folder, steps=1001)
    save(architecture, folder, objective="flow")
    with pytest.raises(SystemExit, match=r"model\.json: .*'flow' is none of ddpm, edm"):
        run_script(folder)
    with pytest.raises(SystemExit, match="--run: the run is not described"):
        run_script(folder, run="{")
    for flag, wrong in [("count", 0), ("noise-seeds", -1), ("sampler", "plms")]:
        with pytest.raises(SystemExit) as stopped:
            run_script(folder, **{flag: wrong})
        assert stopped.value.code == 2
        assert f"--{flag}" in capsys.readouterr().err
