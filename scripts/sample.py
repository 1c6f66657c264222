"""Sample images from a trained model; they start from the same noises, whatever the model."""

import argparse
import sys
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from depthbias.diffusion.sampler_names import SAMPLERS
from depthbias.estimates.runs import as_json, keys_of, read_run
from depthbias.system.errors import UserError, command
from depthbias.system.files import check_writable, write_json, write_npz
from depthbias.system.gpu_lease import lease
from depthbias.system.progress import Progress

if TYPE_CHECKING:
    import numpy as np
    import torch


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
    add("--sampler", choices=SAMPLERS, required=True)
    add(
        "--steps", type=positive, required=True, help="noise levels; heun needs two passes for each"
    )
    add("--count", type=positive, required=True, help="images of each noise seed")
    add("--noise-seeds", type=int, nargs="+", required=True, help="0 or more, each once")
    add("--batch-size", type=positive, required=True)
    add("--threads", type=positive, default=1, help="CPU threads")
    add("--run", required=True, help='what this is, copied into the output: JSON {"study": ...}')
    add("--output", type=Path, required=True, help="images, noise, run (.npz)")
    add("--usage", type=Path, required=True, help="what it took, to write (.json)")
    args = parser.parse_args()
    if min(args.noise_seeds) < 0 or len(set(args.noise_seeds)) < len(args.noise_seeds):
        parser.error("--noise-seeds must be 0 or more, each once")
    args.run = read_run("--run", args.run)
    return args


def draw(
    args: argparse.Namespace, model: Any, meta: dict[str, Any], device: "torch.device"
) -> "np.ndarray":
    """uint8 [len(noise_seeds) * count, S, S, C]."""
    import numpy as np

    from depthbias.diffusion.samplers import sample
    from depthbias.diffusion.schedules import noise_levels
    from depthbias.diffusion.unet_denoiser import UNetDenoiser
    from depthbias.system.compute import fast_layout

    size = meta["size"]
    model.to(device=device, memory_format=fast_layout(size, device))
    try:
        denoiser = UNetDenoiser(model, meta["objective"], meta["sigma_data"], clip=True)
        sigmas = noise_levels(meta["objective"], args.steps)
    except (KeyError, ValueError) as error:
        raise UserError(
            f"{args.meta}: cannot be sampled with --steps {args.steps}: {error}"
        ) from error
    total = len(args.noise_seeds) * args.count
    images = np.empty((total, size, size, meta["channels"]), dtype=np.uint8)
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
                shape=(meta["channels"], size, size),
                device=device,
                progress=advance,
            )
    return images


def main() -> None:
    args = parse()
    check_writable(args.output, args.usage)
    with lease() as leased:
        import numpy as np
        import torch

        from depthbias.diffusion.checkpoints import load_model
        from depthbias.measures.samples import noise_of
        from depthbias.system.compute import choose_device, matmul_precision
        from depthbias.system.usage import Meter

        print(leased, file=sys.stderr, flush=True)
        torch.set_num_threads(args.threads)
        device = choose_device()
        meter = Meter(device)
        model, meta = load_model(args.model, args.meta)
        try:
            images = draw(args, model, meta, device)
        except FloatingPointError as error:
            raise UserError(f"{args.model}: {error}: train the model again") from error
        record = meter.record(matmul_precision(device))
    samples: dict[str, np.ndarray | str] = {
        "images": images,
        "noise": noise_of(args.noise_seeds, args.count),
        "run": as_json(args.run),
    }
    write_npz(args.output, samples)
    write_json(args.usage, {"run": keys_of(args.run), **record})


if __name__ == "__main__":
    command(main)
