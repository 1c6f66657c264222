"""Prepare a data set: images cropped and resized, attributes, names and source, in one .npz."""

from pathlib import Path

from depthbias.data.dataset import write_data_set
from depthbias.data.registry import DATA_SETS, folders_of, key_problem, load_data_set
from depthbias.system.arguments import Arguments, WrongUsage, file, flag, positive, script, switch
from depthbias.system.progress import Progress


@script(
    flag("--dataset", choices=DATA_SETS),
    flag("--size", "side in pixels", positive),
    flag("--channels", "1 grey, 3 RGB", int, choices=[1, 3]),
    flag("--raw", "folder of the files as downloaded", default=""),
    flag("--labels", "label table (CSV: file, label) of a folder", default=""),
    flag("--on-conflict", "an image with two labels", choices=["stop", "drop"], default="stop"),
    switch("--by-person", "tell who is in each image"),
    flag("--workers", "processes that decode images", positive, default=1),
    file("--output", "prepared images to write (.npz)"),
)
def main(args: Arguments) -> None:
    if problem := key_problem(args.dataset, args.raw, args.labels, args.by_person):
        raise WrongUsage(f"--{problem}")
    data = load_data_set(
        args.dataset,
        folders_of(args.dataset, args.raw),
        Path(args.labels) if args.labels else None,
        size=args.size,
        channels=args.channels,
        workers=args.workers,
        by_person=args.by_person,
        on_conflict=args.on_conflict,
    )
    with Progress(len(data.source), f"prepare {args.dataset}") as progress:
        write_data_set(args.output, data, progress.update)
