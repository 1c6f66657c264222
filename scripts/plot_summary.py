"""Plot one of the figures that need nothing but the summary of a study."""

from functools import reduce
from operator import or_
from typing import Any

from depthbias.estimates.tidy import read_rows
from depthbias.report.registry import NAMES, draw
from depthbias.report.style import save
from depthbias.system.arguments import FIGURE, SUMMARY, Arguments, files, script
from depthbias.system.files import read_json


@script(
    ("figure", {"choices": NAMES}),
    SUMMARY,
    files("--provenance", "what the distances are (.json)", default=[]),
    FIGURE,
)
def main(args: Arguments) -> None:
    provenance: dict[str, Any] = reduce(or_, map(read_json, args.provenance), {})
    save(draw(args.figure, read_rows(args.summary), provenance), args.output)
