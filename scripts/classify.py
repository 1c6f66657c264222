"""Classify the samples of one run. On the CPU: 10,000 images take seconds to half a minute."""

import argparse
from pathlib import Path

import numpy as np

from depthbias.system.errors import UserError, command
from depthbias.system.files import read_npz, write_npz


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--samples", type=Path, required=True, help="generated images (.npz)")
    add("--model", type=Path, required=True, help="weights of the classifier (.safetensors)")
    add("--meta", type=Path, required=True, help="their description (.json)")
    add("--threads", type=int, default=1, help="CPU threads")
    add("--output", type=Path, required=True, help="class probabilities to write (.npz)")
    return parser.parse_args()


def main() -> None:
    args = parse()
    names = ("images", "indices", "noise_seed", "run")
    images, indices, noise_seed, run_of_samples = read_npz(args.samples, *names)

    import torch

    from depthbias.vision.classifier import classify, load_classifier

    torch.set_num_threads(args.threads)
    model, meta = load_classifier(args.model, args.meta)
    wanted = (meta["size"], meta["size"], meta["channels"])
    if images.shape[1:] != wanted:
        raise UserError(
            f"{args.samples}: images of {images.shape[1:]}, the classifier is for {wanted}: "
            "train it on this study's images"
        )
    write_npz(
        args.output,
        {
            "probabilities": classify(model, images),
            "classes": np.array(meta["classes"], dtype=np.str_),
            "indices": indices,
            "noise_seed": noise_seed,
            "run": run_of_samples,
        },
    )


if __name__ == "__main__":
    command(main)
