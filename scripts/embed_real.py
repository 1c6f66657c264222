"""Embed the real images of a study: vectors of all, summed distances of the held-out ones."""

import argparse
from pathlib import Path

import numpy as np

from depthbias.data.splits import PARTS, read_split
from depthbias.measures.embedding_files import write_embedded
from depthbias.system.errors import command
from depthbias.system.files import check_writable, map_npz
from depthbias.system.gpu_lease import computing
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


def main() -> None:
    args = parse()
    split = read_split(args.split)
    rows, labels = split.rows(*PARTS)
    heldout = ~np.isin(rows, np.concatenate(split.pool))
    images = map_npz(args.images, "images")
    check_writable(args.output)
    with computing(args.threads, exact=True) as device:
        from depthbias.vision.classifier import load_classifier
        from depthbias.vision.embedder import Embedder

        classifier = load_classifier(args.model, args.meta)
        embedder = Embedder(args.embeddings, args.backbone, classifier, device)
        with Progress(len(rows), "embedding real images") as progress:
            vectors = embedder.vectors(images, rows, progress.update)
        sums = embedder.sums(images[rows[heldout]], labels[heldout], len(split.classes))
    others = {"labels": labels, "classes": np.array(split.classes), "sums": sums}
    others |= {"rows": rows, "heldout": heldout}
    write_embedded(args.output, vectors, embedder.about(images.shape[1:]), others)


if __name__ == "__main__":
    command(main)
