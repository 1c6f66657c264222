"""Send held-out and training images through noise and back by one model, and classify them."""

from typing import TYPE_CHECKING

from depthbias.data.splits import read_split
from depthbias.data.subsets import read_subset
from depthbias.diffusion.sampler_names import deterministic
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
)
from depthbias.system.errors import finite, reading
from depthbias.system.files import check_writable
from depthbias.system.gpu_lease import computing
from depthbias.system.progress import Progress

if TYPE_CHECKING:
    import numpy as np
    import torch

    from depthbias.measures.round_trips import Travellers


def decoded_classes(
    args: Arguments, method: str, steps: int, travellers: "Travellers", device: "torch.device"
) -> "np.ndarray":
    """int8 [levels, noises, images]."""
    import numpy as np

    from depthbias.diffusion.loading import load_denoiser
    from depthbias.diffusion.schedules import levels_from
    from depthbias.measures.round_trips import decoded, noise_of_trips
    from depthbias.vision.classifier import classify, load_classifier

    denoiser, meta = load_denoiser(args.model, args.meta, device, clip=True)
    classifier, _ = load_classifier(args.classifier, args.classifier_meta)
    images = travellers.images
    noise = noise_of_trips(
        travellers.rows, args.noises, images.shape[1:], args.noise_seed, args.run.seed
    )
    found = []
    with Progress(len(args.levels), f"flips of {meta['architecture']}", "noise levels") as progress:
        for level in args.levels:
            with reading(args.meta, f"cannot start from level {level:g}", "raise flips.levels"):
                sigmas = levels_from(level, meta["objective"], steps)
            batches = decoded(denoiser, method, images, noise, sigmas, args.batch_size)
            classes = [classify(classifier, batch).argmax(axis=1) for batch in batches]
            found.append(np.concatenate(classes).reshape(noise.shape[:2]))
            progress.update(len(found))
    return np.stack(found).astype(np.int8)


@script(
    *MODEL,
    file("--classifier", "weights of the classifier (.safetensors)"),
    file("--classifier-meta", "its description (.json)"),
    IMAGES,
    file("--split", "rows that are held out (.json)"),
    file("--subset", "the rows it was trained on (.json)"),
    file("--first-subset", "those of the first seed of its ratio (.json)"),
    flag("--levels", "noise levels, above 0, rising", float, nargs="+"),
    flag("--count", "held-out images, and as many training images, at most", positive),
    flag("--noises", "of every image at every level, 2 or more", positive),
    flag("--sampler", "method-steps, deterministic, like: dpmpp-8"),
    flag("--noise-seed", "of the noises", natural),
    flag("--batch-size", kind=positive),
    THREADS,
    RUN,
    file("--output", "classes of the decoded images (.npz)"),
)
def main(args: Arguments) -> None:
    method, steps = deterministic(args.sampler, like="dpmpp-8")
    if args.levels != sorted(set(args.levels)) or not args.levels[0] > 0:
        raise WrongUsage("--levels must be above 0 and rise")
    split, subset, first = (
        read_split(args.split),
        *map(read_subset, (args.subset, args.first_subset)),
    )
    check_writable(args.output)
    with computing(args.threads, exact=True) as device:
        import numpy as np

        from depthbias.measures.round_trips import choose_travellers
        from depthbias.measures.trip_classes import TripClasses, write_trip_classes

        count = args.count
        travellers = choose_travellers(args.images, split, subset, first, count, device)
        with finite(args.model):
            classes = decoded_classes(args, method, steps, travellers, device)
    parts = travellers._asdict()
    del parts["images"]
    trips = TripClasses(
        run=args.run,
        decoded=classes,
        levels=np.array(args.levels),
        noise_seed=args.noise_seed,
        classes=subset.classes,
        proportions=subset.proportions,
        **parts,
    )
    write_trip_classes(args.output, trips)
