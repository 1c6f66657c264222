"""Text-to-image and image-to-image pipelines of diffusers whose mid block is bypassed.

A pipeline is loaded from a folder or from the hub, as safetensors only, with DDIM for its scheduler
(one call of the U-Net a step) and without the checker that blackens images. The image of a seed
starts from the same noise whatever the prompt and the percentage.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image

from depthbias.estimates.measurements import mean_of
from depthbias.estimates.runs import Run
from depthbias.system.errors import UserError, reading
from depthbias.theory.bypass import SCHEDULES, bypass, mid_block_of

HUB = re.compile(r"[\w.-]+/[\w.-]+")
Rows = Iterator[dict[str, Any]]


class Settings(NamedTuple):
    """prompts; percentages for all steps; progressive: percentage that the progressive bypass
    starts at; seeds, each an image; steps; guidance; strength: share of the steps that an image is
    changed by."""

    prompts: Sequence[str]
    percentages: Sequence[float]
    progressive: float
    seeds: Sequence[int]
    steps: int
    guidance: float
    strength: float


def missing(where: str, what: str, example: str) -> UserError:
    """The error of weights that are not there: what to fetch, and where to put it."""
    name = example.rpartition("/")[2]
    return UserError(
        f"{where}: no {what} there: run `hf download {example} --local-dir data/weights/{name}` "
        f"where there is a network, and give data/weights/{name}"
    )


def load(where: str, what: str, example: str, of: Any, **options: Any) -> Any:
    """`of.from_pretrained` on a folder, or on a name of the hub like owner/name; safetensors only.

    UserError where neither is there: what to fetch (as `example` of the hub), where to put it.
    """
    if not (Path(where).is_dir() or HUB.fullmatch(where)):
        raise missing(where, what, example)
    if Path(where).is_dir():
        with reading(where, f"not a {what}", f"fetch {example} again", (OSError, ValueError)):
            return of.from_pretrained(where, local_files_only=True, **options)
    try:
        return of.from_pretrained(where, **options)
    except (OSError, ValueError) as error:
        raise missing(where, what, where) from error


def load_pipeline(where: str, from_image: bool, device: torch.device) -> Any:
    """A pipeline on the device; UserError if it is not there, or has no mid block."""
    require_transformers()
    from diffusers.pipelines.auto_pipeline import (
        AutoPipelineForImage2Image,
        AutoPipelineForText2Image,
    )
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler

    kind = AutoPipelineForImage2Image if from_image else AutoPipelineForText2Image
    options = {"safety_checker": None, "requires_safety_checker": False, "use_safetensors": True}
    example = "stable-diffusion-v1-5/stable-diffusion-v1-5"
    pipeline = load(where, "pipeline", example, kind, **options)
    mid_block_of(pipeline)
    pipeline.scheduler = DDIMScheduler.from_config(pipeline.scheduler.config)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(device)


def load_clip(where: str, device: torch.device) -> tuple[Any, Any]:
    """(CLIP model on the device, its processor); UserError if it is not there."""
    require_transformers()
    from transformers import CLIPModel, CLIPProcessor

    example = "openai/clip-vit-large-patch14"
    model = load(where, "CLIP model", example, CLIPModel, use_safetensors=True)
    return model.eval().to(device), load(where, "CLIP processor", example, CLIPProcessor)


def require_transformers() -> None:
    """UserError where the package that reads prompts is not installed."""
    from importlib.util import find_spec

    if find_spec("transformers") is None:
        raise UserError("pipelines need the package transformers: pip install 'depthbias[prompts]'")


def calls_of(settings: Settings, from_image: bool) -> int:
    """Calls of the U-Net that make one image; UserError for a strength that leaves no step."""
    if not from_image:
        return settings.steps
    calls = min(int(settings.steps * settings.strength), settings.steps)
    if calls < 1:
        raise UserError(
            f"--strength {settings.strength:g} of {settings.steps} steps is no step: raise one"
        )
    return calls


def draw(pipeline: Any, settings: Settings, image: Image.Image | None) -> Iterator[np.ndarray]:
    """Images uint8 [prompts, seeds, H, W, 3]: of each percentage, then of the progressive bypass.

    image: where image-to-image starts; None for text-to-image.
    """
    calls = calls_of(settings, image is not None)
    courses = [SCHEDULES["all"](percent, calls) for percent in settings.percentages]
    for course in [*courses, SCHEDULES["progressive"](settings.progressive, calls)]:
        with bypass(pipeline, course, calls):
            yield np.stack(
                [
                    np.stack([_one(pipeline, p, seed, settings, image) for seed in settings.seeds])
                    for p in settings.prompts
                ]
            )


def _one(
    pipeline: Any, prompt: str, seed: int, settings: Settings, image: Image.Image | None
) -> np.ndarray:
    more = {} if image is None else {"image": image, "strength": settings.strength}
    made = pipeline(
        prompt=prompt,
        generator=torch.Generator("cpu").manual_seed(seed),  # the same noise on every device
        num_inference_steps=settings.steps,
        guidance_scale=settings.guidance,
        output_type="np",
        **more,
    ).images[0]
    if not np.isfinite(made).all():
        raise UserError(f"{prompt!r}, seed {seed}: the image is not finite: use float32 weights")
    return np.rint(255 * np.clip(made, 0, 1)).astype(np.uint8)


def similarity(images: np.ndarray) -> np.ndarray:
    """Mean correlation of the pixels of the images of two prompts: float64 [seeds].

    images: uint8 [prompts, seeds, H, W, 3], two prompts or more. Pairs are of one seed.
    """
    flat = images.reshape(*images.shape[:2], -1).astype(np.float64)
    flat -= flat.mean(axis=2, keepdims=True)
    lengths = np.linalg.norm(flat, axis=2, keepdims=True)
    unit = np.divide(flat, lengths, out=np.zeros_like(flat), where=lengths > 0)
    prompts = len(images)
    sums = (unit.sum(axis=0) ** 2).sum(axis=1) - (unit**2).sum(axis=(0, 2))
    return np.asarray(sums / (prompts * (prompts - 1)))


def pipeline_rows(
    drawn: Mapping[str, np.ndarray], scores: Mapping[str, np.ndarray], run: Run
) -> Rows:
    """Tidy rows: similarity between prompts, and CLIP's score, of every way of bypassing.

    drawn: images uint8 [prompts, seeds, H, W, 3], scores: [prompts, seeds], by name: "0", other
    percentages, "progressive". Changes are from 0. Intervals are Student's over seeds, each one
    number, whatever the prompts.
    """
    plain = scores["0"].mean(axis=0)
    for name, images in drawn.items():
        of_prompts = scores[name].mean(axis=0)
        found = {"similarity": similarity(images), "clip": of_prompts}
        if name != "0":
            found |= {"similarity_change": found["similarity"] - similarity(drawn["0"])}
            found |= {"clip_change": of_prompts - plain}
        k = {"k": None if name == "progressive" else float(name)}
        for metric, values in found.items():
            yield mean_of(values, run, f"pipeline_{metric}", name).row | k
