"""Plot trajectories and final images of models and simpler denoisers from the same noise."""

import argparse
from pathlib import Path

from depthbias.report.style import save
from depthbias.report.trajectory_figures import plot_trajectories, read_trajectories
from depthbias.system.errors import command


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add(
        "--trajectories", type=Path, nargs="+", required=True, metavar="NPZ", help="one ratio, seed"
    )
    add("--output", type=Path, nargs="+", required=True, metavar="FIGURE", help=".svg, .png, .pdf")
    return parser.parse_args()


def main() -> None:
    arguments = parse()
    save(plot_trajectories(read_trajectories(arguments.trajectories)), arguments.output)


if __name__ == "__main__":
    command(main)
