"""Subsets with exact class proportions, and the one reader of a subset's file."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from depthbias.data.splits import Split, class_names, is_rows
from depthbias.system.errors import UserError, reading
from depthbias.system.files import map_npz, read_json


@dataclass(frozen=True)
class Subset:
    """Training images: rows int [N] of the data set, and their labels int [N] among `classes`."""

    path: Path
    ratio: str
    seed: str
    classes: tuple[str, ...]
    rows: np.ndarray
    labels: np.ndarray

    @property
    def counts(self) -> np.ndarray:
        """Images of each class, int [K]."""
        return np.bincount(self.labels, minlength=len(self.classes))

    @property
    def proportions(self) -> np.ndarray:
        """Share of each class, [K]."""
        return self.counts / len(self.labels)

    def images(self, path: Path) -> np.ndarray:
        """Its images uint8 [N, S, S, C] in a prepared data set; UserError if that has fewer."""
        images = map_npz(path, "images")
        if self.rows.max() >= len(images):
            raise UserError(
                f"{self.path}: not a subset of {path} ({len(images)} images): draw it again"
            )
        return np.asarray(images[self.rows])


def read_subset(path: Path, classes: Sequence[str] | None = None) -> Subset:
    """The subset in a file; UserError if it is damaged, or has other classes than `classes`."""
    content = read_json(path)
    with reading(path, "not a training subset", "draw it again"):
        names = class_names(content["classes"])
        rows, labels = np.array(content["indices"]), np.array(content["labels"])
        subset = Subset(path, str(content["ratio"]), str(content["seed"]), names, rows, labels)
        fit = is_rows(rows) and is_rows(labels) and rows.shape == labels.shape
        if not (fit and labels.max() < len(names)):
            raise ValueError("indices and labels do not fit")
    if classes is not None:
        check_classes(path, names, classes)
    return subset


def check_classes(path: Path, own: Sequence[str], classes: Sequence[str]) -> None:
    """UserError unless a file has these classes in this order."""
    if list(own) != list(classes):
        raise UserError(
            f"{path}: its classes are {', '.join(own)}, not {', '.join(classes)}: make it again"
        )


def subset_of(subsets: Sequence[Subset], path: Path, ratio: str, seed: str) -> Subset:
    """The subset that a run of this ratio and seed was trained on; path: the run's file."""
    for subset in subsets:
        if (subset.ratio, subset.seed) == (ratio, seed):
            return subset
    raise UserError(f"{path}: no subset {ratio} of seed {seed} was given")


def percentages(ratio: str) -> list[float]:
    """The parts of a ratio like "90-10"; UserError unless all are above 0 and their sum is 100."""
    if not re.fullmatch(r"\d+(\.\d+)?(-\d+(\.\d+)?)+", ratio):
        raise UserError(f"{ratio!r} is not a ratio: write 90-10, 50-30-20 or natural")
    parts = [float(part) for part in ratio.split("-")]
    if not math.isclose(sum(parts), 100):
        raise UserError(f"{ratio!r} sums to {sum(parts):g}, not 100: change its numbers")
    if min(parts) <= 0:
        raise UserError(f"{ratio!r} has an empty class: leave the class out instead")
    return parts


def class_proportions(
    ratio: str, classes: Sequence[str], population: Sequence[int]
) -> dict[str, float]:
    """{class: fraction} of a ratio like "90-10" (percent, in the order of `classes`) or "natural".

    "natural" is the share of each class in `population`, its number of images in the data set.
    """
    if ratio == "natural":
        total = sum(population)
        return {name: count / total for name, count in zip(classes, population, strict=True)}
    percents = percentages(ratio)
    if len(percents) != len(classes):
        raise UserError(
            f"{ratio!r}: {len(classes)} percentages are needed, for {', '.join(classes)}"
        )
    return {name: percent / 100 for name, percent in zip(classes, percents, strict=True)}


def class_counts(fractions: Sequence[float], size: int) -> list[int]:
    """Whole numbers that sum to `size` and are closest to size * fractions (largest remainder).

    Of equal remainders the first listed class gets the image.
    """
    # Rounding removes the error of binary fractions: 0.29 * 100 is 28.999999999999996.
    quotas = [round(fraction * size, 9) for fraction in fractions]
    counts = [math.floor(quota) for quota in quotas]
    by_remainder = sorted(range(len(counts)), key=lambda i: counts[i] - quotas[i])
    for i in by_remainder[: size - sum(counts)]:
        counts[i] += 1
    return counts


