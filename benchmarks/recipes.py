"""Seconds of one core until a held-out loss is reached: a study's recipe, diffusers' example.

The loss is that of denoising held-out images, E w(s) |D(x + s e; s) - x|^2 with the weights of edm
over a grid of levels, by the averaged weights: the same number for every objective. The example
trains the same network on the same images with its own defaults: noise prediction, batch 16, rate
1e-4 after 500 steps, AdamW, its EMA. The recipe's rate falls to 0 at the end of a budget, so each
budget is a run of its own.
"""

import argparse
import copy
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from diffusers import UNet2DModel
from torch import Tensor

from benchmarks.training import Example
from depthbias.config.reading import load
from depthbias.data.splits import Split, read_split
from depthbias.data.subsets import read_subset
from depthbias.diffusion.network_denoiser import NetworkDenoiser
from depthbias.diffusion.noise import initial_noise
from depthbias.diffusion.objectives import Objective, level_weights, measure_sigma_data
from depthbias.diffusion.samplers import sample
from depthbias.diffusion.schedules import noise_levels
from depthbias.diffusion.trainer import Trainer, TrainingOptions
from depthbias.estimates.stratified import stratified
from depthbias.measures.chosen_images import Chosen, choose_heldout
from depthbias.measures.quality import balls, held, held_by_others
from depthbias.system.compute import choose_precision
from depthbias.system.errors import UserError, command
from depthbias.system.files import map_npz

DEVICE = torch.device("cpu")
SIGMAS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20]
EXAMPLE = {"objective": "ddpm", "batch_size": 16, "learning_rate": 1e-4, "weight_decay": 1e-6}
POINTS = 16  # at which the loss of a run is measured
K = 5  # neighbours of precision


class Instrument:
    """What a network is judged by: held-out loss, and precision in pixels of its images."""

    def __init__(self, images: Path, split: Split, proportions: np.ndarray, sigma_data: float):
        chosen: Chosen = choose_heldout(images, split, 250, DEVICE)
        self.images = chosen.images
        self.noise = initial_noise(0, chosen.rows.tolist(), self.images.shape[1:]).to(self.images)
        self.shares = torch.from_numpy(stratified(chosen.labels, proportions))
        self.levels, self.sigma_data = level_weights(SIGMAS, sigma_data), sigma_data
        rows = split.rows("calibration", "control")[0]
        self.real = np.asarray(map_npz(images, "images")[rows]).reshape(len(rows), -1)

    def denoiser(
        self, net: torch.nn.Module, objective: Objective, clip: bool = False
    ) -> NetworkDenoiser:
        sigma_data = self.sigma_data if objective == "edm" else None
        return NetworkDenoiser(net, objective, sigma_data, clip)

    @torch.inference_mode()
    def loss(self, net: torch.nn.Module, objective: Objective) -> float:
        denoiser = self.denoiser(net, objective)
        squares = [denoiser(self.images + s * self.noise, s) - self.images for s in SIGMAS]
        means = [float(self.shares @ d.square().flatten(1).mean(1).double()) for d in squares]
        return float(self.levels @ np.array(means))

    def precision(self, net: torch.nn.Module, objective: Objective, sampler: str) -> float:
        """Share of 500 images in a ball of a held-out one."""
        method, _, steps = sampler.partition("-")
        denoiser = self.denoiser(net, objective, clip=True)
        shape, levels = tuple(self.images.shape[1:]), noise_levels(objective, int(steps))
        made = [
            sample(denoiser, method, levels, noise_seed=0, indices=range(i, i + 250), shape=shape)
            for i in (0, 250)
        ]
        return float(
            (held(np.concatenate(made).reshape(500, -1), balls(self.real, [K])) > 0).mean()
        )

    def precision_of_real(self) -> float:
        """That of the held-out images, each among the others."""
        return float((held_by_others(balls(self.real, [K])) > 0).mean())


def ours(options: TrainingOptions, images: Tensor) -> Iterator[tuple[int, Callable]]:
    """Train; yields (images seen, a function that gives the averaged network) after every step."""
    trainer = Trainer(options, images, DEVICE, choose_precision("fp32", DEVICE))
    while trainer.seen < options.budget:
        trainer.step()
        yield trainer.seen, trainer.averaged


