"""What the noise that generation starts from decides: one noise seed against another."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product

import numpy as np

from depthbias.estimates.arm_names import ARMS, in_arm
from depthbias.estimates.noise_bootstrap import NoiseBootstrap
from depthbias.estimates.runs import ALL
from depthbias.measures.amplification_rows import mean_difference
from depthbias.measures.arms import Model, measure
from depthbias.measures.class_shares import Instrument
from depthbias.measures.classified import Acceptance, Classified
from depthbias.measures.rows import Row, grouped, reported_classes, row_of


def noise_rows(
    runs: Sequence[Classified],
    instrument: Instrument,
    acceptance: Acceptance,
    bootstrap: NoiseBootstrap,
) -> Iterator[Row]:
    """Log-odds with every other noise seed minus those with the first, over training seeds.

    k is the noise seed. No row where all images start from one noise seed.
    """
    for group in grouped(runs, "ratio", "architecture", "sampler"):
        first, *others = dict.fromkeys(group[0].noise[:, 0].tolist())
        base = _of_noise(group, first, instrument, acceptance, bootstrap) if others else []
        for seed in others:
            models = _of_noise(group, seed, instrument, acceptance, bootstrap)
            pairs = list(zip(models, base, strict=True))
            for arm, (k, name) in product(ARMS, reported_classes(instrument.classes)):
                counted = [pair for pair in pairs if all(model.arms[arm].n for model in pair)]
                if counted:
                    estimate = mean_difference(counted, k, arm)
                    run = group[0].run._replace(seed=ALL)
                    metric = in_arm("log_odds_noise_difference", arm)
                    yield row_of(metric, estimate, run, name, len(counted)) | {"k": seed}


def _of_noise(
    runs: Sequence[Classified],
    seed: int,
    instrument: Instrument,
    acceptance: Acceptance,
    bootstrap: NoiseBootstrap,
) -> list[Model]:
    """The runs with the images of one noise seed alone."""
    made = []
    for run in runs:
        own = np.flatnonzero(run.noise[:, 0] == seed)
        parts = {
            name: getattr(run, name)[own] for name in ("labels", "decided", "accepted", "noise")
        }
        made.append(measure(replace(run, **parts), instrument, acceptance, bootstrap))
    return made
