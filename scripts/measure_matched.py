"""Compare depths at equal held-out loss through snapshots, beside equal images seen."""

from depthbias.data.subsets import read_subset
from depthbias.estimates.tidy import tidy
from depthbias.measures.class_shares import read_instrument
from depthbias.measures.denoising_rows import read_all
from depthbias.measures.matched_loss import matched_rows, snapshots_of
from depthbias.measures.samples import read_classified
from depthbias.report.matched_table import sections
from depthbias.report.pages import write_pages
from depthbias.system.arguments import PAGES, SUBSETS, file, files, flag, parser
from depthbias.system.errors import command


def main() -> None:
    given = parser(
        __doc__,
        flag("--sweep", "its name"),
        flag("--studies", "of the sweep: one a snapshot", nargs="+"),
        flag("--values", "images seen of each of them", float, nargs="+"),
        file("--meta", "description of the classifier (.json)"),
        SUBSETS,
        files("--classes", "classified samples (.npz)"),
        files("--denoising", "denoising errors (.npz)"),
        flag("--decidable", "least top probability of a decided image", float),
        flag("--bootstrap", "resamples behind an interval", int),
        *PAGES,
    )
    args = given.parse_args()
    if len(args.studies) != len(args.values):
        given.error(f"{len(args.studies)} --studies but {len(args.values)} --values")
    instrument = read_instrument(args.meta, args.bootstrap)
    classes = instrument.classes
    subsets = [read_subset(path, classes) for path in args.subsets]
    classified = read_classified(args.classes, None, classes, subsets, args.decidable)
    seen = dict(zip(args.studies, map(int, args.values), strict=True))
    snapshots = snapshots_of(read_all(args.denoising), seen)
    table = tidy(matched_rows(args.sweep, snapshots, classified, instrument))
    title = f"Depths at equal loss: sweep {args.sweep}"
    write_pages(args, title, table, sections(table))


if __name__ == "__main__":
    command(main)
