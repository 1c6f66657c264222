"""Plot images before and after edits of one region, and what changed."""

from depthbias.report.editing_figures import plot_edits, read_edits
from depthbias.report.style import save
from depthbias.system.arguments import FIGURE, Arguments, files, script


@script(files("--edits", "one ratio, seed", metavar="NPZ"), FIGURE)
def main(args: Arguments) -> None:
    save(plot_edits(read_edits(args.edits)), args.output)
