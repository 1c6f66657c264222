"""Bypass the mid block of every model by schedules and percentages, and measure its images."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from depthbias.data.splits import read_split
from depthbias.data.subsets import read_subset, subset_of
from depthbias.diffusion.sampler_names import SAMPLERS
from depthbias.estimates.tidy import write_rows
from depthbias.system.arguments import (
    IMAGES,
    SUBSETS,
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
from depthbias.system.errors import finite
from depthbias.system.files import check_writable
from depthbias.system.gpu_lease import computing
from depthbias.system.progress import Progress

if TYPE_CHECKING:
    import torch

    from depthbias.estimates.measurements import Measured


def measure(args: Arguments, device: "torch.device") -> "Iterator[list[Measured]]":
    """The measures of one model after the other."""
    from depthbias.diffusion.loading import load_denoiser
    from depthbias.estimates.runs import read_run
    from depthbias.theory.bypass_rows import Judge, Plan, held_out, measures_of, training_of
    from depthbias.vision.classifier import load_classifier

    split, subsets = read_split(args.split), [read_subset(path) for path in args.subsets]
    classifier, _ = load_classifier(args.classifier, args.classifier_meta)
    real = held_out(args.images, split, args.quality_k, device)
    judge = Judge(classifier, args.backbone, real, device)
    sampler, _, steps = args.sampler.partition("-")
    kinds = args.schedules, args.percentages, sampler, int(steps)
    plan = Plan(*kinds, args.count, args.noise_seed, args.batch_size)
    for model, meta_path in zip(args.models, args.metas, strict=True):
        denoiser, meta = load_denoiser(model, meta_path, device, clip=True)
        run = read_run(meta_path, meta["run"])._replace(sampler=args.sampler)
        training = training_of(args.images, subset_of(subsets, model, run.ratio, run.seed))
        with finite(model):
            found = [*measures_of(denoiser, meta, run, training, judge, plan)]
        yield found


@script(
    files("--models", "weights (.safetensors)"),
    files("--metas", "their descriptions, in the same order (.json)"),
    SUBSETS,
    IMAGES,
    file("--split", "rows that are held out (.json)"),
    file("--classifier", "weights of the classifier (.safetensors)"),
    file("--classifier-meta", "its description (.json)"),
    flag("--backbone", "of the perceptual distance, like: lpips-alex"),
    flag("--quality-k", "neighbour that the balls of precision reach to", positive),
    flag("--schedules", "when the mid block is bypassed, like: all early", nargs="+"),
    flag("--percentages", "0 to 100, like: 0 50 100", int, nargs="+"),
    flag("--sampler", "method-steps, of one call a step, like: dpmpp-20"),
    flag("--count", "images of a model at every percentage", positive),
    flag("--noise-seed", "of the noise they start from", natural),
    flag("--batch-size", kind=positive),
    THREADS,
    TABLE,
)
def main(args: Arguments) -> None:
    name, _, steps = args.sampler.partition("-")
    if name not in SAMPLERS or not steps.isdecimal() or name == "heun":
        raise WrongUsage("--sampler must be a method of one call a step, like dpmpp-20")
    if len(args.models) != len(args.metas):
        raise WrongUsage("--models and --metas must name the same models in the same order")
    check_writable(args.output)
    with computing(args.threads, exact=True) as device:
        from depthbias.estimates.measurements import rows_of
        from depthbias.theory.bypass import check_percentage
        from depthbias.theory.bypass_rows import TRENDS, with_percentages

        for percent in args.percentages:
            check_percentage(percent)
        measured = []
        with Progress(len(args.models), "bypass", "models") as progress:
            for done, found in enumerate(measure(args, device), 1):
                measured += found
                progress.update(done)
        write_rows(args.output, with_percentages(rows_of(measured, TRENDS)))
