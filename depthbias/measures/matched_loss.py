"""Depths compared at equal held-out loss, through snapshots, beside equal images seen."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from depthbias.estimates.intervals import Estimate, over_seeds
from depthbias.estimates.runs import ALL, Run
from depthbias.measures.bias_rows import bias_rows
from depthbias.measures.class_shares import Instrument
from depthbias.measures.classified import Acceptance, Classified
from depthbias.measures.denoising_errors import DenoisingErrors
from depthbias.measures.rows import Row, grouped, row_of
from depthbias.system.errors import UserError

EQUAL_IMAGES, EQUAL_LOSS = "equal-images", "equal-loss"  # what `study` ends in


@dataclass(frozen=True)
class Snapshot:
    """A model at one moment of its training: images seen, and its held-out loss then."""

    run: Run
    seen: int
    loss: float


class Choice(NamedTuple):
    """One snapshot of every model, under the name of an arm."""

    arm: str
    snapshots: list[Snapshot]


def snapshots_of(errors: Sequence[DenoisingErrors], seen: Mapping[str, int]) -> list[Snapshot]:
    """seen: images seen of every study of the sweep; UserError for a run of none of them."""
    for one in errors:
        if one.run.study not in seen:
            raise UserError(f"study {one.run.study!r}: none of {', '.join(seen)}: leave it out")
    return [Snapshot(one.run, seen[one.run.study], one.heldout_loss) for one in errors]


def choices(snapshots: Sequence[Snapshot]) -> list[Choice]:
    """The last snapshot of every model, and those of matched loss.

    Matched, for each ratio: L* is the largest loss of a last snapshot, and every model is taken
    where its loss is nearest to L* (the latest of equally near ones).
    """
    last, matched = [], []
    for ratio in grouped(snapshots, "ratio"):
        found = [sorted(m, key=lambda s: -s.seen) for m in grouped(ratio, "architecture", "seed")]
        goal = max(model[0].loss for model in found)
        last += [model[0] for model in found]
        matched += [min(model, key=lambda s: abs(s.loss - goal)) for model in found]
    return [Choice(EQUAL_IMAGES, last), Choice(EQUAL_LOSS, matched)]


def matched_rows(
    sweep: str,
    snapshots: Sequence[Snapshot],
    classified: Sequence[Classified],
    instrument: Instrument,
    acceptance: Acceptance,
) -> Iterator[Row]:
    """Rows of bias, of images seen and of held-out loss of both choices, studies of their own.

    classified: the samples of every snapshot. UserError where those of a chosen one are not there.
    """
    by_run = {found.run._replace(sampler=""): found for found in classified}
    for arm, chosen in choices(snapshots):
        study = f"{sweep}-{arm}"
        runs = []
        for one in chosen:
            if one.run not in by_run:
                raise UserError(f"{one.run}: its samples are not classified: give them too")
            found = by_run[one.run]
            runs.append(replace(found, run=found.run._replace(study=study)))
        yield from bias_rows(runs, instrument, acceptance, {})
        named = [replace(one, run=one.run._replace(study=study)) for one in chosen]
        yield from _training_rows(named)


def _training_rows(chosen: Sequence[Snapshot]) -> Iterator[Row]:
    """How long each model was trained and how good it then was, over seeds as well."""
    for metric, name in (("images_seen", "seen"), ("heldout_loss", "loss")):
        for group in grouped(chosen, "ratio", "architecture"):
            values = np.array([float(getattr(one, name)) for one in group])
            for one, value in zip(group, values, strict=True):
                yield row_of(metric, Estimate(value, np.nan, np.nan, 1), one.run)
            mean = over_seeds(values, values[:, None], len(group))
            yield row_of(metric, mean, group[0].run._replace(seed=ALL), runs=len(group))
