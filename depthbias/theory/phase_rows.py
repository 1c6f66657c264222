"""Tidy rows of phase diagrams: shares of trials that recover, and the boundary with its interval.

`class` reads KxD: K subspaces of dimension D. On the boundary of all dimensions it is Kx.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from depthbias.estimates.intervals import Estimate, student_half_width, wilson
from depthbias.estimates.slopes import slope_weights
from depthbias.theory.phases import Phase

STUDY = "theory"
RECOVERED = 0.5  # largest error of a projector that counts as recovered; ours
Rows = Iterator[dict[str, Any]]


def boundary(errors: np.ndarray) -> np.ndarray:
    """[T]: the fewest points N of a class from which on a trial recovers, given errors [N, T].

    N = 1.. ; a trial that never does counts as one more than the largest N.
    """
    failed = errors > RECOVERED
    last = np.where(failed.any(0), len(failed) - np.argmax(failed[::-1], axis=0), 0)
    return np.asarray(last + 1)


def over_trials(values: np.ndarray) -> Estimate:
    """Mean of values [T] of independent trials with Student's t interval."""
    error = float(values.std(ddof=1)) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    reach = student_half_width(error, len(values) - 1)
    mean = float(values.mean())
    return Estimate(mean, mean - reach, mean + reach, len(values))


def phase_rows(phases: Iterable[Phase]) -> Rows:
    """Rows of all cells, then of the boundary N(d) of every method and K: excess and slope.

    excess: mean over d of N(d) - d; slope: of N(d) on d, where there are two dimensions or more.
    Both are taken of each trial, over all d; intervals are over trials.
    """
    measured = list(phases)
    for phase in measured:
        yield from _cells(phase)
    for method, classes in dict.fromkeys((p.method, p.classes) for p in measured):
        mine = [p for p in measured if (p.method, p.classes) == (method, classes)]
        yield from _boundaries(method, classes, mine)


def _cells(phase: Phase) -> Rows:
    keys = {"study": STUDY, "class": f"{phase.classes}x{phase.dimension}"}
    for row, errors in enumerate(phase.error):
        recovered = wilson(int((errors <= RECOVERED).sum()), len(errors))
        yield keys | _row(f"molrg_recovered:{phase.method}", row + 1, recovered)
        if phase.denoising is not None:
            gap = over_trials(phase.denoising[row])
            gap = gap._replace(lower=max(gap.lower, 0.0))
            yield keys | _row(f"molrg_denoising:{phase.method}", row + 1, gap)


def _boundaries(method: str, classes: int, phases: Sequence[Phase]) -> Rows:
    keys = {"study": STUDY, "class": f"{classes}x"}
    dimensions = np.array([phase.dimension for phase in phases], dtype=float)
    fewest = np.stack([boundary(phase.error) for phase in phases])  # [d, T]
    for phase, values in zip(phases, fewest, strict=True):
        yield keys | _row(f"molrg_boundary:{method}", phase.dimension, over_trials(values))
    excess = (fewest - dimensions[:, None]).mean(0)
    yield keys | _row(f"molrg_excess:{method}", None, over_trials(excess))
    if len(phases) > 1:
        slopes = slope_weights(dimensions) @ fewest
        yield keys | _row(f"molrg_slope:{method}", None, over_trials(slopes))


def _row(metric: str, k: float | None, estimate: Estimate) -> dict[str, Any]:
    return {"metric": metric, "k": k, **estimate._asdict()}
