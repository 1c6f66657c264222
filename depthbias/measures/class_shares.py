"""Class proportions corrected for the classifier's errors, and their log-odds."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from scipy.special import logit

from depthbias.estimates.intervals import Estimate, draw_shares, from_draws
from depthbias.system.errors import UserError
from depthbias.system.files import read_json

EM_STEPS = 10_000
TINY = np.finfo(np.float64).tiny
DRAWS = 20_000  # limits then vary by about 1 % of the interval's half width


def corrected_prevalence(counts: np.ndarray, confusion: np.ndarray) -> list[Estimate]:
    """True proportions of K classes among classified images, one estimate a class.

    counts [K]: images classified as each class. confusion [K, K]: number classified i among true j,
    measured on images of known class. The value solves M p = q on the simplex, M the confusion with
    columns that sum to 1 and q = counts/n (two classes: Rogan and Gladen, Am. J. Epidemiol. 107:71,
    1978). The interval has the errors of both counts and confusion: percentiles of the solution for
    shares and columns drawn from their posteriors with Jeffreys' prior (coverage:
    docs/statistics.md). ValueError for counts that are none, or a classifier that cannot tell the
    classes apart.
    """
    counts = np.asarray(counts)
    names = [str(index) for index in range(len(counts))]
    instrument = Instrument(names, np.asarray(confusion), DRAWS)
    values, _, draws = instrument.correct(counts)
    n = int(counts.sum())
    return [from_draws(values[k], draws[:, k], n) for k in range(len(counts))]


@dataclass(frozen=True)
class Instrument:
    """A classifier as a measuring instrument.

    confusion [K, K]: number classified i among true j; draws: resamples behind an interval.
    """

    classes: Sequence[str]
    confusion: np.ndarray
    draws: int

    def correct(self, counts: np.ndarray, *key: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(corrected shares [K], resampled raw shares [B, K], resampled corrected shares [B, K]).

        counts [K]: classified images. key names the random numbers of the images; those of the
        confusion are the same whatever is classified, as its error is.
        """
        if len(counts) != len(self.confusion) or counts.min() < 0 or counts.sum() == 0:
            raise ValueError(f"counts must be {len(self.confusion)} numbers from 0, not all 0")
        raw = draw_shares(counts, self.draws, self.classes, "images", *key)
        return self.solve(counts / counts.sum()), raw, self.solve_draws(raw)

    def solve(self, raw: np.ndarray) -> np.ndarray:
        """Corrected shares [K] of raw shares [K]."""
        return solve_shares(raw, self.rates)

    def solve_draws(self, raw: np.ndarray) -> np.ndarray:
        """Corrected shares [B, K] of resampled raw shares [B, K], each by resampled rates."""
        return solve_shares(raw, self._drawn_rates)

    @cached_property
    def rates(self) -> np.ndarray:
        """M[i, j] = P(classified i | true j), [K, K]."""
        k, totals = len(self.classes), self.confusion.sum(axis=0)
        if self.confusion.shape != (k, k) or self.confusion.min() < 0 or totals.min() == 0:
            raise ValueError(f"confusion must be {k} by {k} counts, none negative, no column empty")
        rates = self.confusion / totals
        if np.linalg.cond(rates) > 1e6:
            raise ValueError("singular confusion: the classifier cannot tell the classes apart")
        return rates

    @cached_property
    def _drawn_rates(self) -> np.ndarray:
        """[B, K, K]: rates with each column resampled from its counts."""
        columns = [
            draw_shares(column, self.draws, self.classes, "classified", name)
            for name, column in zip(self.classes, self.confusion.T, strict=True)
        ]
        return np.stack(columns, axis=2)


def read_instrument(path: Path, draws: int) -> Instrument:
    """The instrument that the description of a classifier tells; UserError if it does not."""
    meta = read_json(path)
    try:
        return Instrument(meta["classes"], np.array(meta["confusion"]), draws)
    except (KeyError, TypeError) as error:
        raise UserError(f"{path}: not a classifier ({error}): train it again") from error


def solve_shares(shares: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """p on the simplex under which `shares` of images classified so are most likely, [..., K].

    shares [..., K], rates [..., K, K]: the maximum of sum_i shares_i log (rates @ p)_i. Where the
    solution of rates @ p = shares has no negative entry it is p. Else, for two classes, it is
    clipped to [0, 1]; for more, p is found by expectation-maximisation from the projection of the
    solution (Duchi et al., ICML 2008, algorithm 1).
    """
    free = np.linalg.solve(rates, shares[..., None])[..., 0]
    ordered = -np.sort(-free, axis=-1)
    over = (np.cumsum(ordered, axis=-1) - 1) / np.arange(1, free.shape[-1] + 1)
    kept = (ordered > over).sum(axis=-1, keepdims=True)
    projected = np.maximum(free - np.take_along_axis(over, kept - 1, axis=-1), 0)
    outside = (free < 0).any(axis=-1)
    if free.shape[-1] > 2 and outside.any():
        full = np.broadcast_to(rates, (*outside.shape, *rates.shape[-2:]))
        projected[outside] = _most_likely(shares[outside], full[outside], projected[outside])
    return projected


def _most_likely(shares: np.ndarray, rates: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Expectation-maximisation of shares of a mixture whose parts are known, [M, K].

    shares, start [M, K]; rates [M, K, K]. Stops where a step changes no share by 1e-10.
    """
    found = start + 1e-3  # of any sum: a step makes it 1
    for _ in range(EM_STEPS):
        expected = np.einsum("mij,mj->mi", rates, found)
        ratio = shares / np.maximum(expected, TINY)  # 0 / 0 counts as 0
        step = found * np.einsum("mij,mi->mj", rates, ratio)
        if np.abs(step - found).max() < 1e-10:
            break
        found = step
    return step


def log_odds(shares: np.ndarray, n: int | np.ndarray) -> np.ndarray:
    """logit of shares among n images; not taken nearer to 0 or 1 than half an image is."""
    return logit(np.clip(shares, 0.5 / n, 1 - 0.5 / n))