def theirs(options: TrainingOptions, images: Tensor) -> Iterator[tuple[int, Callable]]:
    """The example, as `ours`."""
    precision = choose_precision("fp32", DEVICE)
    model = UNet2DModel.from_config(Trainer(options, images, DEVICE, precision).net.config)
    example = Example(model, images.numpy(), options, DEVICE, precision)

    def averaged() -> torch.nn.Module:
        net = copy.deepcopy(example.model)
        example.ema.copy_to(net.parameters())
        return net

    for step in range(1, options.budget // options.batch_size + 1):
        example.train(1)
        yield step * options.batch_size, averaged


def curve(
    run: Iterator[tuple[int, Callable]], options: TrainingOptions, instrument: Instrument
) -> tuple[list[tuple[float, float]], torch.nn.Module]:
    """([(processor seconds of training, held-out loss)], the last averaged network)."""
    seconds, points, due = 0.0, [], 0
    started = time.process_time()
    for seen, averaged in run:
        seconds += time.process_time() - started
        if seen >= due or seen >= options.budget:
            due += options.budget // POINTS
            points.append((seconds, instrument.loss(averaged(), options.objective)))
        started = time.process_time()
    return points, averaged()


def measure(study_name: str, architecture: str, seed: int, factor: int) -> dict[str, Any]:
    """Both on one subset; the example sees `factor` times as many images."""
    study = load("params.yaml").studies[study_name]
    folder = Path("data") / study_name
    images_path, subset_path = folder / "images.npz", folder / study.ratios[0] / f"seed{seed}.json"
    if not subset_path.exists():
        raise UserError(f"{subset_path}: not there: run snakemake --cores all data_{study_name}")
    subset, split = read_subset(subset_path), read_split(folder / "split.json")
    images = torch.from_numpy(subset.images(images_path))
    instrument = Instrument(images_path, split, subset.proportions, measure_sigma_data(images))
    recipe = study.training_of(architecture).model_dump() | {"snapshots": []}
    options = TrainingOptions(
        **recipe | {"architecture": architecture, "width": study.width, "seed": seed}
    )
    budget = factor * options.budget // 16 * 16
    change = EXAMPLE | {"budget": budget, "warmup": 500 * 16}
    example = TrainingOptions(**vars(options) | change)
    found: dict[str, Any] = {"study": study_name, "seed": seed}
    found["real"] = instrument.precision_of_real()
    for name, run, chosen in (("ours", ours, options), ("theirs", theirs, example)):
        points, net = curve(run(chosen, images), chosen, instrument)
        sampler = study.sampling.samplers[0] if chosen.objective == "edm" else "ddim-50"
        precision = instrument.precision(net, chosen.objective, sampler)
        found[name] = {"curve": points, "loss": points[-1][1], "precision": precision}
    return found


def until(curve: list[tuple[float, float]], loss: float) -> float | None:
    """Seconds until a loss is reached; None if it never is."""
    return next((seconds for seconds, reached in curve if reached <= loss), None)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recipes", description=__doc__)
    parser.add_argument("--study", default="digits")
    parser.add_argument("--architecture", default="depth3")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--factor", type=int, default=4, help="images the example sees, over ours")
    parser.add_argument("--json", type=Path, help="file to write the curves to")
    args = parser.parse_args()
    torch.set_num_threads(1)
    ratios, found = [], []
    for seed in args.seeds:
        found.append(measure(args.study, args.architecture, seed, args.factor))
        our, their = found[-1]["ours"], found[-1]["theirs"]
        reached = until(our["curve"], their["loss"])
        total = their["curve"][-1][0]
        print(
            f"{args.study}, seed {seed}: loss {our['loss']:.4f} after {our['curve'][-1][0]:.0f} s, "
            f"example {their['loss']:.4f} after {total:.0f} s (reached by ours after "
            f"{'-' if reached is None else format(reached, '.0f')} s); precision "
            f"{our['precision']:.3f}, example {their['precision']:.3f}, "
            f"real {found[-1]['real']:.3f}",
            flush=True,
        )
        if reached:
            ratios.append(total / reached)
    if ratios:
        print(f"times as fast: {median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f})")
    if args.json:
        args.json.write_text(json.dumps(found))


if __name__ == "__main__":
    command(main)
