"""Measure class proportions, amplification, trends, transitions and controls of a study."""

import numpy as np

from depthbias.data.subsets import read_subset
from depthbias.estimates.tidy import write_rows
from depthbias.measures.bias_rows import bias_rows
from depthbias.measures.class_shares import Instrument
from depthbias.measures.real_mixes import control_rows
from depthbias.measures.samples import read_classified
from depthbias.system.arguments import STUDY, SUBSETS, TABLE, Arguments, file, files, flag, script
from depthbias.system.errors import reading
from depthbias.system.files import read_json, read_npz


@script(
    file("--meta", "description of the classifier (.json)"),
    file("--control", "classified real images (.npz)"),
    SUBSETS,
    files("--classes", "classified samples (.npz)"),
    STUDY,
    flag("--decidable", "least top probability of a decided image", float),
    flag("--bootstrap", "resamples behind an interval", int),
    TABLE,
)
def main(args: Arguments) -> None:
    meta = read_json(args.meta)
    with reading(args.meta, "not a classifier", "train it again"):
        classes, confusion = meta["classes"], np.array(meta["confusion"])
    instrument = Instrument(classes, confusion, args.bootstrap)
    subsets = [read_subset(path, classes) for path in args.subsets]
    runs = read_classified(args.classes, args.study, classes, subsets, args.decidable)
    probabilities, truth = read_npz(args.control, "probabilities", "labels")
    rows = [
        *bias_rows(runs, instrument),
        *control_rows(args.study, truth, probabilities.argmax(axis=1), subsets, instrument),
    ]
    write_rows(args.output, rows)
