"""The training subset of an audit: all images that the models were trained on."""

import numpy as np

from depthbias.data.splits import PARTS, read_split
from depthbias.system.arguments import Arguments, file, script
from depthbias.system.errors import reading
from depthbias.system.files import fingerprint, read_json, write_json


@script(
    file("--split", "split of an audit (.json)"),
    file("--output", "subset to write (.json)"),
)
def main(args: Arguments) -> None:
    split = read_split(args.split)
    with reading(args.split, "not the split of an audit", "bring the images again"):
        parts = [part for part in PARTS if part in read_json(args.split)["trained_on"]]
        rows, labels = split.rows(*parts)
    counts = np.bincount(labels, minlength=len(split.classes))
    content = {
        "ratio": "natural",
        "seed": 0,
        "classes": split.classes,
        "indices": rows,
        "labels": labels,
        "counts": counts,
        "proportions": counts / len(rows),
        "size": len(rows),
        "provenance": {"split": fingerprint(args.split), "images": split.images},
    }
    write_json(args.output, content)
