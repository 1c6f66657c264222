"""Classes of a data set, exact duplicates, and the images held out for calibration and control."""

import difflib
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from depthbias.system.errors import UserError

Rule = Mapping[str, Sequence[str]]  # {"all": [...], "any": [...], "none": [...]}, each optional


def class_labels(
    attributes: np.ndarray, names: Sequence[str], classes: Mapping[str, Rule]
) -> np.ndarray:
    """The class of every image, int64 [N]: index into `classes`, -1 for none.

    attributes bool [N, A] with their `names`. An image is in a class iff it has all attributes of
    "all", at least one of "any" (if given) and none of "none". UserError for an attribute that does
    not exist, a class without images, and an image in two classes.
    """
    labels = np.full(len(attributes), -1, dtype=np.int64)
    for index, (name, rule) in enumerate(classes.items()):
        mask = _in_class(attributes, names, name, rule)
        if not mask.any():
            raise UserError(f"class {name}: no image matches {dict(rule)}: change its attributes")
        shared = mask & (labels >= 0)
        if shared.any():
            other = list(classes)[labels[shared][0]]
            raise UserError(
                f"classes {other} and {name} share {shared.sum()} images "
                f"(row {shared.argmax()} is the first): exclude one from the other with 'none'"
            )
        labels[mask] = index
    return labels


def _in_class(attributes: np.ndarray, names: Sequence[str], name: str, rule: Rule) -> np.ndarray:
    columns = {attribute: column for column, attribute in enumerate(names)}
    unknown = set(rule) - {"all", "any", "none"}
    if unknown or not any(rule.values()):
        raise UserError(f"class {name}: give attributes under 'all', 'any' or 'none', nothing else")
    for attribute in (attribute for part in rule.values() for attribute in part):
        if attribute not in columns:
            raise UserError(
                f"class {name}: attribute {attribute!r} does not exist{_hint(attribute, names)}"
            )

    def chosen(part: str) -> np.ndarray:
        return attributes[:, [columns[attribute] for attribute in rule.get(part, ())]]

    some = chosen("any").any(axis=1) if rule.get("any") else True
    return np.asarray(chosen("all").all(axis=1) & ~chosen("none").any(axis=1) & some)


def _hint(name: str, names: Sequence[str]) -> str:
    by_lower = {known.lower(): known for known in names}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1)
    if close:
        return f": did you mean {by_lower[close[0]]!r}?"
    shown = ", ".join(names[:10])
    return f": the data set has {shown}" + (" ..." if len(names) > 10 else "")


def first_copies(blocks: Iterable[np.ndarray], wanted: np.ndarray) -> np.ndarray:
    """bool [N]: the wanted images without exact copies (equal bytes) of an earlier wanted one.

    blocks: uint8 [n, ...] arrays, N images in all; wanted: bool [N]. Images are told apart by a
    128-bit hash; one digest an image is kept in memory.
    """
    kept = wanted.copy()
    seen: set[bytes] = set()
    row = 0
    for block in blocks:
        for image in block:
            if wanted[row]:
                digest = hashlib.blake2b(image, digest_size=16).digest()
                kept[row] = digest not in seen
                seen.add(digest)
            row += 1
    return kept


@dataclass(frozen=True)
class Split:
    """Three parts that share no image, each the sorted rows (int64) of every class in order."""

    pool: list[np.ndarray]
    calibration: list[np.ndarray]
    control: list[np.ndarray]


def hold_out(labels: np.ndarray, classes: Sequence[str], heldout: int, seed: int) -> Split:
    """Hold out `heldout` random images a class: half for calibration (rounded up), half to control.

    labels int [N]: index into `classes`, or -1 for images that are not to be used. UserError when a
    class has no more than `heldout` images, as none would be left to train on.
    """
    if heldout < 2:
        raise UserError(
            f"holding out {heldout} images a class leaves a part empty: hold out 2 or more"
        )
    order = np.random.default_rng(seed).permutation(len(labels))
    split = Split([], [], [])
    for index, name in enumerate(classes):
        rows = order[labels[order] == index]
        if len(rows) <= heldout:
            raise UserError(
                f"class {name} has {len(rows)} different images: {heldout} cannot be held out and "
                f"some be left to train on; hold out fewer than {len(rows)}"
            )
        half = (heldout + 1) // 2
        split.calibration.append(np.sort(rows[:half]))
        split.control.append(np.sort(rows[half:heldout]))
        split.pool.append(np.sort(rows[heldout:]))
    return split
