"""Compare depths at equal held-out loss through snapshots, beside equal images seen."""

from depthbias.data.subsets import read_subset
from depthbias.estimates.tidy import tidy
from depthbias.measures.class_shares import read_instrument
from depthbias.measures.classified import read_accepted, read_classified
from depthbias.measures.denoising_rows import read_all
from depthbias.measures.matched_loss import matched_rows, snapshots_of
from depthbias.measures.samples import read_classes
from depthbias.report.matched_table import sections
from depthbias.report.pages import write_pages
from depthbias.system.arguments import (
    PAGES,
    SUBSETS,
    Arguments,
    WrongUsage,
    file,
    files,
    flag,
    script,
)


@script(
    flag("--sweep", "its name"),
    flag("--studies", "of the sweep: one a snapshot", nargs="+"),
    flag("--values", "images seen of each of them", float, nargs="+"),
    file("--meta", "description of the classifier (.json)"),
    SUBSETS,
    files("--classes", "classified samples (.npz)"),
    files("--manifolds", "which images lie on the manifold, of each study (.npz)"),
    files("--denoising", "denoising errors (.npz)"),
    flag("--decidable", "least top probability of a decided image", float),
    flag("--bootstrap", "resamples behind an interval", int),
    *PAGES,
)
def main(args: Arguments) -> None:
    if not len(args.studies) == len(args.values) == len(args.manifolds):
        raise WrongUsage("--studies, --values and --manifolds must be as many")
    instrument = read_instrument(args.meta, args.bootstrap)
    classes = instrument.classes
    subsets = [read_subset(path, classes) for path in args.subsets]
    classified = []
    for study, path in zip(args.studies, args.manifolds, strict=True):
        manifold, acceptance = read_accepted(path, study, classes, args.bootstrap)
        own = [path for path in args.classes if read_classes(path).run.study == study]
        classified += read_classified(own, study, classes, subsets, args.decidable, manifold)
    seen = dict(zip(args.studies, map(int, args.values), strict=True))
    snapshots = snapshots_of(read_all(args.denoising), seen)
    table = tidy(matched_rows(args.sweep, snapshots, classified, instrument, acceptance))
    title = f"Depths at equal loss: sweep {args.sweep}"
    write_pages(args, title, table, sections(table))
