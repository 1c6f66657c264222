"""Plot structure and memorisation of the studies of a sweep against what was varied."""

import pandas as pd

from depthbias.estimates.tidy import read_rows
from depthbias.report.style import save
from depthbias.report.sweep_figure import plot_sweep
from depthbias.system.arguments import FIGURE, Arguments, WrongUsage, files, flag, script


@script(
    files("--parts", "tidy results", metavar="CSV"),
    flag("--studies", "names of the studies", nargs="+"),
    flag("--values", "what each of them stands for", float, nargs="+"),
    flag("--label", "what was varied, for the axis"),
    FIGURE,
)
def main(args: Arguments) -> None:
    if len(args.studies) != len(args.values):
        raise WrongUsage(f"{len(args.studies)} --studies but {len(args.values)} --values")
    if min(args.values) <= 0:
        raise WrongUsage("--values must be positive: the axis is logarithmic")
    results = pd.concat([read_rows(path) for path in args.parts], ignore_index=True)
    values = dict(zip(args.studies, args.values, strict=True))
    save(plot_sweep(results, values, args.label), args.output)
