"""Measure the errors of one trained denoiser, image by image, on held-out and on training images.

Then measure those of the held-out images with its deepest stages cut off, one after another.
"""

from typing import TYPE_CHECKING

from depthbias.data.splits import Split, read_split
from depthbias.data.subsets import Subset, read_subset
from depthbias.estimates.runs import RUN
from depthbias.system.arguments import (
    IMAGES,
    MODEL,
    THREADS,
    Arguments,
    WrongUsage,
    file,
    flag,
    natural,
    positive,
    script,
    switch,
)
from depthbias.system.files import check_writable
from depthbias.system.gpu_lease import computing
from depthbias.system.progress import Progress

if TYPE_CHECKING:
    import torch

    from depthbias.measures.denoising_errors import DenoisingErrors


def measure(
    args: Arguments, split: Split, subset: Subset, device: "torch.device"
) -> "DenoisingErrors":
    """The errors, once the model is known to have learned something."""
    import numpy as np

    from depthbias.diffusion.architectures import get_architecture
    from depthbias.diffusion.loading import load_denoiser, load_training_images
    from depthbias.diffusion.network_denoiser import ZeroNetwork
    from depthbias.diffusion.objectives import level_weights
    from depthbias.estimates.stratified import stratified
    from depthbias.measures import denoising as of
    from depthbias.measures.chosen_images import choose_both
    from depthbias.measures.denoising_errors import DenoisingErrors

    denoiser, meta = load_denoiser(args.model, args.meta, device)
    mean = load_training_images(args.images, args.subset, meta, device).mean(0)
    counts = (args.heldout_images, args.training_images)
    heldout, training = choose_both(args.images, split, subset, counts, device)
    constant, untaught = of.constant_errors(heldout, mean), denoiser.of(ZeroNetwork())
    weights, seed = stratified(heldout.labels, subset.proportions), args.noise_seed
    if not args.brought:
        of.check_trained(args.model, denoiser, untaught, heldout, constant, weights, seed)
    found = get_architecture(meta["architecture"])
    cut = [denoiser.of(found.first_stages(denoiser.model, n)) for n in range(1, found.stages)]
    inputs = denoiser, cut, heldout, training, args.sigmas
    with Progress(len(args.sigmas), f"denoising errors of {found.name}", "levels") as progress:
        options = {"noise_seed": seed, "batch_size": args.batch_size}
        measured = of.measure(*inputs, **options, report=progress.update)
    return DenoisingErrors(
        run=args.run,
        sigmas=np.array(args.sigmas),
        noise_seed=seed,
        heldout_labels=heldout.labels,
        training_labels=training.labels,
        heldout_rows=heldout.rows,
        training_rows=training.rows,
        constant_errors=constant,
        classes=subset.classes,
        proportions=subset.proportions,
        level_weights=level_weights(args.sigmas, meta["sigma_data"]),
        **measured,
    )


@script(
    *MODEL,
    IMAGES,
    file("--split", "rows that are held out (.json)"),
    file("--subset", "the rows it was trained on (.json)"),
    flag("--sigmas", "noise levels, above 0, rising", float, nargs="+"),
    flag("--heldout-images", "at most so many", positive),
    flag("--training-images", "at most so many", positive),
    flag("--noise-seed", "of the noise of an image", natural),
    flag("--batch-size", kind=positive),
    switch("--brought", "a model of others, measured whatever it has learned"),
    THREADS,
    RUN,
    file("--output", "errors of every image by name (.npz)"),
)
def main(args: Arguments) -> None:
    if args.sigmas != sorted(set(args.sigmas)) or not args.sigmas[0] > 0:
        raise WrongUsage("--sigmas must be above 0 and rise")
    split, subset = read_split(args.split), read_subset(args.subset)
    check_writable(args.output)
    with computing(args.threads, exact=True) as device:
        from depthbias.measures.denoising_errors import write_denoising_errors

        write_denoising_errors(args.output, measure(args, split, subset, device))
