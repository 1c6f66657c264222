"""The generated images of each run as all classifiers of a study see them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from scipy.special import logit

from depthbias.data.subsets import Subset, subset_of
from depthbias.estimates.noise_bootstrap import NoiseBootstrap
from depthbias.estimates.runs import Run
from depthbias.measures.arms import Shares, shares_of
from depthbias.measures.class_shares import Instrument
from depthbias.measures.manifolds import Manifold
from depthbias.measures.opinions import Opinions
from depthbias.measures.rows import reported_classes
from depthbias.measures.samples import same_noise
from depthbias.system.errors import UserError

THRESHOLDS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
Above = tuple[str, str, float]  # classifier, class, threshold
Parts = Mapping[str, np.ndarray]  # "yes", "no": bool [N], which images


@dataclass(frozen=True)
class Seen:
    """What the classifiers find in the images of one run, all from one bootstrap of the noises.

    shares: of the classes by every classifier, corrected with its confusion, K = classes; above:
    the share of images whose probability of a class reaches a threshold; agreed: that of images to
    which classifiers give the same class, by the ending of the metric. The last two have K = 2,
    the second for those that do not; n is 0 where there is no image.
    """

    run: Run
    trained: np.ndarray
    shares: Mapping[str, Shares]
    above: Mapping[Above, Shares]
    agreed: Mapping[str, Shares]

    @property
    def n(self) -> int:
        """Images."""
        return next(iter(self.shares.values())).n


def instruments_of(opinions: Opinions, draws: int) -> dict[str, Instrument]:
    """Every classifier as an instrument; UserError for one that cannot tell the classes apart."""
    found = {
        name: Instrument(opinions.classes, opinions.confusion(name), draws)
        for name in opinions.names
    }
    for name, instrument in found.items():
        try:
            _ = instrument.rates
        except ValueError as error:
            raise UserError(f"{name}: {error}: leave it out of classifiers.others") from error
    return found


def see(
    path: Path,
    opinions: Opinions,
    instruments: Mapping[str, Instrument],
    subsets: Sequence[Subset],
    manifold: Manifold,
) -> Iterator[Seen]:
    """All runs; UserError where the manifold or a subset is not theirs. path: of the opinions."""
    if not same_noise(opinions, manifold):
        raise UserError(f"{path}: not from the noise of the manifold: measure the quality again")
    bootstrap = NoiseBootstrap(next(iter(instruments.values())).draws)
    for run in opinions.runs:
        told = opinions.of(run)
        subset = subset_of(subsets, path, run.ratio, run.seed)
        classes = {
            name: {k: told[:, c].argmax(axis=1) == j for j, k in enumerate(opinions.classes)}
            for c, name in enumerate(opinions.names)
        }
        above, agreed = _above(told, opinions), _agreed(told, opinions.names, manifold.of(run))
        groups: dict[str, Parts] = {f"classes {name}": parts for name, parts in classes.items()}
        groups |= {f"above {key}": parts for key, parts in above.items()}
        groups |= {f"agreed {key}": parts for key, parts in agreed.items()}
        found = shares_of(groups, run, opinions.noise, bootstrap)
        yield Seen(
            run,
            subset.proportions,
            {
                name: _corrected(instrument, found[f"classes {name}"])
                for name, instrument in instruments.items()
            },
            {key: found[f"above {key}"] for key in above},
            {key: found[f"agreed {key}"] for key in agreed},
        )


def _corrected(instrument: Instrument, raw: Shares) -> Shares:
    return Shares(instrument.solve(raw.values), instrument.solve_draws(raw.draws), raw.n)


def reaches(told: np.ndarray, threshold: float) -> np.ndarray:
    """Which log-odds are those of a probability of at least the threshold."""
    return np.asarray(told >= np.float32(logit(threshold)))


def _above(told: np.ndarray, opinions: Opinions) -> dict[Above, Parts]:
    """Of which images [N] each classifier's probability of a class reaches each threshold."""
    return {
        (name, label, threshold): _parts(reaches(told[:, c, k], threshold))
        for c, name in enumerate(opinions.names)
        for k, label in reported_classes(opinions.classes)
        for threshold in THRESHOLDS
    }


def _agreed(told: np.ndarray, names: Sequence[str], accepted: np.ndarray) -> dict[str, Parts]:
    """To which images all classifiers, and each two, give one class: on and off the manifold."""
    where = {"": np.ones(len(told), dtype=bool), "_inside": accepted, "_outside": ~accepted}
    same = agreements(told, names)
    return {
        place + pair: _parts(flags, among)
        for place, among in where.items()
        for pair, flags in same.items()
    }


def agreements(told: np.ndarray, names: Sequence[str]) -> dict[str, np.ndarray]:
    """bool [N] of log-odds [N, C, K]: where all give one class, "", and each two, ":a~b"."""
    labels = told.argmax(axis=2)
    pairs = {
        f":{names[a]}~{names[b]}": labels[:, a] == labels[:, b]
        for a, b in combinations(range(len(names)), 2)
    }
    return {"": (labels == labels[:, :1]).all(axis=1), **pairs}


def _parts(flags: np.ndarray, among: np.ndarray | bool = True) -> Parts:
    return {"yes": flags & among, "no": ~flags & among}
