"""Mark images of a model at several noise levels, and see whether the mark is found again."""

from typing import Any

from depthbias.estimates.tidy import write_rows
from depthbias.system.arguments import (
    IMAGES,
    MODEL,
    TABLE,
    THREADS,
    Arguments,
    file,
    flag,
    natural,
    positive,
    script,
)
from depthbias.system.errors import finite
from depthbias.system.files import check_writable
from depthbias.system.gpu_lease import computing
from depthbias.system.progress import Progress


@script(
    *MODEL,
    IMAGES,
    file("--subset", "the rows it was trained on (.json)"),
    flag("--bands", "of frequencies that are marked, like: low high", nargs="+"),
    flag("--radius", "of a band, frequencies", float),
    flag("--sigmas", "noise levels at which images are marked, rising", float, nargs="+"),
    flag("--attacks", "what images go through, like: none jpeg", nargs="+"),
    flag("--count", "images, marked and unmarked", positive),
    flag("--steps", "of DDIM, and of its inversion", positive),
    flag("--noise-seed", "of the noise that images start from", natural),
    flag("--key-seed", "draws the keys", natural),
    flag("--batch-size", kind=positive),
    THREADS,
    TABLE,
)
def main(args: Arguments) -> None:
    check_writable(args.output)
    with computing(args.threads, exact=True) as device:
        from depthbias.diffusion.gaussian_denoiser import GaussianDenoiser
        from depthbias.diffusion.loading import load_denoiser, load_training_images
        from depthbias.estimates.runs import Run, read_run
        from depthbias.theory.watermark_names import GAUSSIAN
        from depthbias.theory.watermark_rows import (
            Carrier,
            GaussianCarrier,
            Plan,
            SampledCarrier,
            direction_rows,
            directions_of,
            watermark_rows,
        )

        denoiser, meta = load_denoiser(args.model, args.meta, device)
        images = load_training_images(args.images, args.subset, meta, device)
        gaussian = GaussianDenoiser.fit(images.cpu())
        run = read_run(args.meta, meta["run"])._replace(sampler=f"ddim-{args.steps}")
        model = SampledCarrier(denoiser, meta["objective"], args.steps, args.batch_size, device)
        carriers: dict[Run, Carrier] = {
            run: model,
            run._replace(architecture=GAUSSIAN, sampler=""): GaussianCarrier(gaussian),
        }
        plan = Plan(
            args.bands,
            args.radius,
            args.sigmas,
            args.attacks,
            args.count,
            args.noise_seed,
            args.key_seed,
        )
        directions = directions_of(gaussian)
        rows: list[dict[str, Any]] = []
        shape = tuple(images.shape[1:])
        with Progress(len(carriers), "watermark", "denoisers") as progress:
            for done, (about, carrier) in enumerate(carriers.items(), 1):
                with finite(args.model):
                    rows += watermark_rows(carrier, about, shape, plan)
                    rows += direction_rows(carrier, about, directions, shape, plan)
                progress.update(done)
    write_rows(args.output, rows)
