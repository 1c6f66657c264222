"""Train one network for all noise levels, one for each stage, and one with a decoder a stage."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from depthbias.data.splits import read_split
from depthbias.data.subsets import read_subset
from depthbias.estimates.runs import RUN
from depthbias.system.arguments import (
    IMAGES,
    THREADS,
    Arguments,
    WrongUsage,
    file,
    flag,
    mapping,
    natural,
    positive,
    script,
)
from depthbias.system.files import check_writable
from depthbias.system.gpu_lease import computing
from depthbias.system.progress import Progress
from depthbias.theory.stage_names import KINDS

if TYPE_CHECKING:
    import torch


def measure(args: Arguments, device: "torch.device") -> dict[str, dict[str, Any]]:
    """{kind: {name: values [levels, n]}}."""
    import torch

    from depthbias.measures.chosen_images import choose_heldout
    from depthbias.theory.recipe import recipe
    from depthbias.theory.stage_study import StageStudy

    images = torch.from_numpy(read_subset(args.subset).images(args.images))
    if len(args.widths) != args.stages:
        raise WrongUsage(f"--widths: {len(args.widths)} for {args.stages} stages: give one each")
    heldout = choose_heldout(args.images, read_split(args.split), args.heldout_images, device)
    options = recipe(args.training, args.run, args.width)
    study = StageStudy(options, images, heldout, args.sigmas, args.noise_seed, device)
    with Progress(len(KINDS), f"stages, seed {args.run.seed}", "networks") as progress:
        unified = study.unified()
        progress.update(1)
        ends = study.ends(args.stages)
        separate = study.separate(ends)
        progress.update(2)
        ranks = study.ranks(unified)
        multi_stage = study.multi_stage(ends, args.widths, ranks)
        progress.update(3)
    networks = dict(zip(KINDS, (unified, separate, multi_stage), strict=True))
    return study.compared(networks, ranks)


def write(
    run: Any, sigmas: list[float], found: dict[str, dict[str, Any]], paths: list[Path]
) -> None:
    import numpy as np

    from depthbias.measures.structure_files import Structure, write_structure

    for path, (kind, values) in zip(paths, found.items(), strict=True):
        own = run._replace(architecture=kind)
        write_structure(path, Structure(own, np.array(sigmas), values))


@script(
    IMAGES,
    file("--subset", "the rows to train on (.json)"),
    file("--split", "rows that are held out (.json)"),
    flag("--stages", "into which levels are parted", positive),
    flag("--sigmas", "noise levels, rising", float, nargs="+"),
    flag("--widths", "of the decoders, one a stage", float, nargs="+"),
    flag("--width", "of all other networks", float),
    flag("--training", "options of a training, JSON", mapping),
    flag("--heldout-images", "whose loss is measured", positive),
    flag("--noise-seed", "of their noise", natural),
    RUN,
    THREADS,
    file("--output", f"measurements of {', '.join(KINDS)}, to write (.npz)", nargs=len(KINDS)),
)
def main(args: Arguments) -> None:
    check_writable(*args.output)
    with computing(args.threads, exact=True) as device:
        found = measure(args, device)
        write(args.run, args.sigmas, found, args.output)
