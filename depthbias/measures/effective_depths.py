"""The effective depth of every architecture of a study, from its tidy rows."""

from collections.abc import Mapping

import pandas as pd

from depthbias.estimates.tidy import models, of, single_seeds
from depthbias.measures.rows import OfRun


def effective_depths(rows: pd.DataFrame) -> dict[str, float]:
    """{architecture: mean effective depth of its models, over ratios and seeds}, if it has stages.

    rows: tidy rows, such as those of denoising.csv or of a summary.
    """
    single = single_seeds(models(of(rows, "effective_depth")))
    means = single.groupby("architecture", sort=False)["value"].mean()
    return {str(name): float(value) for name, value in means.items()}


class EffectiveDepth:
    """What trends on effective depth are fitted on: that of an item's architecture, 0 for none."""

    def __init__(self, depths: Mapping[str, float]) -> None:
        self.depths = depths

    def __call__(self, item: OfRun) -> float:
        return self.depths.get(item.run.architecture, 0.0)
