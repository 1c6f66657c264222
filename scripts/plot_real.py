"""Plot training images of every class and, under them, images that every U-Net generated."""

import numpy as np

from depthbias.data.subsets import read_subset
from depthbias.measures.samples import read_generated
from depthbias.report.sample_figures import plot_real
from depthbias.report.style import save
from depthbias.system.arguments import DECIDABLE, FIGURE, IMAGES, arguments, file, files
from depthbias.system.errors import command


def main() -> None:
    subset = file("--subset", "the rows that were trained on (.json)")
    samples = files("--samples", "one ratio and seed", metavar="NPZ")
    classes = files("--classes", "from classify.py", metavar="NPZ")
    args = arguments(__doc__, IMAGES, subset, samples, classes, DECIDABLE, FIGURE)
    models = read_generated(args.samples, args.classes)
    chosen = read_subset(args.subset, models[0].classes)
    labels = chosen.labels
    first = np.concatenate([np.flatnonzero(labels == k)[:12] for k in np.unique(labels)])
    real = chosen.images(args.images)[first]
    save(plot_real(real, labels[first], models, args.decidable), args.output)


if __name__ == "__main__":
    command(main)
