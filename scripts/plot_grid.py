"""Plot the first images that every U-Net generates from the same noise."""

import argparse
from pathlib import Path

from depthbias.measures.samples import read_generated
from depthbias.report.sample_figures import plot_grid
from depthbias.report.style import save
from depthbias.system.errors import command

COLUMNS = 10


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--classes", type=Path, nargs="+", required=True, metavar="NPZ", help="from classify.py")
    add("--samples", type=Path, nargs="+", required=True, metavar="NPZ", help="one ratio and seed")
    add("--decidable", type=float, default=0.9, help="class probability below which ? is shown")
    add("--output", type=Path, nargs="+", required=True, metavar="FIGURE", help=".svg, .png, .pdf")
    return parser.parse_args()


def main() -> None:
    arguments = parse()
    models = read_generated(arguments.samples, arguments.classes)
    save(plot_grid(models, COLUMNS, arguments.decidable), arguments.output)


if __name__ == "__main__":
    command(main)
