"""Plot the ROC curves of membership attacks on the models of one ratio, on log axes."""

from depthbias.measures.denoising_rows import read_all
from depthbias.report.membership_figures import plot_roc
from depthbias.report.style import save
from depthbias.system.arguments import FIGURE, Arguments, files, script


@script(files("--measurements", "denoising errors, one a run", metavar="NPZ"), FIGURE)
def main(args: Arguments) -> None:
    save(plot_roc(read_all(args.measurements)), args.output)
