"""Plot the training loss of every run of a study against images seen."""

from depthbias.report.loss_figure import plot_losses, read_logs
from depthbias.report.style import save
from depthbias.system.arguments import FIGURE, STUDY, Arguments, files, script


@script(STUDY, files("--logs", "training logs", metavar="CSV"), FIGURE)
def main(args: Arguments) -> None:
    save(plot_losses(read_logs(args.logs, args.study), args.study), args.output)
