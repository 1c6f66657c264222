"""Plot how depth relates to linearity: means over low, middle and high noise against depth."""

import argparse
from pathlib import Path

from depthbias.estimates.tidy import read_rows
from depthbias.report.structure_figures import plot_against_depth
from depthbias.report.style import save
from depthbias.system.errors import command


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--summary", type=Path, required=True, help="tidy results of one study (.csv)")
    add("--output", type=Path, nargs="+", required=True, metavar="FIGURE", help=".svg, .png, .pdf")
    return parser.parse_args()


def main() -> None:
    arguments = parse()
    save(plot_against_depth(read_rows(arguments.summary)), arguments.output)


if __name__ == "__main__":
    command(main)
