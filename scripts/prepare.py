"""Prepare a data set: images cropped and resized, attributes, names and source, in one .npz."""

import os
from argparse import Namespace
from pathlib import Path

from depthbias.data.dataset import write_data_set
from depthbias.data.registry import DATA_SETS, key_problem, load_data_set
from depthbias.system.arguments import file, flag, parser, positive
from depthbias.system.errors import command
from depthbias.system.progress import Progress


def parse() -> Namespace:
    given = parser(
        __doc__,
        flag("--dataset", choices=DATA_SETS),
        flag("--size", "side in pixels", positive),
        flag("--channels", "1 grey, 3 RGB", int, choices=[1, 3]),
        flag("--raw", "folder of the files as downloaded", default=""),
        flag("--labels", "label table (CSV: file, label) of a folder", default=""),
        flag("--workers", "processes that decode images", positive, default=1),
        file("--output", "prepared images to write (.npz)"),
    )
    args = given.parse_args()
    if problem := key_problem(args.dataset, args.raw, args.labels):
        given.error(f"--{problem}")
    return args


def main() -> None:
    args = parse()
    folders = [Path(args.raw)]
    if shared := os.environ.get("DEPTHBIAS_DATA"):
        folders += [Path(shared) / args.dataset, Path(shared)]
    shape = {"size": args.size, "channels": args.channels}
    data = load_data_set(args.dataset, folders, Path(args.labels), workers=args.workers, **shape)
    with Progress(len(data.source), f"prepare {args.dataset}") as progress:
        write_data_set(args.output, data, progress.update)


if __name__ == "__main__":
    command(main)
