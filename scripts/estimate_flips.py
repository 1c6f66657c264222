"""Turn round trips into rows: flips, bias and variance of the class; neighbours that vote."""

from depthbias.data.subsets import read_subset, subset_of
from depthbias.estimates.tidy import write_rows
from depthbias.measures.samples import read_classes
from depthbias.system.arguments import (
    IMAGES,
    STUDY,
    SUBSETS,
    TABLE,
    THREADS,
    Arguments,
    files,
    script,
)
from depthbias.system.files import check_writable
from depthbias.system.gpu_lease import computing


@script(
    IMAGES,
    SUBSETS,
    files("--flips", "classes of decoded images, one a run (.npz)"),
    files("--classes", "classes of generated images, one a run (.npz)"),
    STUDY,
    THREADS,
    TABLE,
)
def main(args: Arguments) -> None:
    check_writable(args.output)
    subsets = [read_subset(path) for path in args.subsets]
    with computing(args.threads, exact=True) as device:
        from depthbias.measures.flip_rows import flip_rows, generated_rows
        from depthbias.measures.nearest_classes import twins
        from depthbias.measures.trip_classes import read_all

        models = read_all(args.flips, args.study)
        paths = dict(
            zip([(one.run.ratio, one.run.seed) for one in models], args.flips, strict=True)
        )
        first = {(one.run.ratio, one.run.seed): one for one in reversed(models)}
        voted = [
            twin
            for key in paths
            for twin in twins(first[key], subset_of(subsets, paths[key], *key), args.images, device)
        ]
    generated = [read_classes(path, args.study) for path in args.classes]
    trained = {(one.ratio, one.seed): one.proportions for one in subsets}
    rows = [*flip_rows(models, voted), *generated_rows(generated, trained)]
    write_rows(args.output, rows)
