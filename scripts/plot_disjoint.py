"""Plot what models trained on two sets without a common image make of the same noise."""

from depthbias.report.style import save
from depthbias.report.trajectory_figures import plot_disjoint, read_trajectories
from depthbias.system.arguments import FIGURE, arguments, files
from depthbias.system.errors import command


def main() -> None:
    first = files("--first", "one a U-Net", metavar="NPZ")
    second = files("--second", "of the other set", metavar="NPZ")
    args = arguments(__doc__, first, second, FIGURE)
    save(plot_disjoint(read_trajectories(args.first), read_trajectories(args.second)), args.output)


if __name__ == "__main__":
    command(main)
