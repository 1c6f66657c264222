"""Unite the tables of an audit's groups into one, and their closest pairs, with file names."""

from pathlib import Path

import pandas as pd

from depthbias.estimates.tidy import read_rows, write_rows
from depthbias.measures.audit_rows import audit_rows
from depthbias.system.arguments import IMAGES, STUDY, TABLE, Arguments, file, files, script
from depthbias.system.errors import reading
from depthbias.system.files import names_npz, read_npz, write_csv


def named_pairs(path: Path, samples: list[Path], training: list[str]) -> pd.DataFrame:
    """The pairs of a group with the names of both images; of a model's samples their numbers."""
    with reading(path, "not a table of pairs", "delete it and run again"):
        pairs = pd.read_csv(path, dtype={"seed": str, "ratio": str})
        names = {}
        for one in samples:
            if "source" in names_npz(one):
                [names[one.parent.parent.name]] = read_npz(one, "source")
        made = [
            str(names[subject][index]) if subject in names else f"sample {index}"
            for subject, index in zip(pairs["architecture"], pairs["index"], strict=True)
        ]
        return pairs.assign(generated=made, training=[training[row] for row in pairs["row"]])


@script(
    files("--parts", "tables of all groups (.csv)"),
    files("--pairs", "closest pairs of every group (.csv)"),
    IMAGES,
    files("--samples", "generated images of all subjects (.npz)"),
    STUDY,
    TABLE,
    file("--closest", "closest pairs of all, to write (.csv)"),
)
def main(args: Arguments) -> None:
    [source] = read_npz(args.images, "source")
    tables = []
    for path in args.pairs:
        own = [one for one in args.samples if path.parent in one.parents]
        tables.append(named_pairs(path, own, source.tolist()).assign(study=args.study))
    rows = audit_rows([read_rows(path) for path in args.parts], args.study)
    write_rows(args.output, rows)
    write_csv(args.closest, pd.concat(tables, ignore_index=True))
