"""Exact copies of images in a data set, and copies that are in different classes."""

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np

from depthbias.system.errors import UserError, several


def first_copies(blocks: Iterable[np.ndarray], wanted: np.ndarray) -> np.ndarray:
    """The row of the first wanted image of which an image is an exact copy, int64 [N].

    Its own row if there is none before it, -1 for images that are not wanted. blocks: uint8
    [n, ...] arrays, N images in all; wanted: bool [N]. Images are told apart by a 128-bit hash of
    their bytes; one digest an image is kept in memory.
    """
    first = np.full(len(wanted), -1, dtype=np.int64)
    seen: dict[bytes, int] = {}
    row = 0
    for block in blocks:
        for image in block:
            if wanted[row]:
                digest = hashlib.blake2b(image, digest_size=16).digest()
                first[row] = seen.setdefault(digest, row)
            row += 1
    return first


def settled(
    labels: np.ndarray,
    first: np.ndarray,
    classes: Sequence[str],
    source: Sequence[str],
    on_conflict: str,
) -> np.ndarray:
    """The labels, int64 [N], with -1 for every image that is there under two classes as well.

    labels int64 [N]: index into `classes`, or -1; first: as `first_copies` tells; source: a name of
    each image. UserError that names both rows of each pair unless on_conflict is "drop".
    """
    differs = np.flatnonzero((labels >= 0) & (labels[first] != labels)).tolist()
    if differs and on_conflict != "drop":

        def told(row: int) -> str:
            return f"{source[row]} (class {classes[labels[row]]}, row {row})"

        pairs = [f"{told(first[row])} and {told(row)} are one picture" for row in differs]
        raise UserError(
            f"{several('', pairs)}: correct their labels, or say data.on_conflict: drop to use "
            "none of them"
        )
    return np.where((labels >= 0) & np.isin(first, first[differs]), -1, labels)
