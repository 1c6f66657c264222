"""Train models of several families on nested, disjoint training sets, and sample the same noise."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from depthbias.data.pixels import to_float
from depthbias.diffusion.denoiser import Denoiser
from depthbias.diffusion.multi_delta_denoiser import DeltaDenoiser
from depthbias.diffusion.network_denoiser import NetworkDenoiser
from depthbias.diffusion.objectives import Objective
from depthbias.diffusion.samplers import sample_batches
from depthbias.diffusion.schedules import SIGMA_MAX, noise_levels
from depthbias.diffusion.trainer import Trainer, TrainingOptions
from depthbias.system.compute import choose_precision
from depthbias.system.errors import UserError
from depthbias.theory.consistency import ConsistencySolution, ConsistencyTrainer
from depthbias.theory.family_names import DELTA, FAMILIES, GRID, HALVES, Member

ONE_STEP = torch.tensor([SIGMA_MAX, 0.0], dtype=torch.float64)


def members(
    families: Sequence[str], widths: Sequence[float], sizes: Sequence[int], width: float
) -> list[Member]:
    """All models of a seed. The family GRID has every width and size; others `width`, the largest
    size; the multi-delta every size."""
    kinds = [(family, width, max(sizes)) for family in families if family != GRID]
    kinds += [(GRID, own, size) for own in sorted({*widths, width}) for size in sizes]
    kinds += [(DELTA, width, size) for size in sizes]
    return [Member(*kind, half) for kind in kinds for half in HALVES]


def disjoint_rows(rows: np.ndarray, labels: np.ndarray, size: int, seed: int) -> list[np.ndarray]:
    """Rows of two disjoint training sets of `size` images, int [size] each, classes in turn.

    So the first n of them are as equal as n allows. rows [N] have these labels [N]. UserError where
    a class has too few.
    """
    classes = np.unique(labels)
    random = np.random.default_rng([seed, size])
    each = -(-size // len(classes))
    own = [random.permutation(rows[labels == one]) for one in classes]
    most = min(map(len, own)) // len(HALVES)
    if each > most:
        raise UserError(
            f"theory.families.sizes: {size}: two disjoint sets have at most "
            f"{most * len(classes)} images"
        )
    halves = [[part[start : start + each] for part in own] for start in (0, each)]
    return [np.stack(half, axis=1).reshape(-1)[:size] for half in halves]


class Plan(NamedTuple):
    """How models are trained and sampled: options of a training, others of families, sampler."""

    options: TrainingOptions
    overrides: Mapping[str, Mapping[str, Any]]
    sampler: str
    steps: int
    images: int
    noise_seed: int
    batch_size: int
    device: torch.device


def solution(member: Member, images: Tensor, plan: Plan) -> tuple[Denoiser, Objective | None]:
    """(what is sampled, whose levels; None: one step). images: uint8 [N, H, W, C]."""
    if member.family == DELTA:
        return DeltaDenoiser(to_float(images).to(plan.device)), "edm"
    family = FAMILIES[member.family]
    one_step = family.objective == "consistency"
    objective: Objective = "ddpm" if family.objective == "ddpm" else "edm"
    options = replace(
        plan.options,
        architecture=family.architecture or plan.options.architecture,
        width=member.width,
        objective=objective,
        seed=len(HALVES) * plan.options.seed + HALVES.index(member.half),
        **plan.overrides.get(member.family, {}),
    )
    kind = ConsistencyTrainer if one_step else Trainer
    trainer = kind(options, images, plan.device, choose_precision(options.precision, plan.device))
    network = trainer.complete()
    if one_step:
        return ConsistencySolution(network, trainer.sigma_data), None
    sigma_data = trainer.sigma_data if objective == "edm" else None
    return NetworkDenoiser(network, objective, sigma_data, clip=True), objective


def sampled(
    found: Denoiser, objective: Objective | None, shape: Sequence[int], plan: Plan
) -> np.ndarray:
    """Images uint8 [N, H, W, C] of the plan's noise; shape: (C, H, W)."""
    sampler = plan.sampler if objective else "ddim"
    levels = noise_levels(objective, plan.steps) if objective else ONE_STEP
    return sample_batches(
        found,
        sampler,
        levels,
        noise_seed=plan.noise_seed,
        count=plan.images,
        batch_size=plan.batch_size,
        shape=shape,
        device=plan.device,
    )


def images_of(
    chosen: Sequence[Member], halves: dict[str, np.ndarray], plan: Plan, done: Callable[[int], None]
) -> Iterator[np.ndarray]:
    """The samples of one model after the other; halves: {half: its images uint8 [N, H, W, C]}."""
    for number, member in enumerate(chosen, 1):
        images = torch.from_numpy(halves[member.half][: member.size])
        height, width, channels = images.shape[1:]
        yield sampled(*solution(member, images, plan), (channels, height, width), plan)
        done(number)
