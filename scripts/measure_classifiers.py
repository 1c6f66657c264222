"""Measure what several classifiers find, and how far they agree."""

from depthbias.estimates.tidy import write_rows
from depthbias.measures.accuracy_rows import accuracy_rows
from depthbias.measures.opinions import read_opinions
from depthbias.system.arguments import STUDY, TABLE, Arguments, file, script


@script(file("--opinions", "what all classifiers say (.npz)"), STUDY, TABLE)
def main(args: Arguments) -> None:
    opinions = read_opinions(args.opinions, args.study)
    write_rows(args.output, accuracy_rows(args.study, opinions))
