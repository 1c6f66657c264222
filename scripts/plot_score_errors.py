"""Plot how far every denoiser is from linear, Gaussian and multi-delta ones (Fig. 2 of [GAUSS])."""

import argparse
from pathlib import Path

from depthbias.estimates.tidy import read_rows
from depthbias.report.structure_figures import ERRORS, plot_levels
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
    save(plot_levels(read_rows(arguments.summary), ERRORS, share=True), arguments.output)


if __name__ == "__main__":
    command(main)
