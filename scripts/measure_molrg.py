"""Measure from how many points the subspaces of MoLRG are recovered, by every method."""

from depthbias.estimates.tidy import write_rows
from depthbias.system.arguments import TABLE, THREADS, Arguments, flag, natural, positive, script
from depthbias.system.files import check_writable
from depthbias.system.progress import Progress

CLASSES = (1, 2)


@script(
    flag("--space", "dimensions of the space", positive),
    flag("--dimensions", "of a subspace, like: 2 4 8", positive, nargs="+"),
    flag("--points", "points a class: 1 up to this number", positive),
    flag("--trials", "sets of subspaces and points", positive),
    flag("--starts", "of K-subspaces", positive),
    flag("--seed", "draws subspaces, points and noise", natural),
    THREADS,
    TABLE,
)
def main(args: Arguments) -> None:
    check_writable(args.output)
    import torch

    from depthbias.theory.phase_rows import phase_rows
    from depthbias.theory.phases import Grid, measure_phases

    torch.set_num_threads(args.threads)
    names = ("space", "dimensions", "points", "trials", "starts", "seed")
    grid = Grid(**{name: getattr(args, name) for name in names})
    cells = len(CLASSES) * len(args.dimensions)
    with Progress(cells, "subspaces", "dimensions") as progress:
        phases = list(measure_phases(grid, CLASSES, progress.update))
    write_rows(args.output, phase_rows(phases))
