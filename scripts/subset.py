"""Draw a training subset with exact class proportions from the pool of a split."""

import argparse
from pathlib import Path

from depthbias.data.splits import read_split
from depthbias.data.subsets import draw_from
from depthbias.system.errors import command
from depthbias.system.files import fingerprint, write_json


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--split", required=True, type=Path, help="split of a data set (.json)")
    parser.add_argument("--ratio", required=True, help="percentages like 90-10, or natural")
    parser.add_argument("--size", required=True, type=int, help="images")
    parser.add_argument("--seed", required=True, type=int)
    parser.add_argument("--disjoint", action="store_true", help="seeds 0, 1 ... share no image")
    parser.add_argument("--output", required=True, type=Path)
    return parser.parse_args()


def main() -> None:
    args = arguments()
    split = read_split(args.split)
    content = draw_from(split, args.ratio, args.size, args.seed, args.disjoint)
    provenance = {"split": fingerprint(args.split), "images": split.images}
    write_json(args.output, {**content, "provenance": provenance})


if __name__ == "__main__":
    command(main)
