"""Plot the generated images nearest to a training image, with that image, for one ratio."""

import numpy as np
import pandas as pd

from depthbias.measures.samples import read_samples
from depthbias.report.nearest_pairs_figure import plot_nearest_pairs
from depthbias.report.style import save
from depthbias.system.arguments import FIGURE, IMAGES, Arguments, file, files, flag, script
from depthbias.system.errors import UserError, reading
from depthbias.system.files import map_npz


@script(
    file("--pairs", "nearest pairs of a study (.csv)"),
    IMAGES,
    files("--samples", "one ratio and seed (.npz)"),
    flag("--embedding", "in which pairs are near, like: pixels"),
    FIGURE,
)
def main(args: Arguments) -> None:
    with reading(args.pairs, "no table of pairs", "measure neighbours again"):
        pairs = pd.read_csv(args.pairs, dtype={"ratio": str, "seed": str})
    shown, samples = [], {}
    for path in args.samples:
        model, own = read_samples(path), pairs
        for key in ("ratio", "architecture", "seed", "sampler"):
            own = own[own[key] == getattr(model.run, key)]
        if own.empty:
            raise UserError(f"{args.pairs}: has no pairs of {path}: measure the neighbours again")
        shown.append(own)
        samples[model.run.architecture] = model.images
    chosen = pd.concat(shown)
    if len(chosen[["ratio", "seed", "sampler"]].drop_duplicates()) > 1:
        raise UserError("--samples: give those of one ratio, seed and sampler")
    real = np.asarray(map_npz(args.images, "images"))
    save(plot_nearest_pairs(chosen, real, samples, args.embedding), args.output)
