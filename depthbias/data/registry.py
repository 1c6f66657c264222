"""The data sets by name: one table. The loaders' modules import nothing heavy until they load."""

import inspect
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from depthbias.data import digits, mnist
from depthbias.data.celeba import load_celeba
from depthbias.data.dataset import DataSet, one_hot
from depthbias.data.digits import load_digits
from depthbias.data.folder import load_folder
from depthbias.data.mnist import load_mnist


@dataclass(frozen=True)
class DataSource:
    """A data set that can be prepared.

    load: called with those of `size`, `channels`, `folders` (where files are looked for, in turn),
    `folder` (the first of them), `table` (of labels) and `workers` that it has parameters for;
    description: a few words; needs: keys of the block `data` that must not be empty; takes_labels:
    whether it may have a table of labels; knows_persons: whether it can tell who is in an image;
    watched: whether its raw files may change, as those with a checksum may not. Of those that never
    change, counts: images of each of the labels "0", "1" ...; check: looks at the files that are
    in the folders already.
    """

    load: Callable[..., DataSet]
    description: str
    needs: tuple[str, ...] = ()
    takes_labels: bool = False
    knows_persons: bool = False
    watched: bool = False
    counts: tuple[int, ...] = ()
    check: Callable[[Sequence[Path]], None] = lambda folders: None


DATA_SETS = {
    "digits": DataSource(load_digits, "bundled with scikit-learn", counts=digits.COUNTS),
    "mnist": DataSource(
        load_mnist, "downloaded", needs=("raw",), counts=mnist.COUNTS, check=mnist.check_files
    ),
    "celeba": DataSource(
        load_celeba, "aligned faces", needs=("raw",), knows_persons=True, watched=True
    ),
    "folder": DataSource(
        load_folder, "own images", needs=("raw",), takes_labels=True, watched=True
    ),
}


def key_problem(name: str, raw: str, labels: str, by_person: bool) -> str:
    """What is wrong with the keys given for a data set, as "key: what"; "" if nothing is."""
    given = {"raw": raw, "labels": labels}
    for key in DATA_SETS[name].needs:
        if not given[key]:
            return f"{key}: data set {name} needs it"
    if labels and not DATA_SETS[name].takes_labels:
        takes = [other for other, row in DATA_SETS.items() if row.takes_labels]
        return f"labels: only for data set {' or '.join(takes)}, not {name}"
    if by_person and not DATA_SETS[name].knows_persons:
        takes = [other for other, row in DATA_SETS.items() if row.knows_persons]
        return f"by_person: only for data set {' or '.join(takes)}, not {name}"
    return ""


def folders_of(name: str, raw: str) -> list[Path]:
    """Where the files of a data set are looked for, in turn: its folder, the shared downloads."""
    shared = os.environ.get("DEPTHBIAS_DATA")
    return [Path(raw), *([Path(shared) / name, Path(shared)] if shared else [])]


def known_labels(
    name: str, folders: Sequence[Path], table: Path | None, by_person: bool, on_conflict: str
) -> DataSet:
    """What is known of a data set before an image is read: names, attributes, who is in an image.

    Its sources and images may be none. UserError for files that are missing or damaged; what could
    be downloaded may be missing.
    """
    row = DATA_SETS[name]
    if not row.counts:
        return load_data_set(
            name,
            folders,
            table,
            size=8,
            channels=1,
            workers=1,
            by_person=by_person,
            on_conflict=on_conflict,
        )
    row.check(folders)
    labels = np.repeat(np.arange(len(row.counts)), row.counts)
    names = [str(label) for label in range(len(row.counts))]
    return DataSet(names, one_hot(labels, len(names)), [], (8, 8, 1), [])


def load_data_set(
    name: str,
    folders: Sequence[Path],
    table: Path | None,
    *,
    size: int,
    channels: int,
    workers: int,
    by_person: bool = False,
    on_conflict: str = "stop",
) -> DataSet:
    """The data set `name` at size x size pixels with 1 (grey) or 3 (RGB) channels.

    folders: where its files are looked for, in turn; table: of labels, for own images; workers:
    processes that decode images; by_person: whether to tell who is in each image; on_conflict:
    "drop" lets a file have two labels. UserError for files that are missing or damaged.
    """
    load = DATA_SETS[name].load
    given = {"folders": folders, "folder": folders[0], "table": table}
    given |= {"size": size, "channels": channels, "workers": workers}
    given |= {"by_person": by_person, "on_conflict": on_conflict}
    wanted = inspect.signature(load).parameters
    return load(**{key: value for key, value in given.items() if key in wanted})
