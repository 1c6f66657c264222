"""Measure how linear and how Gaussian one trained denoiser is, over the noise levels of EDM.

Then sample it, its linear map, the Gaussian and the multi-delta from the same noise.
"""

import sys
from typing import TYPE_CHECKING

from depthbias.estimates.runs import RUN, as_json
from depthbias.system.arguments import (
    IMAGES,
    MODEL,
    THREADS,
    Arguments,
    file,
    flag,
    natural,
    positive,
    script,
)
from depthbias.system.files import check_writable, write_npz
from depthbias.system.gpu_lease import computing
from depthbias.system.progress import Progress

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from depthbias.diffusion.network_denoiser import NetworkDenoiser
    from depthbias.measures.structure import Measurements


def sample(
    args: Arguments,
    denoiser: "NetworkDenoiser",
    compared: "Measurements",
    images: "Tensor",
) -> "dict[str, np.ndarray]":
    """The trajectories of the four denoisers as arrays, first axis the denoiser."""
    import numpy as np

    from depthbias.data.pixels import to_uint8
    from depthbias.diffusion.denoiser import Denoiser
    from depthbias.diffusion.noise import initial_noise
    from depthbias.diffusion.trajectories import follow
    from depthbias.measures.samples import noise_of

    if compared.gaussian.note:
        print(compared.gaussian.note, file=sys.stderr, flush=True)
    denoisers: dict[str, Denoiser] = {
        # Clipped as in sample.py; the linear map is that of the denoiser itself.
        "architecture": denoiser.clipped(),
        "linear": compared.linear,
        "gaussian": compared.gaussian,
        "delta": compared.delta,
    }
    noise = initial_noise(args.noise_seed, range(args.count), images.shape[1:]).to(images)
    paths = follow(denoisers, noise, list(compared.linear.maps)).values()
    return {
        "names": np.array(list(denoisers)),
        "states": np.stack([path.states.movedim(2, -1).cpu().numpy() for path in paths]),
        "denoised": np.stack(
            [np.stack([to_uint8(x).cpu().numpy() for x in path.denoised]) for path in paths]
        ),
        "images": np.stack([to_uint8(path.states[-1]).cpu().numpy() for path in paths]),
        "noise": noise_of([args.noise_seed], args.count),
    }


@script(
    *MODEL,
    IMAGES,
    file("--subset", "the rows it was trained on (.json)"),
    flag("--levels", "noise levels, from 80 down to 0.002", positive),
    flag("--pairs", "image pairs of the linearity score", positive),
    flag("--noisy-images", "of the score errors", positive),
    flag("--samples", "noisy images a linear map is fitted to", positive),
    flag("--seed", "of images and noise", natural),
    flag("--count", "images to sample, by Heun's method", positive),
    flag("--noise-seed", "of the noise they start from", natural),
    flag("--batch-size", kind=positive),
    THREADS,
    RUN,
    file("--output", "measurements by name, [levels, n] each (.npz)"),
    file("--trajectories", "states, denoised, images of each (.npz)"),
)
def main(args: Arguments) -> None:
    check_writable(args.output, args.trajectories)
    with computing(args.threads, exact=True) as device:
        import numpy as np

        from depthbias.diffusion.loading import load_denoiser, load_training_images
        from depthbias.diffusion.schedules import edm_sigmas
        from depthbias.measures.structure import Effort, measure
        from depthbias.measures.structure_files import Structure, write_structure

        denoiser, meta = load_denoiser(args.model, args.meta, device)
        images = load_training_images(args.images, args.subset, meta, device)
        sigmas = edm_sigmas(args.levels).tolist()
        effort = Effort(
            args.pairs, args.noisy_images, args.samples, seed=args.seed, batch_size=args.batch_size
        )
        with Progress(
            args.levels, f"structure of {meta['architecture']}", "noise levels"
        ) as progress:
            compared = measure(denoiser, images, sigmas, effort, progress.update)
        trajectories = sample(args, denoiser, compared, images)
    write_structure(args.output, Structure(args.run, np.array(sigmas), compared.by_name))
    about: dict[str, np.ndarray | str] = {"sigmas": np.array(sigmas), "run": as_json(args.run)}
    write_npz(args.trajectories, about | trajectories)
