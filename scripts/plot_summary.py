"""Plot one of the figures that need nothing but the summary of a study."""

from functools import reduce
from operator import or_
from typing import Any

from depthbias.estimates.tidy import read_rows
from depthbias.report.registry import NAMES, draw
from depthbias.report.style import save
from depthbias.system.arguments import FIGURE, SUMMARY, arguments, files
from depthbias.system.errors import command
from depthbias.system.files import read_json


def main() -> None:
    provenance_flag = files("--provenance", "what the distances are (.json)", default=[])
    args = arguments(__doc__, ("figure", {"choices": NAMES}), SUMMARY, provenance_flag, FIGURE)
    provenance: dict[str, Any] = reduce(or_, map(read_json, args.provenance), {})
    save(draw(args.figure, read_rows(args.summary), provenance), args.output)


if __name__ == "__main__":
    command(main)
