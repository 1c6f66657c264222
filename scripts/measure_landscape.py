"""Merge minima as simulation and by two laws; then find the minima of the energy of images."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from depthbias.estimates.tidy import write_rows
from depthbias.system.arguments import (
    IMAGES,
    SUBSETS,
    TABLE,
    THREADS,
    Arguments,
    flag,
    natural,
    positive,
    script,
)
from depthbias.system.files import check_writable

if TYPE_CHECKING:
    from depthbias.theory.landscape_rows import Images


def read(args: Arguments) -> "Iterator[Images]":
    """The training images of every subset as points."""
    import torch

    from depthbias.data.pixels import to_float
    from depthbias.data.subsets import read_subset
    from depthbias.theory.landscape_rows import Images

    for path in args.subsets:
        subset = read_subset(path)
        points = to_float(torch.from_numpy(subset.images(args.images))).flatten(1)
        minority = torch.from_numpy(subset.labels == len(subset.classes) - 1)
        yield Images(subset.ratio, points, minority)


@script(
    flag("--ratios", "proportions before merging, like: 50-50 90-10", nargs="+"),
    flag("--groups", "minima that merge into one, like: 2 3", positive, nargs="+"),
    flag("--minima", "of a landscape, at most", positive),
    flag("--landscapes", "simulated, of a kind", positive),
    flag("--sigmas", "levels of the energy, rising", float, nargs="+"),
    flag("--seed", "draws landscapes and pairs", natural),
    IMAGES,
    SUBSETS,
    THREADS,
    TABLE,
)
def main(args: Arguments) -> None:
    check_writable(args.output)
    import torch

    from depthbias.theory.energy import check_levels
    from depthbias.theory.landscape_rows import Discrete, energy_rows, merging_rows

    torch.set_num_threads(args.threads)
    check_levels(args.sigmas)
    discrete = Discrete(args.ratios, args.groups, args.minima, args.landscapes, args.seed)
    rows = [*merging_rows(discrete), *energy_rows(read(args), args.sigmas, args.seed)]
    write_rows(args.output, rows)
