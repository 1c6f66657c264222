"""Plot what models trained on two sets without a common image make of the same noise."""

from depthbias.report.style import save
from depthbias.report.trajectory_figures import plot_disjoint, read_trajectories
from depthbias.system.arguments import FIGURE, Arguments, files, script


@script(
    files("--first", "one a U-Net", metavar="NPZ"),
    files("--second", "of the other set", metavar="NPZ"),
    FIGURE,
)
def main(args: Arguments) -> None:
    save(plot_disjoint(read_trajectories(args.first), read_trajectories(args.second)), args.output)
