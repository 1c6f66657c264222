"""Prepare a data set: images cropped and resized, attributes, names and source, in one .npz."""

import argparse
import os
from pathlib import Path

from depthbias.data.dataset import write_data_set
from depthbias.data.registry import DATA_SETS, key_problem, load_data_set
from depthbias.system.errors import command
from depthbias.system.progress import Progress


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not 1 or more")
    return value


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", required=True, choices=DATA_SETS)
    parser.add_argument("--size", required=True, type=positive, help="side in pixels")
    parser.add_argument("--channels", required=True, type=int, choices=[1, 3])
    parser.add_argument("--raw", default="", help="folder of the files as downloaded")
    parser.add_argument("--labels", default="", help="label table (CSV: file, label) of a folder")
    parser.add_argument("--workers", type=positive, default=1, help="processes that decode images")
    parser.add_argument("--output", required=True, type=Path)
    args = parser.parse_args()
    if problem := key_problem(args.dataset, args.raw, args.labels):
        parser.error(f"--{problem}")
    return args


def main() -> None:
    args = arguments()
    folders = [Path(args.raw)]
    if shared := os.environ.get("DEPTHBIAS_DATA"):
        folders += [Path(shared) / args.dataset, Path(shared)]
    shape = {"size": args.size, "channels": args.channels}
    data = load_data_set(args.dataset, folders, Path(args.labels), workers=args.workers, **shape)
    with Progress(len(data.source), f"prepare {args.dataset}") as progress:
        write_data_set(args.output, data, progress.update)


if __name__ == "__main__":
    command(main)
