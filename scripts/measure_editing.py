"""Edit a region of the images of one model along directions of its Jacobian, and at random."""

from itertools import pairwise
from typing import TYPE_CHECKING

from depthbias.diffusion.sampler_names import deterministic
from depthbias.estimates.runs import RUN
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
from depthbias.system.errors import reading
from depthbias.system.files import check_writable
from depthbias.system.gpu_lease import computing
from depthbias.system.progress import Progress

if TYPE_CHECKING:
    from torch import Tensor

    from depthbias.diffusion.network_denoiser import NetworkDenoiser
    from depthbias.theory.editing import Carry


def carrier(args: Arguments, method: str, steps: int, denoiser: "NetworkDenoiser") -> "Carry":
    """The sampler from a level down to the image."""
    from depthbias.diffusion.samplers import SAMPLERS as methods
    from depthbias.diffusion.schedules import levels_from

    def carry(x: "Tensor", sigma: float) -> "Tensor":
        with reading(args.meta, f"cannot edit at level {sigma:g}", "raise editing.levels"):
            levels = levels_from(sigma, denoiser.objective, steps)
        *_, image = methods[method](denoiser, x, levels)
        return image

    return carry


@script(
    *MODEL,
    flag("--levels", "noise levels of the edits, rising, at most 80", float, nargs="+"),
    flag("--images", "to edit", positive),
    flag("--rows", "of the region: from, up to", natural, nargs=2),
    flag("--columns", "of the region: from, up to", natural, nargs=2),
    flag("--kept", "directions that act outside, projected off", natural),
    flag("--strengths", "lengths of steps, percent of the noise's, rising", positive, nargs="+"),
    flag("--sampler", "method-steps, deterministic, like: dpmpp-12"),
    flag("--noise-seed", "of the noise that images start from", natural),
    flag("--seed", "of random directions", natural),
    flag("--batch-size", kind=positive),
    THREADS,
    RUN,
    file("--output", "measurements by name, [levels, n] each, and pictures (.npz)"),
)
def main(args: Arguments) -> None:
    method, steps = deterministic(args.sampler, like="dpmpp-12")
    if any(after <= before for before, after in pairwise(args.strengths)):
        raise WrongUsage("--strengths must rise")
    check_writable(args.output)
    with computing(args.threads, exact=True) as device:
        import numpy as np

        from depthbias.diffusion.checkpoints import image_shape
        from depthbias.diffusion.loading import load_denoiser
        from depthbias.diffusion.noise import initial_noise
        from depthbias.measures.structure_files import Structure, write_structure
        from depthbias.theory.edit_directions import region_mask
        from depthbias.theory.editing import SHOWN, Settings, measure
        from depthbias.theory.trajectory_states import states_at

        denoiser, meta = load_denoiser(args.model, args.meta, device)
        sampled = denoiser.clipped()
        shape = image_shape(meta)
        mask = region_mask(args.rows, args.columns, shape)
        settings = Settings(mask, args.kept, args.strengths, args.seed, args.batch_size)
        noise = initial_noise(args.noise_seed, range(args.images), shape).to(device)
        states = states_at(sampled, noise, args.levels)
        carry = carrier(args, method, steps, sampled)
        with Progress(len(args.levels), f"edits of {meta['architecture']}", "levels") as progress:
            found = measure(denoiser, carry, states, args.levels, settings, progress.update)
    write_structure(
        args.output,
        Structure(args.run, np.array(args.levels), found.values),
        pictures=found.pictures,
        shown=np.array(SHOWN),
        region=np.array([args.rows, args.columns]),
        strength=np.array(args.strengths[-1]),
    )
