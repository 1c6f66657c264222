"""Plot what models trained on two sets without a common image make of the same noise."""

import argparse
from pathlib import Path

from depthbias.report.style import save
from depthbias.report.trajectory_figures import plot_disjoint, read_trajectories
from depthbias.system.errors import command


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--first", type=Path, nargs="+", required=True, metavar="NPZ", help="one a U-Net")
    add("--second", type=Path, nargs="+", required=True, metavar="NPZ", help="of the other set")
    add("--output", type=Path, nargs="+", required=True, metavar="FIGURE", help=".svg, .png, .pdf")
    return parser.parse_args()


def main() -> None:
    arguments = parse()
    save(
        plot_disjoint(read_trajectories(arguments.first), read_trajectories(arguments.second)),
        arguments.output,
    )


if __name__ == "__main__":
    command(main)
