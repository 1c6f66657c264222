"""Plot the training loss of every run of a study against images seen."""

from depthbias.report.loss_figure import plot_losses, read_logs
from depthbias.report.style import save
from depthbias.system.arguments import FIGURE, STUDY, arguments, files
from depthbias.system.errors import command


def main() -> None:
    args = arguments(__doc__, STUDY, files("--logs", "training logs", metavar="CSV"), FIGURE)
    save(plot_losses(read_logs(args.logs, args.study), args.study), args.output)


if __name__ == "__main__":
    command(main)
