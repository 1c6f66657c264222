"""Plot structure and memorisation of the studies of a sweep against what was varied."""

import argparse
from pathlib import Path

import pandas as pd

from depthbias.estimates.tidy import read_rows
from depthbias.report.style import save
from depthbias.report.sweep_figure import plot_sweep
from depthbias.system.errors import command


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--parts", type=Path, nargs="+", required=True, metavar="CSV", help="tidy results")
    add("--studies", nargs="+", required=True, help="names of the studies")
    add("--values", type=float, nargs="+", required=True, help="what each of them stands for")
    add("--label", required=True, help="what was varied, for the axis")
    add("--output", type=Path, nargs="+", required=True, metavar="FIGURE", help=".svg, .png, .pdf")
    arguments = parser.parse_args()
    if len(arguments.studies) != len(arguments.values):
        parser.error(f"{len(arguments.studies)} --studies but {len(arguments.values)} --values")
    if min(arguments.values) <= 0:
        parser.error("--values must be positive: the axis is logarithmic")
    return arguments


def main() -> None:
    arguments = parse()
    results = pd.concat([read_rows(path) for path in arguments.parts], ignore_index=True)
    values = dict(zip(arguments.studies, arguments.values, strict=True))
    save(plot_sweep(results, values, arguments.label), arguments.output)


if __name__ == "__main__":
    command(main)
