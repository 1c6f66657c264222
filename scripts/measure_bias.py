"""Measure class proportions, amplification, trends, transitions and controls of a study."""

from depthbias.data.subsets import read_subset
from depthbias.estimates.tidy import read_rows, write_rows
from depthbias.measures.bias_rows import bias_rows
from depthbias.measures.class_shares import read_instrument
from depthbias.measures.classified import read_accepted, read_classified
from depthbias.measures.effective_depths import effective_depths
from depthbias.measures.real_mixes import control_rows
from depthbias.system.arguments import STUDY, SUBSETS, TABLE, Arguments, file, files, flag, script
from depthbias.system.files import read_npz


@script(
    file("--meta", "description of the classifier (.json)"),
    file("--control", "classified real images (.npz)"),
    SUBSETS,
    files("--classes", "classified samples (.npz)"),
    file("--manifold", "which images lie on the manifold (.npz)"),
    file("--denoising", "effective depths (.csv)", default=None),
    STUDY,
    flag("--decidable", "least top probability of a decided image", float),
    flag("--bootstrap", "resamples behind an interval", int),
    TABLE,
)
def main(args: Arguments) -> None:
    instrument = read_instrument(args.meta, args.bootstrap)
    classes = instrument.classes
    subsets = [read_subset(path, classes) for path in args.subsets]
    manifold, acceptance = read_accepted(args.manifold, args.study, classes, args.bootstrap)
    runs = read_classified(args.classes, args.study, classes, subsets, args.decidable, manifold)
    probabilities, truth = read_npz(args.control, "probabilities", "labels")
    depths = effective_depths(read_rows(args.denoising)) if args.denoising else {}
    rows = [
        *bias_rows(runs, instrument, acceptance, depths),
        *control_rows(args.study, truth, probabilities.argmax(axis=1), subsets, instrument),
    ]
    write_rows(args.output, rows)
