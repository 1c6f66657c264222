"""Embed the real images of a study: vectors of all, summed distances of the held-out ones."""

import argparse
import sys
from pathlib import Path

import numpy as np

from depthbias.measures.embedding_files import write_embedded
from depthbias.system.errors import UserError, command
from depthbias.system.files import check_writable, map_npz, read_json
from depthbias.system.gpu_lease import lease
from depthbias.system.progress import Progress


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--images", type=Path, required=True, help="prepared images (.npz)")
    add("--split", type=Path, required=True, help="classes, pool and held-out images (.json)")
    add("--embeddings", nargs="+", required=True, help="for neighbours, like: pixels classifier")
    add("--backbone", required=True, help="of the distance for diversity, like: lpips-alex")
    add("--model", type=Path, required=True, help="weights of the classifier (.safetensors)")
    add("--meta", type=Path, required=True, help="their description (.json)")
    add("--threads", type=int, default=1, help="CPU threads")
    add("--output", type=Path, required=True, help="embedded images to write (.npz)")
    return parser.parse_args()


def read_split(path: Path) -> tuple[list[str], np.ndarray, np.ndarray, np.ndarray]:
    """(classes, sorted rows of all images, their classes int [N], which are held out bool [N])."""
    split = read_json(path)
    try:
        classes = split["classes"]
        parts = [
            (row, label, part != "pool")
            for part in ("pool", "calibration", "control")
            for label, name in enumerate(classes)
            for row in split[part][name]
        ]
        rows, labels, heldout = (np.array(column) for column in zip(*sorted(parts), strict=True))
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: not a split ({error}): split the data set again") from error
    return classes, rows, labels, heldout


def main() -> None:
    args = parse()
    classes, rows, labels, heldout = read_split(args.split)
    images = map_npz(args.images, "images")
    check_writable(args.output)
    with lease() as leased:
        import torch

        from depthbias.system.compute import exact_device
        from depthbias.vision.classifier import load_classifier
        from depthbias.vision.embedder import Embedder

        print(f"device: {leased}", file=sys.stderr)
        torch.set_num_threads(args.threads)
        classifier = load_classifier(args.model, args.meta)
        embedder = Embedder(args.embeddings, args.backbone, classifier, exact_device())
        with Progress(len(rows), "embedding real images") as progress:
            vectors = embedder.vectors(images, rows, progress.update)
        sums = embedder.sums(images[rows[heldout]], labels[heldout], len(classes))
    others = {"labels": labels, "classes": np.array(classes), "sums": sums}
    others |= {"rows": rows, "heldout": heldout}
    write_embedded(args.output, vectors, embedder.about(images.shape[1:]), others)


if __name__ == "__main__":
    command(main)
