"""Plot trajectories and final images of models and simpler denoisers from the same noise."""

from depthbias.report.style import save
from depthbias.report.trajectory_figures import plot_trajectories, read_trajectories
from depthbias.system.arguments import FIGURE, arguments, files
from depthbias.system.errors import command


def main() -> None:
    trajectories = files("--trajectories", "one ratio, seed", metavar="NPZ")
    args = arguments(__doc__, trajectories, FIGURE)
    save(plot_trajectories(read_trajectories(args.trajectories)), args.output)


if __name__ == "__main__":
    command(main)
