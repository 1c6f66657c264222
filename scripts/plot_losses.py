"""Plot the training loss of every run of a study against images seen."""

import argparse
from pathlib import Path

from depthbias.report.loss_figure import plot_losses, read_logs
from depthbias.report.style import save
from depthbias.system.errors import command


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--study", required=True, help="name of the study")
    add("--logs", type=Path, nargs="+", required=True, metavar="CSV", help="training logs")
    add("--output", type=Path, nargs="+", required=True, metavar="FIGURE", help=".svg, .png, .pdf")
    return parser.parse_args()


def main() -> None:
    args = parse()
    save(plot_losses(read_logs(args.logs, args.study), args.study), args.output)


if __name__ == "__main__":
    command(main)
