"""Unite the tables of a study's measurements into one, in a fixed order."""

import argparse
from pathlib import Path

from depthbias.estimates.tidy import read_rows, unite, write_rows
from depthbias.system.errors import command


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--parts", type=Path, nargs="+", required=True, help="tables to unite (.csv)")
    add("--output", type=Path, required=True, help="table to write (.csv)")
    return parser.parse_args()


def main() -> None:
    args = parse()
    write_rows(args.output, unite([read_rows(path) for path in args.parts]))


if __name__ == "__main__":
    command(main)
