"""Tidy rows of energy landscapes: shares of the minority's minima, kappa of the laws, curvature.

Discrete landscapes: `class` is the size of a group, `k` the level, `ratio` the proportions before.
Continuous ones: `sigma` is s, `ratio` that of the training images. The minority is the last class.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from depthbias.data.subsets import percentages
from depthbias.estimates.intervals import stream
from depthbias.theory.energy import Energy, check_levels, distinct
from depthbias.theory.merging import (
    merged_shares,
    most_levels,
    powered_shares,
    predicted_kappa,
    simulate,
)
from depthbias.theory.phase_rows import STUDY

LAWS = {"recursion": merged_shares, "odds-power": powered_shares}
PAIRS = 1000  # of points between which the curvature is looked at, beside nearest neighbours
STEP = 0.1  # times s^2 / (distance of a pair): where the weight goes from one to the other
Rows = Iterator[dict[str, Any]]


class Discrete(NamedTuple):
    """Which discrete landscapes: at most `minima` minima each, `landscapes` of a kind."""

    ratios: Sequence[str]
    groups: Sequence[int]
    minima: int
    landscapes: int
    seed: int


def minority_share(ratio: str) -> float:
    """The last part of proportions like 90-10, as a fraction; UserError for other text."""
    return percentages(ratio)[-1] / 100


def merging_rows(discrete: Discrete) -> Rows:
    """The simulated shares with intervals, and of each law the shares and its kappa.

    kappa is the slope of `predicted_kappa` over the ratios; none where a share rounds to 0 or 1.
    """
    before = {ratio: minority_share(ratio) for ratio in discrete.ratios}
    for group in discrete.groups:
        keys = {"study": STUDY, "class": str(group)}
        levels = most_levels(discrete.minima, group)
        for ratio, p in before.items():
            random = stream("landscape", str(discrete.seed), ratio, str(group))
            found = simulate(p, group, levels, discrete.landscapes, random)
            for level, share in enumerate(found):
                metric = {"metric": "landscape_share:simulated", "k": level}
                yield keys | metric | {"ratio": ratio, **share._asdict()}
        for law, shares_of in LAWS.items():
            shares = {ratio: shares_of(p, group, levels) for ratio, p in before.items()}
            for ratio, values in shares.items():
                for level, value in enumerate(values):
                    metric = {"metric": f"landscape_share:{law}", "k": level, "value": value}
                    yield keys | metric | {"ratio": ratio}
            for level in range(levels + 1):
                kappa = predicted_kappa([*before.values()], [s[level] for s in shares.values()])
                if np.isfinite(kappa):
                    yield keys | {"metric": f"landscape_kappa:{law}", "k": level, "value": kappa}


class Images(NamedTuple):
    """Training images as points [N, d], and whether each is of the minority, bool [N]."""

    ratio: str
    points: Tensor
    minority: Tensor


def energy_rows(sets: Iterable[Images], levels: Sequence[float], seed: int) -> Rows:
    """Minima, whose they are, and curvature of E_s at every level; kappa of the basins over ratios.

    UserError for levels that do not increase.
    """
    check_levels(levels)
    before: list[float] = []
    after: dict[float, list[float]] = {level: [] for level in levels}
    for images in sets:
        before.append(float(images.minority.double().mean()))
        for level in levels:
            values = _minima(images, level) | _curvatures(images, level, seed)
            after[level].append(values["energy_minority_basins"])
            keys = {"study": STUDY, "ratio": images.ratio, "sigma": level, "n": len(images.points)}
            yield from (keys | {"metric": name, "value": value} for name, value in values.items())
    for level, shares in after.items():
        kappa = predicted_kappa(before, shares)
        if np.isfinite(kappa):
            yield {"study": STUDY, "sigma": level, "metric": "energy_kappa", "value": kappa}


def _minima(images: Images, level: float) -> dict[str, float]:
    """How many minima there are, and the minority's share of minima, and of images in basins.

    A minimum is of the minority where the images of the minority have more than half of the weight.
    The basins are those of the training images: the minima that descent from them ends in.
    """
    energy = Energy(images.points)
    places, owners = distinct(energy.descend(energy.points, level), level)
    theirs = energy.weights(places, level)[:, images.minority].sum(1) > 0.5
    return {
        "energy_minima": len(places),
        "energy_minority_minima": float(theirs.double().mean()),
        "energy_minority_basins": float(theirs[owners].double().mean()),
    }


def _curvatures(images: Images, level: float, seed: int) -> dict[str, float]:
    """The largest Hessian norm that was found, and the largest |grad E(x) - grad E(y)| / |x - y|.

    Looked for halfway between images: each and its nearest, and pairs at random. Both are lower
    bounds of one number, the Lipschitz constant of the gradient.
    """
    energy, ends = Energy(images.points), _pairs(images.points, seed)
    way, middles = ends[:, 1] - ends[:, 0], ends.mean(1)
    apart = STEP * level**2 / way.square().sum(1, keepdim=True) * way
    slopes = energy.gradient(middles + apart, level) - energy.gradient(middles - apart, level)
    return {
        "energy_hessian": float(energy.curvature(middles, level).max()),
        "energy_lipschitz": float((slopes.norm(dim=1) / (2 * apart).norm(dim=1)).max()),
    }


def _pairs(points: Tensor, seed: int) -> Tensor:
    """Pairs of different points [P, 2, d]: each with its nearest other, and PAIRS at random."""
    points = points.double()
    distances = torch.cdist(points, points)
    distances[distances < 1e-9] = torch.inf  # a point itself, and copies of it
    count, random = len(points), np.random.default_rng(seed)
    first = random.integers(count, size=PAIRS)
    second = (first + random.integers(1, count, size=PAIRS)) % count
    rows = torch.cat([torch.arange(count), torch.from_numpy(first)])
    others = torch.cat([distances.argmin(1), torch.from_numpy(second)])
    ends = torch.stack([points[rows], points[others]], dim=1)
    return ends[(ends[:, 1] - ends[:, 0]).norm(dim=1) > 1e-9]
