"""Measure what several classifiers find in the samples of a study, and how far they agree."""

from depthbias.data.subsets import check_classes, read_subset
from depthbias.estimates.tidy import write_rows
from depthbias.measures.accuracy_rows import accuracy_rows
from depthbias.measures.agreement_rows import agreement_rows
from depthbias.measures.classifier_rows import classifier_rows
from depthbias.measures.manifolds import read_manifold
from depthbias.measures.opinions import read_opinions
from depthbias.measures.seen import instruments_of, see
from depthbias.system.arguments import STUDY, SUBSETS, TABLE, Arguments, file, flag, script


@script(
    file("--opinions", "what all classifiers say (.npz)"),
    SUBSETS,
    file("--manifold", "which images lie on the manifold (.npz)"),
    STUDY,
    flag("--bootstrap", "resamples behind an interval", int),
    TABLE,
)
def main(args: Arguments) -> None:
    opinions = read_opinions(args.opinions, args.study)
    subsets = [read_subset(path, opinions.classes) for path in args.subsets]
    manifold = read_manifold(args.manifold, args.study)
    check_classes(args.manifold, manifold.classes, opinions.classes)
    instruments = instruments_of(opinions, args.bootstrap)
    seen = list(see(args.opinions, opinions, instruments, subsets, manifold))
    rows = [
        *accuracy_rows(args.study, opinions),
        *classifier_rows(seen, opinions.classes),
        *agreement_rows(seen, opinions),
    ]
    write_rows(args.output, rows)
