"""What the theory bench measures of trained models: which slopes it gives, where values end."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from depthbias.measures.structure_files import Structure
from depthbias.measures.structure_rows import SHARE, structure_rows

COSINE = (-1.0, 1.0)


class Part(NamedTuple):
    """trends: metrics whose slope on depth is given; bounds: least and largest value, by metric."""

    trends: tuple[str, ...]
    bounds: dict[str, tuple[float, float]]


PARTS = {
    "jacobian": Part(
        trends=(
            "jacobian_rank",
            "jacobian_asymmetry",
            "local_error:leading",
            "local_error:random",
        ),
        bounds={"jacobian_rank": SHARE, "local_cosine": COSINE},
    ),
    "stages": Part(
        trends=(),
        bounds={
            "stages_loss_change": (-np.inf, np.inf),
            "stages_rank": SHARE,
            "stages_similarity": SHARE,
        },
    ),
    "editing": Part(
        trends=("edit_gain:loco", "edit_localisation:loco"),
        bounds={
            "edit_settled": SHARE,
            "edit_localisation": SHARE,
            **dict.fromkeys(
                (
                    "edit_linearity",
                    "edit_composability",
                    "edit_transferability",
                    "edit_homogeneity",
                ),
                COSINE,
            ),
        },
    ),
}


def model_rows(part: str, runs: Sequence[Structure]) -> Iterator[dict[str, Any]]:
    """Rows of every run, over seeds and over depth, of a part of the bench."""
    return structure_rows(runs, *PARTS[part])
