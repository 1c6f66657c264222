"""Plot one of the figures that need nothing but the summary of a study."""

from depthbias.estimates.tidy import read_rows
from depthbias.report.registry import NAMES, draw, read_provenance
from depthbias.report.style import save
from depthbias.system.arguments import FIGURE, PROVENANCE, SUMMARY, Arguments, script


@script(("figure", {"choices": NAMES}), SUMMARY, PROVENANCE, FIGURE)
def main(args: Arguments) -> None:
    summary, provenance = read_rows(args.summary), read_provenance(args.provenance)
    save(draw(args.figure, summary, provenance), args.output)
