"""Plot one of the figures that need nothing but the summary of a study."""

import argparse
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Any

from depthbias.estimates.tidy import read_rows
from depthbias.report.registry import NAMES, draw
from depthbias.report.style import save
from depthbias.system.errors import command
from depthbias.system.files import read_json


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("figure", choices=NAMES)
    add("--summary", type=Path, required=True, help="tidy results of one study (.csv)")
    add("--provenance", type=Path, nargs="+", default=[], help="what the distances are (.json)")
    add("--output", type=Path, nargs="+", required=True, metavar="FIGURE", help=".svg, .png, .pdf")
    return parser.parse_args()


def main() -> None:
    args = parse()
    provenance: dict[str, Any] = reduce(or_, map(read_json, args.provenance), {})
    save(draw(args.figure, read_rows(args.summary), provenance), args.output)


if __name__ == "__main__":
    command(main)
