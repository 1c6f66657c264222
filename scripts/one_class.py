"""The classes of samples of a study without classes: all images are of the one there is."""

import numpy as np

from depthbias.data.splits import read_split
from depthbias.estimates.runs import as_json
from depthbias.measures.samples import read_samples
from depthbias.system.arguments import Arguments, file, script
from depthbias.system.errors import UserError
from depthbias.system.files import write_npz


@script(
    file("--samples", "generated images (.npz)"),
    file("--split", "split with one class (.json)"),
    file("--output", "class probabilities to write (.npz)"),
)
def main(args: Arguments) -> None:
    samples, classes = read_samples(args.samples), read_split(args.split).classes
    if len(classes) != 1:
        raise UserError(f"{args.split}: {len(classes)} classes, not one: classify the samples")
    write_npz(
        args.output,
        {
            "probabilities": np.ones((len(samples.images), 1), dtype=np.float32),
            "classes": np.array(classes, dtype=np.str_),
            "noise": samples.noise,
            "run": as_json(samples.run),
        },
    )
