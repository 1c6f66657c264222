"""Draw a training subset with exact class proportions from the pool of a split."""

import argparse
from pathlib import Path

import numpy as np

from depthbias.data.subsets import class_proportions, draw_subset
from depthbias.system.errors import command
from depthbias.system.files import fingerprint, read_json, write_json


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
    split = read_json(args.split)
    classes = split["classes"]
    proportions = class_proportions(args.ratio, classes, split["population"])
    rows = np.concatenate([split["pool"][name] for name in classes])
    names = np.repeat(classes, [len(split["pool"][name]) for name in classes])
    order = np.argsort(rows)
    chosen = order[draw_subset(names[order], proportions, args.size, args.seed, args.disjoint)]
    counts = [np.count_nonzero(names[chosen] == name) for name in classes]
    write_json(
        args.output,
        {
            "ratio": args.ratio,
            "seed": args.seed,
            "classes": classes,
            "indices": rows[chosen],
            "labels": [classes.index(name) for name in names[chosen]],
            "counts": counts,
            "proportions": [count / args.size for count in counts],
            "size": args.size,
            "provenance": {"split": fingerprint(args.split), "images": split["images"]},
        },
    )


if __name__ == "__main__":
    command(main)
