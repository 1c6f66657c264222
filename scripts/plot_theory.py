"""Plot one of the figures of the theory bench."""

from depthbias.estimates.tidy import read_rows
from depthbias.report.style import save
from depthbias.report.theory_figures import FIGURES
from depthbias.system.arguments import FIGURE, Arguments, file, files, script


@script(
    ("figure", {"choices": [*FIGURES]}),
    file("--rows", "tidy results of a part (.csv)"),
    files("--summaries", "of studies whose kappa is shown (.csv)", default=[]),
    FIGURE,
)
def main(args: Arguments) -> None:
    summaries = [read_rows(path) for path in args.summaries]
    save(FIGURES[args.figure](read_rows(args.rows), summaries), args.output)
