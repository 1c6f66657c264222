"""Embed the samples of one run: vectors for neighbours, summed distances for diversity."""

import numpy as np

from depthbias.estimates.runs import as_json
from depthbias.measures.embedding_files import write_embedded
from depthbias.measures.samples import join, read_classes, read_samples
from depthbias.system.arguments import (
    EMBEDDINGS,
    MAYBE_CLASSIFIER,
    THREADS,
    Arguments,
    file,
    script,
)
from depthbias.system.files import check_writable
from depthbias.system.gpu_lease import computing
from depthbias.system.progress import Progress


@script(
    file("--samples", "generated images (.npz)"),
    file("--classes", "what the classifier made of them (.npz)"),
    *EMBEDDINGS,
    *MAYBE_CLASSIFIER,
    THREADS,
    file("--output", "embedded images to write (.npz)"),
)
def main(args: Arguments) -> None:
    samples = join(read_samples(args.samples), read_classes(args.classes))
    images, labels, classes = samples.images, samples.labels, np.array(samples.classes)
    check_writable(args.output)
    with computing(args.threads, exact=True) as device:
        from depthbias.vision.classifier import load_classifier
        from depthbias.vision.embedder import Embedder

        classifier = load_classifier(args.model, args.meta) if args.model else None
        embedder = Embedder(args.embeddings, args.backbone, classifier, device)
        with Progress(len(images), "embedding") as progress:
            vectors = embedder.vectors(images, np.arange(len(images)), progress.update)
        sums = embedder.sums(images, labels, len(classes))
    others: dict[str, np.ndarray | str] = {
        "labels": labels,
        "classes": classes,
        "sums": sums,
        "noise": samples.noise,
        "run": as_json(samples.run),
    }
    write_embedded(args.output, vectors, embedder.about(images.shape[1:]), others)