def draw_subset(
    labels: np.ndarray,
    proportions: Mapping[Any, float],
    size: int,
    seed: int,
    disjoint: bool = False,
) -> np.ndarray:
    """Sorted indices int64 [size] into `labels` [N], with the counts class_counts(fractions, size).

    proportions: {class: fraction}, at least 0 and summing to 1; classes left out are not drawn.
    Every class is taken in the order of one seeded permutation of all rows, so for one seed the
    rows of a class at a small share are contained in its rows at a larger one. With `disjoint`,
    seeds 0, 1, 2 ... take one block of one permutation after another, so that no two of them share
    an image. UserError for a class that does not exist, bad fractions, and a size that the labels
    do not allow.
    """
    labels = np.asarray(labels)
    if labels.ndim != 1:
        raise ValueError(f"labels must be one-dimensional, not of shape {labels.shape}")
    _check_fractions(proportions, set(np.unique(labels).tolist()))
    if size < 1:
        raise UserError(f"a subset of {size} images is empty: ask for 1 or more")
    order = np.random.default_rng(0 if disjoint else seed).permutation(len(labels))
    members = [order[labels[order] == name] for name in proportions]
    counts = class_counts(list(proportions.values()), size)
    block = seed if disjoint else 0
    _check_available(proportions, counts, [len(rows) // (block + 1) for rows in members])
    chosen = [
        rows[block * count : (block + 1) * count]
        for rows, count in zip(members, counts, strict=True)
    ]
    return np.sort(np.concatenate(chosen))


def draw_from(split: Split, ratio: str, size: int, seed: int, disjoint: bool) -> dict[str, Any]:
    """The content of a subset's file: what `draw_subset` draws from the pool of a split.

    ratio: as in `class_proportions`.
    """
    proportions = class_proportions(ratio, split.classes, split.population)
    rows, labels = split.rows("pool")
    blocks = seed + 1 if disjoint else 1
    check_size(ratio, split.classes, split.population, [*map(len, split.pool)], size, blocks)
    names = np.array(split.classes)[labels]
    chosen = draw_subset(names, proportions, size, seed, disjoint)
    counts = np.bincount(labels[chosen], minlength=len(split.classes))
    return {
        "ratio": ratio,
        "seed": seed,
        "classes": split.classes,
        "indices": rows[chosen],
        "labels": labels[chosen],
        "counts": counts,
        "proportions": counts / size,
        "size": size,
    }


def check_size(
    ratio: str,
    classes: Sequence[str],
    population: Sequence[int],
    pool: Sequence[int],
    size: int,
    blocks: int,
) -> None:
    """UserError if the pool cannot give so many disjoint subsets of this size at this ratio.

    population, pool: images of each class, in the data set and left to train on.
    """
    proportions = class_proportions(ratio, classes, population)
    counts = class_counts(list(proportions.values()), size)
    try:
        _check_available(proportions, counts, [count // blocks for count in pool])
    except UserError as error:
        apart = f", apart for {blocks} seeds" if blocks > 1 else ""
        raise UserError(f"ratio {ratio}{apart}: {error}") from error
    check_counts(ratio, classes, counts)


LEAST_OF_CLASS = 2  # training images: a spread within the class is measured


def check_counts(ratio: str, classes: Sequence[str], counts: Sequence[int]) -> None:
    """UserError if a subset at this ratio has too few images of a class to measure it."""
    for name, count in zip(classes, counts, strict=True):
        if count < LEAST_OF_CLASS:
            raise UserError(
                f"ratio {ratio}: {sum(counts)} images have {count} of {name}, and "
                f"{LEAST_OF_CLASS} are needed: raise subset_size, or leave the class out"
            )


def _check_fractions(proportions: Mapping[Any, float], present: set[Any]) -> None:
    for name, fraction in proportions.items():
        if name not in present:
            known = ", ".join(str(label) for label in sorted(present))
            raise UserError(f"class {name!r} does not exist: the labels hold {known}")
        if not fraction >= 0:
            raise UserError(f"class {name!r}: proportion {fraction} is negative; give 0 to 1")
    total = sum(proportions.values())
    if not math.isclose(total, 1, abs_tol=1e-9):
        raise UserError(f"the proportions sum to {total:g}, not to 1")


def _check_available(
    proportions: Mapping[Any, float], counts: Sequence[int], available: Sequence[int]
) -> None:
    if all(count <= have for count, have in zip(counts, available, strict=True)):
        return
    needed = ", ".join(
        f"{count} of {name!s} (available: {have})"
        for name, count, have in zip(proportions, counts, available, strict=True)
    )
    largest = _largest_size(list(proportions.values()), available)
    raise UserError(
        f"a subset of {sum(counts)} images at this ratio needs {needed}: "
        f"the largest possible size for this ratio is {largest}"
    )


def _largest_size(fractions: Sequence[float], available: Sequence[int]) -> int:
    # A count is more than its quota minus one: that bounds the size from above; step down from it.
    pairs = list(zip(fractions, available, strict=True))
    size = min(math.ceil((have + 1) / fraction) for fraction, have in pairs if fraction > 0)
    while any(n > have for n, have in zip(class_counts(fractions, size), available, strict=True)):
        size -= 1
    return size
