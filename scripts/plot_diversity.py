"""Plot the mean perceptual distance of pairs of generated images against depth."""

import argparse
from pathlib import Path

from depthbias.estimates.tidy import read_rows
from depthbias.report.distance_figures import plot_diversity
from depthbias.report.style import save
from depthbias.system.errors import command
from depthbias.system.files import read_json


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--summary", type=Path, required=True, help="tidy results of one study (.csv)")
    add("--about", type=Path, required=True, help="what the distance is (.json)")
    add("--output", type=Path, nargs="+", required=True, metavar="FIGURE", help=".svg, .png, .pdf")
    return parser.parse_args()


def main() -> None:
    args = parse()
    save(plot_diversity(read_rows(args.summary), read_json(args.about)), args.output)


if __name__ == "__main__":
    command(main)
