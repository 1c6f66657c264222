"""Mean distance of pairs of images, of models and of held-out real images, measured run by run."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np

from depthbias.estimates.intervals import Estimate
from depthbias.estimates.measurements import Measured
from depthbias.estimates.runs import ALL, REAL, Run
from depthbias.measures.embedding_files import RealEmbedded, RunEmbedded
from depthbias.measures.pair_means import between, mixed, overall, pseudo_values, within


def diversity(
    real: RealEmbedded,
    runs: Sequence[RunEmbedded],
    proportions: Mapping[str, np.ndarray],
) -> Iterator[Measured]:
    """lpips (all pairs), lpips_within (a class) and lpips_between (two classes, "a~b") of each run.

    The metric names end in ":" and the backbone. Held-out real images, once a ratio: all pairs as
    in a mix with the training proportions [K] of that ratio.
    """
    backbone = real.about["diversity"]["embedding"].removeprefix("lpips-")
    for model in runs:
        pseudo = pseudo_values(model.sums)
        yield Measured(model.run, f"lpips:{backbone}", overall(model.sums), values=pseudo)
        yield from _by_class(model.run, backbone, model.sums, model.labels, model.classes)
    labels = real.heldout_labels
    for ratio, shares in proportions.items():
        run = Run(runs[0].run.study, ratio, REAL, ALL)
        yield Measured(run, f"lpips:{backbone}", mixed(real.sums, labels, shares))
        yield from _by_class(run, backbone, real.sums, labels, real.classes)


def _by_class(
    run: Run, backbone: str, sums: np.ndarray, labels: np.ndarray, classes: Sequence[str]
) -> Iterator[Measured]:
    def measured(kind: str, estimate: Estimate, class_name: str) -> Measured:
        return Measured(run, f"lpips_{kind}:{backbone}", estimate, class_name=class_name)

    for a, name in enumerate(classes):
        yield measured("within", within(sums, labels, a), name)
    for a, b in combinations(range(len(classes)), 2):
        yield measured("between", between(sums, labels, a, b), f"{classes[a]}~{classes[b]}")
