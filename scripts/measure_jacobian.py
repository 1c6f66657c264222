"""Measure the Jacobian of one denoiser along its own trajectories: rank and local linearity."""

from depthbias.estimates.runs import RUN
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
from depthbias.system.files import check_writable
from depthbias.system.gpu_lease import computing
from depthbias.system.progress import Progress


@script(
    *MODEL,
    IMAGES,
    file("--subset", "the rows it was trained on (.json)"),
    flag("--sigmas", "noise levels, rising, at most 80", float, nargs="+"),
    flag("--trajectories", "noises that they start from", positive),
    flag("--strengths", "lengths of steps, percent of the noise's", positive, nargs="+"),
    flag("--noise-seed", "of the noise that trajectories start from", natural),
    flag("--seed", "of directions and probes", natural),
    flag("--batch-size", kind=positive),
    THREADS,
    RUN,
    file("--output", "measurements by name, [levels, n] each (.npz)"),
)
def main(args: Arguments) -> None:
    check_writable(args.output)
    with computing(args.threads, exact=True) as device:
        import numpy as np

        from depthbias.diffusion.gaussian_denoiser import GaussianDenoiser
        from depthbias.diffusion.loading import load_denoiser, load_training_images
        from depthbias.diffusion.noise import initial_noise
        from depthbias.measures.structure_files import Structure, write_structure
        from depthbias.theory.local_linearity import Settings, measure
        from depthbias.theory.trajectory_states import states_at

        denoiser, meta = load_denoiser(args.model, args.meta, device)
        sampled = denoiser.clipped()
        images = load_training_images(args.images, args.subset, meta, device)
        noise = initial_noise(args.noise_seed, range(args.trajectories), images.shape[1:])
        states = states_at(sampled, noise.to(images), args.sigmas)
        gaussian = GaussianDenoiser.fit(images)
        settings = Settings(args.strengths, args.seed, args.batch_size)
        title = f"Jacobians of {meta['architecture']}"
        with Progress(len(args.sigmas), title, "noise levels") as progress:
            found = measure(denoiser, states, args.sigmas, gaussian, settings, progress.update)
    write_structure(args.output, Structure(args.run, np.array(args.sigmas), found))
