"""Measure how often two models of a study make the same image of the same noise."""

from depthbias.estimates.measurements import rows_of
from depthbias.estimates.tidy import write_rows
from depthbias.measures.copy_thresholds import read_thresholds
from depthbias.measures.embedding_files import check_alike, read_embedded
from depthbias.measures.reproducibility import reproducibility
from depthbias.system.arguments import STUDY, TABLE, Arguments, file, files, script


@script(
    files("--embedded", "embedded samples (.npz)"),
    file("--about", "thresholds of copies, by embedding (.json)"),
    STUDY,
    TABLE,
)
def main(args: Arguments) -> None:
    runs = [read_embedded(path, args.study) for path in args.embedded]
    check_alike(runs[0], runs)
    measured = [
        score
        for name, threshold in read_thresholds(args.about).items()
        for score in reproducibility(runs, name, threshold)
    ]
    write_rows(args.output, rows_of(measured, []))
