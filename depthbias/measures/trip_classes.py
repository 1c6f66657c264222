"""The classes of decoded images of one model: the one reader and writer of this archive."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from depthbias.estimates.runs import Run, as_json, read_run
from depthbias.system.errors import UserError
from depthbias.system.files import read_npz, write_npz


@dataclass(frozen=True)
class TripClasses:
    """What N images became at L noise levels with J noises of each image.

    decoded: int8 [L, J, N], among `classes` [K]; levels: [L], rising; rows: of the data set,
    rising, and labels: int [N]; heldout, own, shared: bool [N], as `round_trips.Travellers` has
    them; proportions: [K], of the classes in the training subset; k: neighbours that voted, 0 for a
    model and for weighted votes.
    """

    run: Run
    decoded: np.ndarray
    levels: np.ndarray
    noise_seed: int
    rows: np.ndarray
    labels: np.ndarray
    heldout: np.ndarray
    own: np.ndarray
    shared: np.ndarray
    classes: tuple[str, ...]
    proportions: np.ndarray
    k: int = 0


ARRAYS = tuple(field.name for field in fields(TripClasses) if field.name not in ("run", "k"))
KINDS = dict(zip(ARRAYS, "ifiiibbbUf", strict=True))


def write_trip_classes(path: Path, trips: TripClasses) -> None:
    """Write the archive of one run, atomically."""
    arrays = {name: np.asarray(getattr(trips, name)) for name in ARRAYS}
    write_npz(path, arrays | {"run": as_json(trips.run)})


def read_trip_classes(path: Path, study: str | None = None) -> TripClasses:
    """The archive of one run; UserError if it is damaged, or of another study."""
    text, *arrays = read_npz(path, "run", *ARRAYS)
    run = read_run(path, text, study)
    found: dict[str, Any] = dict(zip(ARRAYS, arrays, strict=True))
    kinds = {name: array.dtype.kind for name, array in found.items()}
    if kinds != KINDS or not _plausible(found):
        raise UserError(f"{path}: is damaged: make the round trips again")
    told = {"noise_seed": int(found["noise_seed"]), "classes": tuple(map(str, found["classes"]))}
    return TripClasses(run, **found | told)


def read_all(paths: Iterable[Path], study: str) -> list[TripClasses]:
    """Runs in the order of their files; UserError for one that cannot be compared with the rest."""
    found: list[TripClasses] = []
    for path in paths:
        trips = read_trip_classes(path, study)
        first = found[0] if found else trips
        alike = next((other for other in found if other.run.ratio == trips.run.ratio), trips)
        for same, words in (
            (np.array_equal(trips.levels, first.levels), "at other noise levels"),
            (trips.decoded.shape[1] == first.decoded.shape[1], "with more or fewer noises"),
            (trips.noise_seed == first.noise_seed, "with other noise"),
            (trips.classes == first.classes, "with other classes"),
            (_same(trips, first, "heldout"), "on other held-out images"),
            (_same(trips, alike, "shared"), "on other training images"),
        ):
            if not same:
                raise UserError(f"{path}: made {words} than the rest: make the round trips again")
        found.append(trips)
    return found


def _same(one: TripClasses, other: TripClasses, part: str) -> bool:
    """Whether two runs have the same images of a part."""
    rows = [trips.rows[getattr(trips, part)] for trips in (one, other)]
    return np.array_equal(*rows)


def _plausible(found: dict[str, Any]) -> bool:
    """Whether shapes fit, there is something of every part, and labels are classes."""
    levels, images, classes = (found[name].size for name in ("levels", "rows", "classes"))
    decoded, parts = found["decoded"], [found[name] for name in ("heldout", "own", "shared")]
    shapes = {found[name].shape for name in ("rows", "labels", "heldout", "own", "shared")}
    return bool(
        shapes == {(images,)}
        and decoded.ndim == 3
        and decoded.shape[::2] == (levels, images)
        and found["levels"].shape == (levels,)
        and found["noise_seed"].shape == ()
        and found["classes"].shape == found["proportions"].shape == (classes,)
        and min(decoded.size, *(part.sum() for part in parts)) > 0
        and all(0 <= at.min() <= at.max() < classes for at in (decoded, found["labels"]))
        and (np.diff(found["levels"], prepend=0) > 0).all()
        and (np.diff(found["rows"]) > 0).all()
    )
