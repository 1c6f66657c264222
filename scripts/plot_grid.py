"""Plot the first images that every U-Net generates from the same noise."""

from depthbias.measures.samples import read_generated
from depthbias.report.sample_figures import plot_grid
from depthbias.report.style import save
from depthbias.system.arguments import DECIDABLE, FIGURE, arguments, files
from depthbias.system.errors import command

COLUMNS = 10


def main() -> None:
    classes = files("--classes", "from classify.py", metavar="NPZ")
    samples = files("--samples", "one ratio and seed", metavar="NPZ")
    args = arguments(__doc__, classes, samples, DECIDABLE, FIGURE)
    models = read_generated(args.samples, args.classes)
    save(plot_grid(models, COLUMNS, args.decidable), args.output)


if __name__ == "__main__":
    command(main)
