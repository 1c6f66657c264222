"""Split the classes of a data set, without duplicates, into pool, calibration and control."""

import sys

import numpy as np

from depthbias.data.dataset import read_blocks
from depthbias.data.duplicates import first_copies, settled
from depthbias.data.persons import hold_out_of
from depthbias.data.splits import class_labels, class_rules, heldout_of
from depthbias.system.arguments import IMAGES, Arguments, file, flag, script, switch
from depthbias.system.files import fingerprint, read_npz, write_json

CLASSES = 'JSON, majority first: {"six": {"any": ["6"]}, "nine": {"all": [...], "none": [...]}}'


def count_or_auto(text: str) -> int | str:
    """The kind of --heldout."""
    return text if text == "auto" else int(text)


@script(
    IMAGES,
    flag("--classes", CLASSES, class_rules),
    switch("--by-person", "nobody in pool and held-out images"),
    flag("--on-conflict", "a picture in two classes", choices=["stop", "drop"], default="stop"),
    flag("--heldout", "images held out a class, or auto", count_or_auto),
    flag("--seed", "draws the held-out images", int),
    file("--output", "split to write (.json)"),
)
def main(args: Arguments) -> None:
    attributes, names, source = read_npz(args.images, "attributes", "names", "source")
    classes = list(args.classes)
    filed = class_labels(attributes, names.tolist(), args.classes)
    first = first_copies(read_blocks(args.images), filed >= 0)
    labels = settled(filed, first, classes, source.tolist(), args.on_conflict)
    kept = first == np.arange(len(labels))
    drawn = np.where(kept, labels, -1)
    heldout = heldout_of(args.heldout, [int((drawn == k).sum()) for k in range(len(classes))])
    split = hold_out_of(args.images, drawn, classes, heldout, args.seed, args.by_person)
    print(f"held out: {heldout} images a class", file=sys.stderr)
    write_json(
        args.output,
        {
            "classes": classes,
            "population": [np.count_nonzero(labels == index) for index in range(len(classes))],
            "duplicates": np.count_nonzero((labels >= 0) & ~kept),
            "conflicts": np.count_nonzero(filed != labels),
            "pool": dict(zip(classes, split.pool, strict=True)),
            "calibration": dict(zip(classes, split.calibration, strict=True)),
            "control": dict(zip(classes, split.control, strict=True)),
            "heldout": heldout,
            "seed": args.seed,
            "images": fingerprint(args.images),
        },
    )
