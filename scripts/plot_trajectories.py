"""Plot trajectories and final images of models and simpler denoisers from the same noise."""

from depthbias.report.style import save
from depthbias.report.trajectory_figures import plot_trajectories, read_trajectories
from depthbias.system.arguments import FIGURE, Arguments, files, script


@script(files("--trajectories", "one ratio, seed", metavar="NPZ"), FIGURE)
def main(args: Arguments) -> None:
    save(plot_trajectories(read_trajectories(args.trajectories)), args.output)
