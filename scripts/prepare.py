"""Prepare a data set: images cropped and resized, attributes, names and source, in one .npz."""

import argparse
import os
from pathlib import Path

from depthbias.data.celeba import load_celeba
from depthbias.data.dataset import DataSet, write_data_set
from depthbias.data.digits import load_digits
from depthbias.data.folder import load_folder
from depthbias.data.mnist import load_mnist
from depthbias.system.errors import command
from depthbias.system.progress import Progress


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not 1 or more")
    return value


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", required=True, choices=["digits", "mnist", "celeba", "folder"])
    parser.add_argument("--size", required=True, type=positive, help="side in pixels")
    parser.add_argument("--channels", required=True, type=int, choices=[1, 3])
    parser.add_argument(
        "--raw", default="", help="folder of the files as downloaded (digits: none)"
    )
    parser.add_argument("--labels", default="", help="label table (CSV: file, label) of a folder")
    parser.add_argument("--workers", type=positive, default=1, help="processes that decode images")
    parser.add_argument("--output", required=True, type=Path)
    args = parser.parse_args()
    if bool(args.labels) != (args.dataset == "folder"):
        parser.error("--labels goes with --dataset folder, and only with it")
    if not args.raw and args.dataset != "digits":
        parser.error(f"--dataset {args.dataset} needs --raw")
    return args


def load(args: argparse.Namespace) -> DataSet:
    folders = [Path(args.raw)]
    if shared := os.environ.get("DEPTHBIAS_DATA"):
        folders += [Path(shared) / args.dataset, Path(shared)]
    if args.dataset == "digits":
        return load_digits(args.size, args.channels)
    if args.dataset == "mnist":
        return load_mnist(folders, args.size, args.channels)
    if args.dataset == "celeba":
        return load_celeba(folders, args.size, args.channels, args.workers)
    return load_folder(Path(args.raw), Path(args.labels), args.size, args.channels, args.workers)


def main() -> None:
    args = arguments()
    data = load(args)
    with Progress(len(data.source), f"prepare {args.dataset}") as progress:
        write_data_set(args.output, data, progress.update)


if __name__ == "__main__":
    command(main)
