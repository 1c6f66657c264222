"""Classify the samples of one run. On the CPU: 10,000 images take seconds to half a minute."""

import numpy as np

from depthbias.estimates.runs import as_json
from depthbias.measures.samples import read_samples
from depthbias.system.arguments import CLASSIFIER, THREADS, Arguments, file, script
from depthbias.system.errors import UserError
from depthbias.system.files import write_npz


@script(
    file("--samples", "generated images (.npz)"),
    *CLASSIFIER,
    THREADS,
    file("--output", "class probabilities to write (.npz)"),
)
def main(args: Arguments) -> None:
    samples = read_samples(args.samples)
    shape = samples.images.shape[1:]

    import torch

    from depthbias.vision.classifier import classify, load_classifier

    torch.set_num_threads(args.threads)
    model, meta = load_classifier(args.model, args.meta)
    size = meta["size"]
    height, width = size if isinstance(size, list) else (size, size)
    wanted = (height, width, meta["channels"])
    if shape != wanted:
        raise UserError(
            f"{args.samples}: images of {shape}, the classifier is for {wanted}: "
            "train it on this study's images"
        )
    write_npz(
        args.output,
        {
            "probabilities": classify(model, samples.images),
            "classes": np.array(meta["classes"], dtype=np.str_),
            "noise": samples.noise,
            "run": as_json(samples.run),
        },
    )
