"""Plot training images of every class and, under them, images that every U-Net generated."""

import numpy as np

from depthbias.data.subsets import read_subset
from depthbias.measures.samples import read_generated
from depthbias.report.sample_figures import plot_real
from depthbias.report.style import save
from depthbias.system.arguments import DECIDABLE, FIGURE, IMAGES, Arguments, file, files, script


@script(
    IMAGES,
    file("--subset", "the rows that were trained on (.json)"),
    files("--samples", "one ratio and seed", metavar="NPZ"),
    files("--classes", "from classify.py", metavar="NPZ"),
    DECIDABLE,
    FIGURE,
)
def main(args: Arguments) -> None:
    models = read_generated(args.samples, args.classes)
    chosen = read_subset(args.subset, models[0].classes)
    labels = chosen.labels
    first = np.concatenate([np.flatnonzero(labels == k)[:12] for k in np.unique(labels)])
    real = chosen.images(args.images)[first]
    save(plot_real(real, labels[first], models, args.decidable), args.output)
