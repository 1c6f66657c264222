"""Bring the training images of an audit, and held-out ones where there are some: prepare, split."""

from collections import Counter
from pathlib import Path

import numpy as np

from depthbias.data.brought import described, differences, list_images, looked_at, warn
from depthbias.data.brought_split import split_brought
from depthbias.data.dataset import DataSet, one_hot, read_blocks, write_data_set
from depthbias.data.duplicates import first_copies
from depthbias.data.photos import decode_stream, sides, size_of
from depthbias.data.splits import class_rules
from depthbias.system.arguments import Arguments, file, flag, natural, positive, script
from depthbias.system.files import check_writable, fingerprint, write_json
from depthbias.system.progress import Progress


@script(
    file("--raw", "folder of the training images"),
    file("--labels", "label table (CSV: file, label, used)", default=None),
    file("--heldout-raw", "folder of held-out images", default=None),
    file("--heldout-labels", "their label table", default=None),
    flag("--classes", "JSON, as of split.py; {}: no labels are needed", class_rules, default={}),
    flag("--size", "side in pixels, or height and width", positive, nargs="+"),
    flag("--channels", "1 grey, 3 RGB", int, choices=[1, 3]),
    flag("--heldout", "set aside a class if none are held out; 0: a tenth", natural, default=0),
    flag("--seed", "draws what is calibrated on", natural, default=0),
    flag("--workers", "processes that decode images", positive, default=1),
    file("--images", "prepared images to write (.npz)"),
    file("--split", "split to write (.json)"),
    file("--about", "formats and sizes of the files, to write (.json)"),
)
def main(args: Arguments) -> None:
    check_writable(args.images, args.split, args.about)
    size = size_of(args.size)
    listed = {"training": list_images(args.raw, args.labels, bool(args.classes))}
    if args.heldout_raw:
        given = args.heldout_raw, args.heldout_labels, bool(args.classes)
        listed["held-out"] = list_images(*given)
    kinds = {name: Counter[tuple[str, str, str]]() for name in listed}
    photos = (p for name, one in listed.items() for p in looked_at(one.photos, size, kinds[name]))
    labels = [label for one in listed.values() for label in one.labels]
    names, codes = np.unique(labels, return_inverse=True)
    data = DataSet(
        names=names.tolist(),
        attributes=one_hot(codes, len(names)),
        source=[str(Path(one.folder, file)) for one in listed.values() for file in one.files],
        shape=(*sides(size), args.channels),
        blocks=decode_stream(photos, size, args.channels, args.workers),
    )
    with Progress(len(labels), "prepare images") as progress:
        write_data_set(args.images, data, progress.update)
    first = first_copies(read_blocks(args.images), np.ones(len(labels), dtype=bool))
    count = len(listed["training"].files)
    split = split_brought(
        data.attributes, names.tolist(), args.classes, first, count, args.heldout, args.seed
    )
    write_json(args.split, split.content(fingerprint(args.images), args.seed))
    about = {name: described(found, size) for name, found in kinds.items()}
    about["training"]["repeated"] = split.repeated
    if "held-out" in about:
        about["held-out"]["left_out"] = split.left_out
        if told := differences(about["training"], about["held-out"]):
            warn(f"held-out images differ from the training images: {told}")
    write_json(args.about, about)
