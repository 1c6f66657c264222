"""Sample a trained model, its linear map, the Gaussian and the multi-delta from the same noise."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from depthbias.devices import lease
from depthbias.errors import run
from depthbias.files import write_npz

if TYPE_CHECKING:
    from depthbias.trajectories import Trajectory


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not 1 or more")
    return value


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--model", type=Path, required=True, help="weights (.safetensors)")
    add("--meta", type=Path, required=True, help="their description (.json)")
    add("--images", type=Path, required=True, help="prepared images (.npz)")
    add("--subset", type=Path, required=True, help="the rows it was trained on (.json)")
    add(
        "--levels", type=positive, required=True, help="noise levels of Heun's method, from 80 down"
    )
    add("--samples", type=positive, required=True, help="noisy images a linear map is fitted to")
    add("--seed", type=int, required=True, help="of those images and their noise, 0 or more")
    add("--count", type=positive, required=True, help="images to sample")
    add("--noise-seed", type=int, required=True, help="of the noise they start from, 0 or more")
    add("--batch-size", type=positive, required=True)
    add("--threads", type=positive, default=1, help="CPU threads")
    add("--run", type=json.loads, required=True, help='JSON {"study", "ratio", "unet", "seed"}')
    add("--output", type=Path, required=True, help="states, denoised, images of each (.npz)")
    args = parser.parse_args()
    if min(args.seed, args.noise_seed) < 0:
        parser.error("--seed and --noise-seed must be 0 or more")
    return args


def sample(args: argparse.Namespace) -> "dict[str, Trajectory]":
    """The trajectories of all four denoisers."""
    from depthbias.delta import DeltaDenoiser
    from depthbias.gaussian import GaussianDenoiser
    from depthbias.linear import LinearDenoiser
    from depthbias.sampling import edm_sigmas, initial_noise
    from depthbias.trained import load_denoiser, load_training_images, measuring_device
    from depthbias.trajectories import follow
    from depthbias.unet_denoiser import UNetDenoiser

    device = measuring_device()
    denoiser, meta = load_denoiser(args.model, args.meta, device)
    images = load_training_images(args.images, args.subset, meta, device)
    sigmas = edm_sigmas(args.levels).tolist()
    chosen = {"samples": args.samples, "seed": args.seed, "batch_size": args.batch_size}
    denoisers = {
        # Clipped as in sample.py; the linear map is that of the denoiser itself.
        "unet": UNetDenoiser(denoiser.model, meta["objective"], meta["sigma_data"], clip=True),
        "linear": LinearDenoiser.distill(denoiser, images, sigmas, **chosen),
        "gaussian": GaussianDenoiser.fit(images),
        "delta": DeltaDenoiser(images),
    }
    noise = initial_noise(args.noise_seed, range(args.count), images.shape[1:]).to(device)
    return follow(denoisers, noise, sigmas)


def main() -> None:
    args = parse()
    with lease() as leased:
        import numpy as np
        import torch

        from depthbias.images import to_uint8
        from depthbias.sampling import edm_sigmas

        print(leased, file=sys.stderr, flush=True)
        torch.set_num_threads(args.threads)
        paths = sample(args).items()
        arrays = {
            "names": np.array([name for name, _ in paths]),
            "states": np.stack([path.states.movedim(2, -1).cpu().numpy() for _, path in paths]),
            "denoised": np.stack(
                [np.stack([to_uint8(x).cpu().numpy() for x in path.denoised]) for _, path in paths]
            ),
            "images": np.stack([to_uint8(path.states[-1]).cpu().numpy() for _, path in paths]),
            "sigmas": edm_sigmas(args.levels).numpy(),
        }
    arrays |= {"indices": np.arange(args.count), "noise_seed": np.int64(args.noise_seed)}
    write_npz(args.output, arrays | {"run": json.dumps(args.run)})


if __name__ == "__main__":
    run(main)
