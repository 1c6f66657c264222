"""RP score: do two models make the same image of the same noise? ([SIAM], arXiv 2310.05264)"""

from collections.abc import Iterator, Sequence
from itertools import combinations

from depthbias.estimates.measurements import Measured, share_of
from depthbias.estimates.runs import Run, ordered_architectures
from depthbias.measures.copies import copies, paired_cosines
from depthbias.measures.embedding_files import RunEmbedded
from depthbias.measures.samples import same_noise
from depthbias.system.errors import UserError


def reproducibility(
    runs: Sequence[RunEmbedded], embedding: str, threshold: float
) -> Iterator[Measured]:
    """rp_score of every pair of architectures ("a~b") with one ratio, seed and sampler.

    And of every pair of seeds ("0~1") with one ratio, architecture and sampler, which differ in the
    training images as well. UserError for models that were not sampled from the same noise.
    """
    for model in runs:
        if model.metric(embedding) != "cosine":
            raise UserError(f"copies: {embedding} is not compared by cosines: name one that is")
    order = {
        name: place
        for place, name in enumerate(ordered_architectures(r.run.architecture for r in runs))
    }
    ranked = sorted(runs, key=lambda model: order[model.run.architecture])
    for first, second in combinations(ranked, 2):
        a, b = first.run, second.run
        pair = _pair(a, b)
        if pair is None:
            continue
        if not same_noise(first, second):
            raise UserError(
                f"{first.path} and {second.path}: not from the same noise: sample again"
            )
        similar = paired_cosines(first.vectors(embedding), second.vectors(embedding))
        yield share_of(copies(similar, threshold), pair, f"rp_score:{embedding}")


def _pair(a: Run, b: Run) -> Run | None:
    """Two runs that differ in the architecture alone or the seed alone, as one; else None."""
    if (a.ratio, a.sampler) != (b.ratio, b.sampler):
        return None
    if a.seed == b.seed:
        return a._replace(architecture=f"{a.architecture}~{b.architecture}")
    return a._replace(seed=f"{a.seed}~{b.seed}") if a.architecture == b.architecture else None
