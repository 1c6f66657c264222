"""Plot what every family makes of the same noises."""

from depthbias.report.family_figures import plot_family_samples
from depthbias.report.style import save
from depthbias.system.arguments import FIGURE, STUDY, Arguments, files, script
from depthbias.theory.family_files import read_made


@script(files("--made", "images of all models, one a seed", metavar="NPZ"), STUDY, FIGURE)
def main(args: Arguments) -> None:
    save(plot_family_samples(read_made(args.made, args.study)), args.output)
