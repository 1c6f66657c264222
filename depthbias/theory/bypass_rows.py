"""What bypassing the mid block does to the images of a model: measures of every run.

The metric is NAME:SCHEDULE, `k` the percentage. At each percentage a model starts from the same
noise, so images are compared one by one with those at 0 %.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from depthbias.data.pixels import to_float
from depthbias.data.splits import Split
from depthbias.data.subsets import Subset
from depthbias.diffusion.checkpoints import image_shape
from depthbias.diffusion.network_denoiser import NetworkDenoiser
from depthbias.diffusion.samplers import sample_batches
from depthbias.diffusion.schedules import noise_levels
from depthbias.estimates.measurements import Measured, mean_of, share_of
from depthbias.estimates.runs import Run
from depthbias.measures.nearest import Rows, Vectors, nearest
from depthbias.measures.quality_rows import Images, Reference, of_generated, reference
from depthbias.system.files import map_npz
from depthbias.theory.bypass import SCHEDULES, bypass
from depthbias.vision.classifier import Classifier, classify
from depthbias.vision.embedder import load_backbone
from depthbias.vision.lpips_distance import embed

QUALITY = {f"{name}:pixels" for name in ("precision", "recall")}
CHANGES = ("minority", "precision", "nearest")  # given as differences from 0 % as well
TRENDS = tuple(f"bypass_{name}_change:{schedule}" for name in CHANGES for schedule in SCHEDULES)


class Plan(NamedTuple):
    """Which schedules and percentages, and how images are sampled: sampler of one call a step."""

    schedules: Sequence[str]
    percentages: Sequence[int]
    sampler: str
    steps: int
    images: int
    noise_seed: int
    batch_size: int


class Judge:
    """Looks at the images of models: their class, quality, and distance to other images."""

    def __init__(
        self, classifier: Classifier, backbone: str, real: Reference, device: torch.device
    ) -> None:
        self.classifier, self.real, self.device = classifier.to(device), real, device
        self._backbone = load_backbone(backbone, self.classifier, device)

    def look(self, images: np.ndarray, run: Run, training: "Training") -> "Look":
        """What is seen of images uint8 [N, H, W, C] of one run."""
        labels = classify(self.classifier, images).argmax(axis=1)
        vectors = images.reshape(len(images), -1)
        measured, accepted = of_generated(
            self.real, run, Images(vectors, labels), training.proportions
        )
        quality = [m for m in measured if m.metric in QUALITY and m.k in (0, self.real.ks[0])]
        distances, _ = nearest(vectors, training.vectors, 1, "euclidean", self.device)
        features = embed(to_float(torch.from_numpy(images)).to(self.device), self._backbone)
        return Look(labels, accepted[:, 0], distances[:, 0], features, quality)


class Training(NamedTuple):
    """The training images of a run, pixels [N, D], and their class proportions [K]."""

    vectors: Vectors
    proportions: np.ndarray


@dataclass(frozen=True)
class Look:
    """labels: int [N]; accepted: bool [N], on the manifold of their class; nearest: float [N],
    distance to the nearest training image, grey levels; features: [N, F], whose squared distances
    are perceptual ones; quality: precision and recall."""

    labels: np.ndarray
    accepted: np.ndarray
    nearest: np.ndarray
    features: Tensor
    quality: list[Measured]

    def values(self, minority: int) -> dict[str, np.ndarray]:
        """What CHANGES compares, float [N] each."""
        found = (self.labels == minority, self.accepted, self.nearest)
        return dict(zip(CHANGES, (np.asarray(v, dtype=np.float64) for v in found), strict=True))


def sampled(
    denoiser: NetworkDenoiser, meta: Mapping[str, Any], plan: Plan, percentages: Sequence[float]
) -> np.ndarray:
    """Images uint8 [N, S, S, C] of a model with its mid block bypassed at every step so."""
    sigmas = noise_levels(meta["objective"], plan.steps)
    device = next(denoiser.model.parameters()).device
    with bypass(denoiser.model, percentages, plan.steps):
        return sample_batches(
            denoiser,
            plan.sampler,
            sigmas,
            noise_seed=plan.noise_seed,
            count=plan.images,
            batch_size=plan.batch_size,
            shape=image_shape(meta),
            device=device,
        )


def held_out(path: Path, split: Split, k: int, device: torch.device) -> Reference:
    """All held-out images of a study as the reference of quality, in pixels; path: its images."""
    rows, labels = split.rows("calibration", "control")
    images = Images(Rows(map_npz(path, "images"), rows), labels)
    return reference("pixels", "euclidean", images, split.classes, [k], device)


def training_of(path: Path, subset: Subset) -> Training:
    """The training images of a subset; path: the images of the study."""
    return Training(Rows(map_npz(path, "images"), subset.rows), subset.proportions)


def measures_of(
    denoiser: NetworkDenoiser,
    meta: Mapping[str, Any],
    run: Run,
    training: Training,
    judge: Judge,
    plan: Plan,
) -> Iterator[Measured]:
    """All measures of one run; 0 % is sampled once and stands under every schedule."""
    plain = judge.look(sampled(denoiser, meta, plan, []), run, training)
    for schedule in plan.schedules:
        for percent in plan.percentages:
            seen = plain
            if percent:
                course = SCHEDULES[schedule](percent, plan.steps)
                seen = judge.look(sampled(denoiser, meta, plan, course), run, training)
            measured = [*_compared(run, seen, plain, judge.real.classes)]
            if percent:
                measured += _changes(run, seen, plain, len(judge.real.classes) - 1)
            for m in measured:
                yield replace(m, metric=f"bypass_{m.metric}:{schedule}", k=percent)


def with_percentages(rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Rows whose k is a percentage, of which 0 is one as well."""
    return ({**row, "k": row["k"] or 0} for row in rows)


def _compared(run: Run, seen: Look, plain: Look, classes: Sequence[str]) -> Iterator[Measured]:
    """Measures of one percentage; metric and k are still to be set."""
    for label, name in enumerate(classes):
        yield share_of(seen.labels == label, run, "share", name)
    yield share_of(seen.labels != plain.labels, run, "flips")
    for measured in seen.quality:
        yield replace(measured, metric=measured.metric.removesuffix(":pixels"))
    apart = (seen.features - plain.features).double().square().sum(1)
    yield mean_of(apart.cpu().numpy(), run, "perceptual")
    yield mean_of(seen.nearest, run, "nearest")


def _changes(run: Run, seen: Look, plain: Look, minority: int) -> Iterator[Measured]:
    """Differences from 0 %, image by image."""
    before, after = plain.values(minority), seen.values(minority)
    for name in CHANGES:
        yield mean_of(after[name] - before[name], run, f"{name}_change")
