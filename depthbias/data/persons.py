"""Who is in an image, so that nobody is in the training images and in the held-out ones.

CelebA tells it in two files (.txt, or .csv of mirrors): identity_CelebA has a number of the person
for every image; list_eval_partition has the authors' parts (0 training, 1 validation, 2 test),
which share no person.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from depthbias.data.celeba_files import find_table, names_columns, read_words
from depthbias.data.splits import Split, hold_out
from depthbias.data.tables import Readable
from depthbias.system.errors import UserError, several
from depthbias.system.files import names_npz, read_npz

IDENTITIES, PARTITION = "identity_CelebA.txt", "list_eval_partition.txt"
TRAINING_PART = 0
GROUPED = PERSONS, PARTITIONS = "persons", "partition"  # arrays of a prepared data set


def read_persons(folders: Sequence[Path], source: Sequence[str]) -> tuple[str, np.ndarray]:
    """("persons", a number of the person of each image) or ("partition", its part), int64 [N].

    Of the images `source`, from the first of the two files that is in `folders`. UserError if
    neither is there, and for a file that does not tell it of every image.
    """
    for name, file in ((PERSONS, IDENTITIES), (PARTITIONS, PARTITION)):
        path = find_table(file, folders)
        if path is not None:
            return name, _numbers(path, source)
    raise UserError(
        f"{folders[0]}: data.by_person needs {IDENTITIES} or {PARTITION}: place one of them there, "
        "or set by_person: false (people are then in training and held-out images alike)"
    )


def _numbers(path: Readable, source: Sequence[str]) -> np.ndarray:
    told: dict[str, int] = {}
    problems = []
    for line, words in enumerate(read_words(path), 1):
        if not words or (line == 1 and names_columns(words)):
            continue
        if len(words) != 2 or not words[1].isdecimal() or words[0] in told:
            problems.append(
                f"line {line}: a file name that was not named before and a number are expected"
            )
        else:
            told[words[0]] = int(words[1])
    if problems:
        raise UserError(f"{several(path, problems)}: download the file again")
    unknown = [file for file in source if file not in told]
    if unknown:
        raise UserError(
            f"{path}: {unknown[0]} and {len(unknown) - 1} other images are missing: "
            "download the file again"
        )
    return np.array([told[file] for file in source], dtype=np.int64)


def hold_out_of(
    path: Path,
    labels: np.ndarray,
    classes: Sequence[str],
    heldout: int,
    seed: int,
    by_person: bool,
) -> Split:
    """The split of a prepared data set, by person where asked for; UserError if it tells none."""
    names = [name for name in GROUPED if by_person and name in names_npz(path)]
    if by_person and not names:
        raise UserError(f"{path}: tells no persons: prepare it again with by_person")
    grouped = dict(zip(names, read_npz(path, *names), strict=True))
    return hold_out_known(labels, classes, heldout, seed, grouped)


def hold_out_known(
    labels: np.ndarray,
    classes: Sequence[str],
    heldout: int,
    seed: int,
    grouped: Mapping[str, np.ndarray],
) -> Split:
    """The split by what is known of the persons in images, `DataSet.grouped`; it may be nothing."""
    if PARTITIONS in grouped:
        return hold_out_parts(labels, classes, heldout, seed, grouped[PARTITIONS])
    return hold_out(labels, classes, heldout, seed, grouped.get(PERSONS))


def hold_out_parts(
    labels: np.ndarray, classes: Sequence[str], heldout: int, seed: int, partition: np.ndarray
) -> Split:
    """As `hold_out`, of the authors' validation and test images; the pool is their training part.

    partition: int [N]. What is left of validation and test is not used. Persons of calibration and
    control may be the same.
    """
    trains = partition == TRAINING_PART
    split = hold_out(np.where(trains, -1, labels), classes, heldout, seed)
    pool = [np.flatnonzero(trains & (labels == k)) for k in range(len(classes))]
    for name, rows in zip(classes, pool, strict=True):
        if not len(rows):
            raise UserError(f"class {name} has no image in the training part of {PARTITION}")
    return Split(split.classes, pool, split.calibration, split.control)
