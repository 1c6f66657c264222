"""Estimate how often families of models make the same image of the same noise."""

from depthbias.data.splits import read_split
from depthbias.estimates.tidy import write_rows
from depthbias.system.arguments import (
    IMAGES,
    STUDY,
    TABLE,
    THREADS,
    Arguments,
    file,
    files,
    script,
)
from depthbias.system.files import map_npz


@script(
    files("--made", "images of all models, one a seed", metavar="NPZ"),
    IMAGES,
    file("--split", "rows that are held out (.json)"),
    STUDY,
    TABLE,
    THREADS,
)
def main(args: Arguments) -> None:
    import torch

    from depthbias.estimates.measurements import rows_of
    from depthbias.theory.family_files import read_made
    from depthbias.theory.family_rows import Space, family_rows

    split = read_split(args.split)
    held = split.rows("calibration", "control")[0]
    torch.set_num_threads(args.threads)
    space = Space(map_npz(args.images, "images"), split.rows("pool")[0], held)
    threshold, *measured = family_rows(read_made(args.made, args.study), space)
    write_rows(args.output, [threshold.row, *rows_of(measured, [])])
