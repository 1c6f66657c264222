"""Do models of other families make the same image of the same noise? Rows of every seed.

Images are compared by the cosine of their pixels less the mean training image. A pair counts as the
same image above a threshold, which 1 % of held-out images exceed with their nearest training image.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from depthbias.estimates.intervals import Estimate
from depthbias.estimates.measurements import Measured, share_of
from depthbias.estimates.runs import Run
from depthbias.measures.copies import copies, paired_cosines
from depthbias.measures.copy_thresholds import calibrate
from depthbias.measures.quality import balls, held
from depthbias.theory.family_files import Made
from depthbias.theory.family_names import DELTA, GRID, HALVES, Member

BALL = 5  # the neighbour that the balls of precision reach to


class Space:
    """Images as centred pixels. images: uint8 [L, H, W, C]; training, heldout: rows of them.

    threshold: the cosine above which two images are the same.
    """

    def __init__(self, images: np.ndarray, training: np.ndarray, heldout: np.ndarray) -> None:
        self._images = images
        self._mean = images[training].reshape(len(training), -1).astype(np.float64).mean(0)
        self._heldout = heldout
        self._balls = balls(images[heldout].reshape(len(heldout), -1), [BALL])

    def vectors(self, images: np.ndarray) -> np.ndarray:
        """float64 [N, D]."""
        return images.reshape(len(images), -1) - self._mean

    def like_real(self, images: np.ndarray) -> np.ndarray:
        """Which images lie in the ball of a held-out image, to its neighbour BALL, bool [N]."""
        found: np.ndarray = held(images.reshape(len(images), -1), self._balls)[:, 0] > 0
        return found

    def nearest(self, vectors: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """The largest cosine with one of these rows of the data set, float64 [N]."""
        training = self.vectors(self._images[rows])
        lengths = np.linalg.norm(vectors, axis=1)[:, None] * np.linalg.norm(training, axis=1)
        found: np.ndarray = (vectors @ training.T / np.maximum(lengths, 1e-12)).max(1)
        return found

    def threshold(self, seeds: Sequence[Made]) -> Estimate:
        """Calibrated on the largest training sets of all seeds."""
        real = self.vectors(self._images[self._heldout])
        return calibrate([self.nearest(real, one.halves[h]) for one in seeds for h in HALVES])


def family_rows(seeds: Sequence[Made], space: Space) -> Iterator[Measured]:
    """Every measure of every seed, `k` the number of training images.

    family_rp: share of pairs with the same image, from the same noise and training images, "a~b";
    family_rp_chance: the same of different noises; family_rp_disjoint:WIDTH, of one family from
    disjoint training images; family_gl:WIDTH: share of images that are no copy of one of their own;
    family_precision:WIDTH: share of images that are like real ones.
    """
    threshold = space.threshold(seeds)
    yield Measured(seeds[0].run._replace(seed="all"), "family_threshold", threshold)
    for made in seeds:
        yield from _of_seed(made, space, threshold.value)


def _of_seed(made: Made, space: Space, threshold: float) -> Iterator[Measured]:
    vectors = {m: space.vectors(i) for m, i in zip(made.members, made.images, strict=True)}
    images = dict(zip(made.members, made.images, strict=True))
    for family, width, size in dict.fromkeys(m[:3] for m in made.members):
        own = [vectors[Member(family, width, size, half)] for half in HALVES]
        run = made.run._replace(architecture=family)
        disjoint = copies(paired_cosines(*own), threshold)
        yield _share(disjoint, run, f"family_rp_disjoint:{width:g}", size)
        both = np.concatenate([images[Member(family, width, size, half)] for half in HALVES])
        yield _share(space.like_real(both), run, f"family_precision:{width:g}", size)
        near = [
            space.nearest(v, made.halves[half][:size]) for v, half in zip(own, HALVES, strict=True)
        ]
        new = ~copies(np.concatenate(near), threshold)
        yield _share(new, run, f"family_gl:{width:g}", size)
    yield from _pairs(made, vectors, threshold)


def _pairs(made: Made, vectors: dict[Member, np.ndarray], threshold: float) -> Iterator[Measured]:
    """Families on the same training images: all at the largest size, GRID and DELTA at each."""
    sizes = sorted({m.size for m in made.members})
    families = list(dict.fromkeys(m.family for m in made.members if m.width == made.width))
    for size in sizes:
        shown = families if size == sizes[-1] else [f for f in families if f in (GRID, DELTA)]
        for first, second in combinations(shown, 2):
            pairs = [
                [vectors[Member(family, made.width, size, half)] for family in (first, second)]
                for half in HALVES
            ]
            run = made.run._replace(architecture=f"{first}~{second}")
            for metric, shift in (("family_rp", 0), ("family_rp_chance", 1)):
                cosines = [paired_cosines(a, np.roll(b, shift, axis=0)) for a, b in pairs]
                yield _share(copies(np.concatenate(cosines), threshold), run, metric, size)


def _share(flags: np.ndarray, run: Run, metric: str, size: int) -> Measured:
    return replace(share_of(flags, run, metric), k=size)
