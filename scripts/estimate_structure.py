"""Turn what was measured of every run into rows: estimates for runs, over seeds, and over depth."""

import argparse
from pathlib import Path

from depthbias.estimates.tidy import write_rows
from depthbias.measures.structure_rows import read_structures, structure_rows
from depthbias.system.errors import command


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--measurements", type=Path, nargs="+", required=True, metavar="NPZ", help="one a run")
    add("--study", required=True, help="name of the study, for the table")
    add("--output", type=Path, required=True, help="table to write (.csv)")
    return parser.parse_args()


def main() -> None:
    args = parse()
    write_rows(args.output, structure_rows(read_structures(args.measurements, args.study)))


if __name__ == "__main__":
    command(main)
