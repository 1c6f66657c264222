"""What makes class shares mean little or nothing, as sentences where they are read.

The thresholds are ours. docs/verdict.md gives the reasons for them.
"""

from collections.abc import Iterator

import pandas as pd

from depthbias.estimates.runs import ordered_architectures
from depthbias.estimates.tidy import main_sampler, models, of, over_seeds, single_seeds

HIGH, NEARLY_ALL = 0.5, 0.95  # shares of images
SHARES = {
    "undecidable_share": "undecidable",
    "failed_share": "undecidable or off the manifold of real images",
}


def doubts(summary: pd.DataFrame) -> list[str]:
    """A sentence for each reason not to trust the class shares of a study's main sampler."""
    rows = main_sampler(summary)
    return [*_failures(rows), *_seeds(rows)]


def _failures(rows: pd.DataFrame) -> Iterator[str]:
    """Of models most of whose images are of no class; all of them if that holds for nearly all."""
    for metric, words in SHARES.items():
        found = models(over_seeds(of(rows, metric)))
        high = found[found["value"] >= HIGH]
        if len(high) and len(found) == len(high) and (high["value"] >= NEARLY_ALL).all():
            yield f"Nearly all images of all models are {words}: class shares mean nothing."
            return
        for ratio, group in high.groupby("ratio", sort=False):
            names = ", ".join(ordered_architectures(group["architecture"]))
            yield (
                f"At {ratio}, {_range(group['value'])} of the images of {names} are {words}: "
                "class shares mean little."
            )
        if len(high):
            return  # what is undecidable has failed as well


def _range(shares: pd.Series) -> str:
    ends = dict.fromkeys(f"{100 * share:.0f}" for share in (shares.min(), shares.max()))
    return f"{' to '.join(ends)} %"


def _seeds(rows: pd.DataFrame) -> Iterator[str]:
    """Of a study whose trainings were not repeated."""
    seeds = set(single_seeds(models(of(rows, "share_corrected")))["seed"])
    if len(seeds) == 1:
        yield "One training seed: no interval holds how much trainings differ."
