"""Train one network for all noise levels, one for each stage, and one with a decoder a stage."""

from dataclasses import fields
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
from depthbias.system.errors import reading
from depthbias.system.files import check_writable
from depthbias.system.gpu_lease import computing
from depthbias.system.progress import Progress
from depthbias.theory.stage_names import KINDS

if TYPE_CHECKING:
    import torch

    from depthbias.diffusion.trainer import TrainingOptions


def recipe(args: Arguments) -> "TrainingOptions":
    """How every network is trained."""
    from depthbias.diffusion.trainer import TrainingOptions

    own = {"architecture": args.run.architecture, "width": args.width, "seed": int(args.run.seed)}
    chosen = args.training | own | {"snapshots": [], "objective": "edm"}
    with reading("--training", "not the options of a training", "give all of them"):
        return TrainingOptions(**{f.name: chosen[f.name] for f in fields(TrainingOptions)})


def measure(args: Arguments, device: "torch.device") -> dict[str, dict[str, Any]]:
    """{kind: {name: values [levels, n]}}."""
    import torch

    from depthbias.measures.chosen_images import choose_heldout
    from depthbias.theory.stage_study import StageStudy

    images = torch.from_numpy(read_subset(args.subset).images(args.images))
    if len(args.widths) != args.stages:
        raise WrongUsage(f"--widths: {len(args.widths)} for {args.stages} stages: give one each")
    heldout = choose_heldout(args.images, read_split(args.split), args.heldout_images, device)
    study = StageStudy(recipe(args), images, heldout, args.sigmas, args.noise_seed, device)
    with Progress(len(KINDS), f"stages, seed {args.run.seed}", "networks") as progress:
        unified = study.unified()
        progress.update(1)
        ends = study.ends(args.stages)
        separate = study.separate(ends)
        progress.update(2)
        multi_stage = study.multi_stage(ends, args.widths, unified)
        progress.update(3)
    return study.compared(dict(zip(KINDS, (unified, separate, multi_stage), strict=True)))


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
