"""Measure class proportions by the labels that a person gave to some generated images."""

from depthbias.data.subsets import read_subset
from depthbias.estimates.tidy import write_rows
from depthbias.measures.label_rows import label_rows
from depthbias.measures.label_sheet import counts_of, read_labels
from depthbias.measures.samples import join, read_classes, read_samples
from depthbias.system.arguments import (
    STUDY,
    SUBSETS,
    TABLE,
    Arguments,
    WrongUsage,
    file,
    files,
    flag,
    script,
)


@script(
    file("--labels", "image names and labels (.csv)"),
    files("--samples", "generated images, main sampler (.npz)"),
    files("--classes", "what the classifier made of them (.npz)"),
    SUBSETS,
    STUDY,
    flag("--bootstrap", "resamples behind an interval", int),
    TABLE,
)
def main(args: Arguments) -> None:
    if len(args.samples) != len(args.classes):
        raise WrongUsage("--samples and --classes must name the same runs in the same order")
    models = [read_classes(path, args.study) for path in args.classes]
    classes = models[0].classes
    given = read_labels(args.labels, classes)
    subsets = [read_subset(path, classes) for path in args.subsets]
    pairs = zip(args.samples, models, strict=True)
    counts = counts_of(args.labels, given, (join(read_samples(s), m) for s, m in pairs))
    write_rows(args.output, label_rows(args.labels, models, counts, subsets, args.bootstrap))
