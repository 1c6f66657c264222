"""Bring generated images: a folder of any depth, a .zip or an .npz, decoded as training images."""

from collections import Counter

import numpy as np

from depthbias.data.brought import described, differences, generated_photos, looked_at, warn
from depthbias.data.duplicates import first_copies
from depthbias.data.photos import decode_stream, size_of
from depthbias.estimates.runs import RUN, as_json, keys_of
from depthbias.measures.samples import noise_of
from depthbias.system.arguments import Arguments, file, flag, positive, script
from depthbias.system.files import check_writable, read_json, write_json, write_npz
from depthbias.system.progress import Progress


@script(
    file("--given", "folder, .zip or .npz"),
    flag("--size", "side in pixels, or height and width", positive, nargs="+"),
    flag("--channels", "1 grey, 3 RGB", int, choices=[1, 3]),
    flag("--workers", "processes that decode images", positive, default=1),
    RUN,
    file("--training", "formats and sizes of the training images (.json)"),
    file("--output", "images, in the order of their names (.npz)"),
    file("--about", "formats and sizes of the files, to write (.json)"),
)
def main(args: Arguments) -> None:
    check_writable(args.output, args.about)
    size = size_of(args.size)
    kinds: Counter[tuple[str, str, str]] = Counter()
    names, photos = generated_photos(args.given)
    photos = looked_at(photos, size, kinds)
    blocks, done = [], 0
    with Progress(len(names), f"bring {args.given}") as progress:
        for block in decode_stream(photos, size, args.channels, args.workers):
            blocks.append(block)
            progress.update(done := done + len(block))
    images = np.concatenate(blocks)
    first = first_copies([images], np.ones(len(images), dtype=bool))
    about = described(kinds, size)
    about["repeated"] = int(np.count_nonzero(first != np.arange(len(images))))
    about["differs"] = differences(read_json(args.training)["training"], about)
    if about["differs"]:
        warn(f"{args.given} differ from the training images: {about['differs']}")
    if about["repeated"]:
        warn(f"{args.given}: {about['repeated']} images are copies of others of them; they count")
    arrays = {"images": images, "noise": noise_of([0], len(images)), "source": np.array(names)}
    write_npz(args.output, {**arrays, "run": as_json(args.run)})
    write_json(args.about, {"run": keys_of(args.run), "given": args.given.as_posix(), **about})
