"""The recipe of a study, for networks that a part of the theory bench trains itself."""

from collections.abc import Mapping
from typing import Any

from depthbias.diffusion.trainer import TrainingOptions
from depthbias.estimates.runs import Run
from depthbias.system.errors import reading


def recipe(training: Mapping[str, Any], run: Run, width: float) -> TrainingOptions:
    """The options of `--training` for one architecture and seed, by edm; UserError if one lacks."""
    own = {"architecture": run.architecture, "width": width, "seed": int(run.seed)}
    with reading("--training", "not the options of a training", "give all of them"):
        return TrainingOptions.chosen({**training, **own, "objective": "edm", "snapshots": []})
