"""Plot training images of every class and, under them, images that every U-Net generated."""

import argparse
from pathlib import Path

import numpy as np

from depthbias.data.subsets import read_subset
from depthbias.measures.samples import read_generated
from depthbias.report.sample_figures import plot_real
from depthbias.report.style import save
from depthbias.system.errors import command


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--images", type=Path, required=True, help="prepared images (.npz)")
    add("--subset", type=Path, required=True, help="the rows that were trained on (.json)")
    add("--samples", type=Path, nargs="+", required=True, metavar="NPZ", help="one ratio and seed")
    add("--classes", type=Path, nargs="+", required=True, metavar="NPZ", help="from classify.py")
    add("--decidable", type=float, default=0.9, help="class probability below which ? is shown")
    add("--output", type=Path, nargs="+", required=True, metavar="FIGURE", help=".svg, .png, .pdf")
    return parser.parse_args()


def main() -> None:
    arguments = parse()
    models = read_generated(arguments.samples, arguments.classes)
    subset = read_subset(arguments.subset, models[0].classes)
    labels = subset.labels
    first = np.concatenate([np.flatnonzero(labels == k)[:12] for k in np.unique(labels)])
    real = subset.images(arguments.images)[first]
    figure = plot_real(real, labels[first], models, arguments.decidable)
    save(figure, arguments.output)


if __name__ == "__main__":
    command(main)
