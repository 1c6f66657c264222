"""Measure how like held-out real images the images of every model are."""

from depthbias.estimates.tidy import write_rows
from depthbias.measures.manifolds import write_manifold
from depthbias.system.arguments import (
    IMAGES,
    STUDY,
    SUBSETS,
    TABLE,
    THREADS,
    Arguments,
    WrongUsage,
    file,
    files,
    flag,
    positive,
    script,
)
from depthbias.system.files import check_writable, write_json
from depthbias.system.gpu_lease import computing
from depthbias.system.progress import Progress


@script(
    IMAGES,
    file("--real", "embedded real images (.npz)"),
    SUBSETS,
    files("--samples", "generated images (.npz)"),
    files("--embedded", "the same, embedded (.npz)"),
    flag("--embeddings", "names, like: pixels classifier", nargs="+"),
    flag("--k", "neighbours that balls reach to, like: 3 5 10", positive, nargs="+"),
    flag("--manifold-embedding", "the one that says which images lie on the manifold"),
    flag("--manifold-k", "the neighbour that says so", positive),
    STUDY,
    THREADS,
    TABLE,
    file("--manifold", "which images lie on the manifold, to write (.npz)"),
    file("--about", "what the manifold is, to write (.json)"),
)
def main(args: Arguments) -> None:
    if len(args.samples) != len(args.embedded):
        raise WrongUsage("--samples and --embedded must name the same runs in the same order")
    if args.manifold_embedding not in args.embeddings or args.manifold_k not in args.k:
        raise WrongUsage("the manifold must be one of --embeddings and one of --k")
    check_writable(args.output, args.manifold, args.about)
    with computing(args.threads, exact=True) as device:
        from depthbias.estimates.measurements import rows_of
        from depthbias.measures.neighbor_sets import NeighborData
        from depthbias.measures.quality_rows import (
            TRENDS,
            manifold_of,
            of_heldout,
            of_runs,
            references,
        )

        inputs = args.subsets, args.samples, args.embedded
        study = NeighborData(args.study, args.images, args.real, *inputs, args.embeddings)
        real = references(study, sorted(args.k), device)
        proportions = {subset.ratio: subset.proportions for subset in study.subsets}
        measured = [m for each in real for m in of_heldout(each, args.study, proportions)]
        found = []
        with Progress(len(study.runs), "quality", "runs") as progress:
            for quality in of_runs(study, real):
                measured += quality.measured
                found.append(quality)
                progress.update(len(found))
    trends = [f"{metric}:{name}" for metric in TRENDS for name in args.embeddings]
    write_rows(args.output, rows_of(measured, trends))
    manifold = manifold_of(study, real, found, args.manifold_embedding, args.manifold_k)
    write_manifold(args.manifold, manifold)
    described = study.real.about[args.manifold_embedding]
    write_json(args.about, {args.manifold_embedding: described | {"k": args.manifold_k}})
