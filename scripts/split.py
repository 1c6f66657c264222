"""Split the classes of a data set, without duplicates, into pool, calibration and control."""

import argparse
import json
from pathlib import Path

import numpy as np

from depthbias.data.dataset import read_blocks
from depthbias.data.splits import class_labels, first_copies, hold_out
from depthbias.system.errors import command
from depthbias.system.files import fingerprint, read_npz, write_json


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", required=True, type=Path, help="prepared data set (.npz)")
    parser.add_argument(
        "--classes",
        required=True,
        type=json.loads,
        help='JSON, majority first: {"six": {"any": ["6"]}, "nine": {"all": [...], "none": [...]}}',
    )
    parser.add_argument("--heldout", required=True, type=int, help="images held out a class")
    parser.add_argument("--seed", required=True, type=int)
    parser.add_argument("--output", required=True, type=Path)
    return parser.parse_args()


def main() -> None:
    args = arguments()
    attributes, names = read_npz(args.images, "attributes", "names")
    classes = list(args.classes)
    labels = class_labels(attributes, names.tolist(), args.classes)
    kept = first_copies(read_blocks(args.images), labels >= 0)
    split = hold_out(np.where(kept, labels, -1), classes, args.heldout, args.seed)
    write_json(
        args.output,
        {
            "classes": classes,
            "population": [np.count_nonzero(labels == index) for index in range(len(classes))],
            "duplicates": np.count_nonzero((labels >= 0) & ~kept),
            "pool": dict(zip(classes, split.pool, strict=True)),
            "calibration": dict(zip(classes, split.calibration, strict=True)),
            "control": dict(zip(classes, split.control, strict=True)),
            "seed": args.seed,
            "images": fingerprint(args.images),
        },
    )


if __name__ == "__main__":
    command(main)
