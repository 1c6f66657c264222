"""Sample images from a trained model; they start from the same noises, whatever the model."""

from itertools import product
from typing import TYPE_CHECKING, Any

from depthbias.diffusion.sampler_names import SAMPLERS
from depthbias.estimates.runs import RUN, as_json, keys_of
from depthbias.system.arguments import (
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
from depthbias.system.files import check_writable, write_json, write_npz
from depthbias.system.gpu_lease import computing
from depthbias.system.progress import Progress

if TYPE_CHECKING:
    import numpy as np
    import torch

    from depthbias.diffusion.denoiser import Denoiser


def draw(
    args: Arguments, denoiser: "Denoiser", meta: dict[str, Any], device: "torch.device"
) -> "np.ndarray":
    """uint8 [len(noise_seeds) * count, S, S, C]."""
    import numpy as np

    from depthbias.diffusion.checkpoints import image_shape
    from depthbias.diffusion.samplers import sample
    from depthbias.diffusion.schedules import noise_levels

    with reading(args.meta, f"cannot be sampled with --steps {args.steps}", "give fewer"):
        sigmas = noise_levels(meta["objective"], args.steps, meta.get("bars"))
    shape = image_shape(meta)
    total = len(args.noise_seeds) * args.count
    images = np.empty((total, *shape[1:], shape[0]), dtype=np.uint8)
    with Progress(
        total, f"sampling {meta['architecture']}, {args.sampler}-{args.steps}"
    ) as progress:
        batches = range(0, args.count, args.batch_size)
        for (place, noise_seed), first in product(enumerate(args.noise_seeds), batches):
            indices = range(first, min(first + args.batch_size, args.count))
            start = place * args.count + first
            part = slice(start, start + len(indices))

            def advance(share: float, of: slice = part) -> None:
                progress.update(of.start + round(share * (of.stop - of.start)))

            images[part] = sample(
                denoiser,
                args.sampler,
                sigmas,
                noise_seed=noise_seed,
                indices=indices,
                shape=shape,
                device=device,
                progress=advance,
            )
    return images


@script(
    *MODEL,
    flag("--sampler", choices=SAMPLERS),
    flag("--steps", "noise levels; heun needs two passes for each", positive),
    flag("--count", "images of each noise seed", positive),
    flag("--noise-seeds", "each once", natural, nargs="+"),
    flag("--batch-size", kind=positive),
    THREADS,
    RUN,
    file("--output", "images, noise, run (.npz)"),
    file("--usage", "what it took, to write (.json)"),
)
def main(args: Arguments) -> None:
    if len(set(args.noise_seeds)) < len(args.noise_seeds):
        raise WrongUsage("--noise-seeds: give each once")
    check_writable(args.output, args.usage)
    with computing(args.threads) as device:
        import numpy as np

        from depthbias.diffusion.loading import load_denoiser
        from depthbias.measures.samples import noise_of
        from depthbias.system.compute import matmul_precision
        from depthbias.system.usage import Meter

        meter = Meter(device)
        denoiser, meta = load_denoiser(args.model, args.meta, device, clip=True)
        with finite(args.model):
            images = draw(args, denoiser, meta, device)
        record = meter.record(matmul_precision(device))
    samples: dict[str, np.ndarray | str] = {
        "images": images,
        "noise": noise_of(args.noise_seeds, args.count),
        "run": as_json(args.run),
    }
    write_npz(args.output, samples)
    write_json(args.usage, {"run": keys_of(args.run), **record})
