"""Plot the first images that every U-Net generates from the same noise."""

from depthbias.measures.samples import read_generated
from depthbias.report.sample_figures import plot_grid
from depthbias.report.style import save
from depthbias.system.arguments import DECIDABLE, FIGURE, Arguments, files, script

COLUMNS = 10


@script(
    files("--classes", "from classify.py", metavar="NPZ"),
    files("--samples", "one ratio and seed", metavar="NPZ"),
    DECIDABLE,
    FIGURE,
)
def main(args: Arguments) -> None:
    models = read_generated(args.samples, args.classes)
    save(plot_grid(models, COLUMNS, args.decidable), args.output)
