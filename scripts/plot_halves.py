"""Plot what models trained on two sets without a common image make of the same noise."""

import argparse
from pathlib import Path

from depthbias.errors import run
from depthbias.style import save
from depthbias.trajectory_figure import plot_halves, read_paths


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--first", type=Path, nargs="+", required=True, metavar="NPZ", help="one a U-Net")
    add("--second", type=Path, nargs="+", required=True, metavar="NPZ", help="of the other set")
    add("--output", type=Path, nargs="+", required=True, metavar="FIGURE", help=".svg, .png, .pdf")
    return parser.parse_args()


def main() -> None:
    arguments = parse()
    save(plot_halves(read_paths(arguments.first), read_paths(arguments.second)), arguments.output)


if __name__ == "__main__":
    run(main)
