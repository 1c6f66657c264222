"""Measure the mean perceptual distance over all pairs of images of every model."""

from depthbias.data.subsets import read_subset
from depthbias.estimates.measurements import rows_of
from depthbias.estimates.tidy import write_rows
from depthbias.measures.diversity import diversity
from depthbias.measures.embedding_files import read_all
from depthbias.system.arguments import STUDY, SUBSETS, TABLE, Arguments, file, files, script
from depthbias.system.files import write_json


@script(
    file("--real", "embedded real images (.npz)"),
    files("--embedded", "embedded samples (.npz)"),
    SUBSETS,
    STUDY,
    TABLE,
    file("--about", "what the distance is, to write (.json)"),
)
def main(args: Arguments) -> None:
    real, runs = read_all(args.real, args.embedded, args.study)
    subsets = [read_subset(path, real.classes) for path in args.subsets]
    proportions = {subset.ratio: subset.proportions for subset in subsets}
    measured = list(diversity(real, runs, proportions))
    trends = [measured[0].metric, measured[1].metric]  # lpips and lpips_standardised
    write_rows(args.output, rows_of(measured, trends))
    write_json(args.about, {"diversity": real.about["diversity"]})
