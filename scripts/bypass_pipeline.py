"""Bypass the mid block of a text-to-image or image-to-image pipeline: figure and table.

With --image the pipeline changes that image, else it makes images from prompts alone. Prompts and
percentages are those of the paper unless others are given; the progressive schedule is ours.
"""

from typing import TYPE_CHECKING, Any

from depthbias.estimates.tidy import write_rows
from depthbias.system.arguments import (
    TABLE,
    THREADS,
    Arguments,
    WrongUsage,
    file,
    files,
    flag,
    natural,
    positive,
    script,
)
from depthbias.system.errors import reading
from depthbias.system.files import check_writable
from depthbias.system.gpu_lease import computing
from depthbias.system.progress import Progress

if TYPE_CHECKING:
    import numpy as np
    import torch

PROMPTS = ["a woman", "a girl", "an actress", "a queen"]
PERCENTAGES = [0.0, 25.0, 50.0, 75.0, 100.0]
NAMES = "folder, or owner/name of the hub"


def measure(args: Arguments, device: "torch.device") -> tuple[list[dict[str, Any]], "np.ndarray"]:
    """(tidy rows, images uint8 [percentages + 1, prompts, seeds, H, W, 3])."""
    import numpy as np

    from depthbias.estimates.runs import Run
    from depthbias.theory.pipelines import Settings, draw, load_clip, load_pipeline, pipeline_rows
    from depthbias.vision.clip_score import clip_scores

    image = None
    if args.image:
        from PIL import Image

        with reading(args.image, "not a picture", "give a PNG or JPEG"):
            image = Image.open(args.image).convert("RGB")
    pipeline = load_pipeline(args.pipeline, image is not None, device)
    clip = load_clip(args.clip, device)
    settings = Settings(
        args.prompts,
        args.percentages,
        args.progressive,
        args.seeds,
        args.steps,
        args.guidance,
        args.strength,
    )
    drawn, names = [], [*(f"{p:g}" for p in args.percentages), "progressive"]
    with Progress(len(names), "bypass", "percentages") as progress:
        for images in draw(pipeline, settings, image):
            drawn.append(images)
            progress.update(len(drawn))
    scores = {n: clip_scores(*clip, i, args.prompts) for n, i in zip(names, drawn, strict=True)}
    run = Run("pipeline", "", "", "", f"ddim-{args.steps}")
    found = pipeline_rows(dict(zip(names, drawn, strict=True)), scores, run)
    return [*found], np.stack(drawn)


@script(
    flag("--pipeline", NAMES, default="data/weights/stable-diffusion-v1-5"),
    flag(
        "--clip",
        f"model that scores images against prompts: {NAMES}",
        default="data/weights/clip-vit-large-patch14",
    ),
    flag("--prompts", "two or more", nargs="+", default=PROMPTS),
    flag(
        "--percentages",
        "of the mid block bypassed, 0 among them",
        float,
        nargs="+",
        default=PERCENTAGES,
    ),
    flag("--progressive", "percentage that the progressive bypass starts at", float, default=50.0),
    flag("--seeds", "an image of each", natural, nargs="+", default=[0, 1, 2, 3]),
    flag("--steps", "of DDIM", positive, default=50),
    flag("--guidance", "scale of the prompt", float, default=7.5),
    file("--image", "where image-to-image starts", default=None),
    flag("--strength", "share of the steps that change the image", float, default=0.8),
    THREADS,
    TABLE,
    files("--figure", "to write: .svg, .png, .pdf", metavar="FIGURE"),
)
def main(args: Arguments) -> None:
    if len(set(args.prompts)) < 2 or len(args.seeds) < 2:
        raise WrongUsage("give two different prompts, and two seeds")
    if 0 not in args.percentages:
        raise WrongUsage("--percentages: 0 must be among them, to compare with")
    check_writable(args.output, *args.figure)
    with computing(args.threads) as device:
        from depthbias.estimates.tidy import tidy
        from depthbias.report.bypass_figures import plot_pipeline
        from depthbias.report.style import save
        from depthbias.theory.bypass import check_percentage

        for percent in [*args.percentages, args.progressive]:
            check_percentage(percent)
        rows, images = measure(args, device)
    write_rows(args.output, rows)
    names = [*(f"{p:g} %" for p in args.percentages), f"progressive, from {args.progressive:g} %"]
    save(plot_pipeline(images[:, :, 0], args.prompts, names, tidy(rows)), args.figure)
