"""Embed the real images of a study: vectors of all, summed distances of the held-out ones."""

import numpy as np

from depthbias.data.splits import PARTS, read_split
from depthbias.measures.embedding_files import write_embedded
from depthbias.system.arguments import (
    EMBEDDINGS,
    IMAGES,
    MAYBE_CLASSIFIER,
    THREADS,
    Arguments,
    file,
    script,
)
from depthbias.system.files import check_writable, map_npz
from depthbias.system.gpu_lease import computing
from depthbias.system.progress import Progress


@script(
    IMAGES,
    file("--split", "classes, pool and held-out images (.json)"),
    *EMBEDDINGS,
    *MAYBE_CLASSIFIER,
    THREADS,
    file("--output", "embedded images to write (.npz)"),
)
def main(args: Arguments) -> None:
    split = read_split(args.split)
    rows, labels = split.rows(*PARTS)
    heldout = ~np.isin(rows, np.concatenate(split.pool))
    images = map_npz(args.images, "images")
    check_writable(args.output)
    with computing(args.threads, exact=True) as device:
        from depthbias.vision.classifier import load_classifier
        from depthbias.vision.embedder import Embedder

        classifier = load_classifier(args.model, args.meta) if args.model else None
        embedder = Embedder(args.embeddings, args.backbone, classifier, device)
        with Progress(len(rows), "embedding real images") as progress:
            vectors = embedder.vectors(images, rows, progress.update)
        sums = embedder.sums(images[rows[heldout]], labels[heldout], len(split.classes))
    others = {"labels": labels, "classes": np.array(split.classes), "sums": sums}
    others |= {"rows": rows, "heldout": heldout}
    write_embedded(args.output, vectors, embedder.about(images.shape[1:]), others)
