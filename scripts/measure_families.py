"""Train models of several families on disjoint training sets of one seed, and sample one noise."""

from depthbias.data.splits import read_split
from depthbias.estimates.runs import RUN
from depthbias.system.arguments import (
    IMAGES,
    THREADS,
    Arguments,
    file,
    flag,
    mapping,
    natural,
    positive,
    script,
)
from depthbias.system.errors import finite
from depthbias.system.files import check_writable, map_npz
from depthbias.system.gpu_lease import computing
from depthbias.system.progress import Progress


@script(
    IMAGES,
    file("--split", "rows that are held out (.json)"),
    flag("--families", "like: unet-edm consistency", nargs="+"),
    flag("--sizes", "training images, rising", positive, nargs="+"),
    flag("--widths", "factors on the channels of the U-Net", float, nargs="+"),
    flag("--width", "of the networks that are compared", float),
    flag("--training", "options of a training, JSON", mapping),
    flag("--overrides", "of the training of single families, JSON", mapping, default={}),
    flag("--sampler", "method-steps, like: dpmpp-20"),
    flag("--count", "images of a model", positive),
    flag("--noise-seed", "of the noise they start from", natural),
    flag("--batch-size", kind=positive),
    RUN,
    THREADS,
    file("--output", "images of all models to write (.npz)"),
)
def main(args: Arguments) -> None:
    check_writable(args.output)
    with computing(args.threads) as device:
        import numpy as np

        from depthbias.theory.families import Plan, disjoint_rows, images_of, members
        from depthbias.theory.family_files import Made, write_made
        from depthbias.theory.family_names import HALVES
        from depthbias.theory.recipe import recipe

        run, split = args.run, read_split(args.split)
        options = recipe(args.training, run, args.width)
        method, _, steps = args.sampler.partition("-")
        plan = Plan(
            options,
            args.overrides,
            method,
            int(steps),
            args.count,
            args.noise_seed,
            args.batch_size,
            device,
        )
        rows, labels = split.rows("pool")
        parts = disjoint_rows(rows, labels, max(args.sizes), options.seed)
        halves = dict(zip(HALVES, parts, strict=True))
        images = map_npz(args.images, "images")
        all_members = members(args.families, args.widths, args.sizes, args.width)
        with Progress(len(all_members), f"families, seed {run.seed}", "models") as progress:
            trained = {half: images[own] for half, own in halves.items()}
            with finite(args.output):
                made = [*images_of(all_members, trained, plan, progress.update)]
        write_made(
            args.output,
            Made(run, all_members, np.stack(made), halves, args.width),
        )
