"""Measure how linear and how Gaussian one trained denoiser is, over the noise levels of EDM."""

import argparse
import json
import sys
from pathlib import Path

from depthbias.devices import lease
from depthbias.errors import run
from depthbias.files import write_npz
from depthbias.progress import Progress


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
    add("--levels", type=positive, required=True, help="noise levels, from 80 down to 0.002")
    add("--pairs", type=positive, required=True, help="image pairs of the linearity score")
    add("--noisy-images", type=positive, required=True, help="of the score errors")
    add("--samples", type=positive, required=True, help="noisy images a linear map is fitted to")
    add("--seed", type=int, required=True, help="of images and noise, 0 or more")
    add("--batch-size", type=positive, required=True)
    add("--threads", type=positive, default=1, help="CPU threads")
    add("--run", type=json.loads, required=True, help='JSON {"study", "ratio", "unet", "seed"}')
    add("--output", type=Path, required=True, help="measurements by name, [levels, n] each (.npz)")
    args = parser.parse_args()
    if args.seed < 0:
        parser.error("--seed must be 0 or more")
    return args


def main() -> None:
    args = parse()
    with lease() as leased:
        import numpy as np
        import torch

        from depthbias.sampling import edm_sigmas
        from depthbias.structure import Effort, measure
        from depthbias.trained import load_denoiser, load_training_images, measuring_device

        print(leased, file=sys.stderr, flush=True)
        torch.set_num_threads(args.threads)
        device = measuring_device()
        denoiser, meta = load_denoiser(args.model, args.meta, device)
        images = load_training_images(args.images, args.subset, meta, device)
        sigmas = edm_sigmas(args.levels).tolist()
        effort = Effort(
            args.pairs, args.noisy_images, args.samples, seed=args.seed, batch_size=args.batch_size
        )
        with Progress(args.levels, f"structure of {meta['unet']}", "noise levels") as progress:
            values = measure(denoiser, images, sigmas, effort, progress.update)
    arrays = {
        "sigmas": np.array(sigmas),
        "names": np.array(list(values)),
        "run": json.dumps(args.run),
    }
    write_npz(args.output, arrays | values)


if __name__ == "__main__":
    run(main)
