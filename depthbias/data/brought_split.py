"""Which of the images that were brought are trained on, and which ones tell what is normal."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from depthbias.data.brought import IMAGE, warn
from depthbias.data.splits import Rule, class_labels, hold_out
from depthbias.system.errors import UserError

LEAST = 24  # images a class that are set aside where none are held out, if there are as many


class BroughtSplit(NamedTuple):
    """Classes, and the rows of each in the parts of a split; training: parts that were trained on.

    left_out: held-out images that are training images as well; repeated: training images that are
    copies of others, which stay.
    """

    classes: list[str]
    parts: dict[str, list[np.ndarray]]
    training: list[str]
    left_out: int
    repeated: int

    def content(self, images: str, seed: int) -> dict[str, Any]:
        """As split.py writes it, and what the models were trained on; images: a fingerprint."""
        trained = zip(*(self.parts[part] for part in self.training), strict=True)
        return {
            "classes": self.classes,
            "population": [sum(map(len, rows)) for rows in trained],
            "duplicates": self.repeated,
            "conflicts": 0,
            **{
                part: dict(zip(self.classes, rows, strict=True))
                for part, rows in self.parts.items()
            },
            "seed": seed,
            "images": images,
            "trained_on": self.training,
            "left_out": self.left_out,
        }


def split_brought(
    attributes: np.ndarray,
    names: Sequence[str],
    classes: Mapping[str, Rule],
    first: np.ndarray,
    training: int,
    heldout: int,
    seed: int,
) -> BroughtSplit:
    """Split images of which the first `training` are those that the models were trained on.

    attributes bool [N, A] with their names; classes: none is the class IMAGE; first: as
    `first_copies` tells, int [N]; heldout: how many images a class are set aside where none are
    held out, 0: a tenth. UserError for a training image without a class.
    """
    labels = np.zeros(len(first), dtype=np.int64)
    if classes:
        labels = class_labels(attributes, names, classes)
    named = list(classes) or [IMAGE]
    outside = np.flatnonzero(labels[:training] < 0)
    if len(outside):
        raise UserError(
            f"{len(outside)} training images are in no class (row {outside[0]} is the first): add "
            "a class for them, or write no in the column used if no model has seen them"
        )
    repeated = int(np.count_nonzero(first[:training] != np.arange(training)))
    if training == len(first):
        return _set_aside(labels, named, heldout, seed, repeated)
    own, left_out = _different(first, training)
    turn = np.random.default_rng(seed).permutation(len(first))
    parts: dict[str, list[np.ndarray]] = {"pool": [], "calibration": [], "control": []}
    for place, name in enumerate(named):
        of_class = labels == place
        rows = turn[(of_class & own)[turn]]
        parts["pool"].append(np.flatnonzero(of_class[:training]))
        half = (len(rows) + 1) // 2
        parts["calibration"].append(np.sort(rows[:half]))
        parts["control"].append(np.sort(rows[half:]))
        for kind, count in (("training", len(parts["pool"][-1])), ("held-out", len(rows))):
            if count < 2:
                raise UserError(f"class {name} has {count} {kind} images: it needs 2 or more")
    return BroughtSplit(named, parts, ["pool"], left_out, repeated)


def _different(first: np.ndarray, training: int) -> tuple[np.ndarray, int]:
    """(which images are held-out ones that no image before them equals, bool [N]; how many held-out
    ones are training images). Warns of those that are left out."""
    outside = np.arange(len(first)) >= training
    seen = outside & (first < training)
    own = outside & (first == np.arange(len(first)))
    if seen.any():
        warn(f"{seen.sum()} held-out images are training images as well: they are left out")
    if copies := int(np.count_nonzero(outside & ~own & ~seen)):
        warn(f"{copies} held-out images are copies of other held-out ones: they are left out")
    return own, int(seen.sum())


def _set_aside(
    labels: np.ndarray, classes: list[str], heldout: int, seed: int, repeated: int
) -> BroughtSplit:
    """Training images that the classifier does not see: those of `hold_out`."""
    fewest = int(np.bincount(labels, minlength=len(classes)).min())
    count = heldout or max(min(LEAST, fewest // 2), fewest // 10)
    split = hold_out(labels, classes, count, seed)
    parts = {"pool": split.pool, "calibration": split.calibration, "control": split.control}
    return BroughtSplit(classes, parts, list(parts), 0, repeated)
