"""Measurements by name at noise levels, of one run: the file between measuring and estimating."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from depthbias.estimates.runs import Run, as_json, read_run
from depthbias.system.errors import UserError
from depthbias.system.files import read_npz, write_npz


@dataclass(frozen=True)
class Structure:
    """What was measured of one run: sigmas [S], and values [S, n] by name."""

    run: Run
    sigmas: np.ndarray
    values: dict[str, np.ndarray]


def read_structures(paths: Iterable[Path], study: str) -> list[Structure]:
    """Runs in the order of their files; UserError for a damaged one, and for other noise levels."""
    runs: list[Structure] = []
    for path in paths:
        text, sigmas, names = read_npz(path, "run", "sigmas", "names")
        run = read_run(path, text, study)
        named = [str(name) for name in names.ravel()]
        values = dict(zip(named, read_npz(path, *named), strict=True))
        shapes = {(value.ndim, *value.shape[:1]) for value in values.values()}
        if sigmas.ndim != 1 or sigmas.dtype.kind != "f" or shapes != {(2, len(sigmas))}:
            raise UserError(f"{path}: is damaged: measure again")
        if runs and not np.array_equal(sigmas, runs[0].sigmas):
            raise UserError(f"{path}: measured at other noise levels than the rest: measure again")
        runs.append(Structure(run, sigmas, values))
    return runs


def write_structure(path: Path, found: Structure, **more: np.ndarray) -> None:
    """Write what `read_structures` reads, and more arrays beside it."""
    about: dict[str, np.ndarray | str] = {"sigmas": found.sigmas, "run": as_json(found.run)}
    write_npz(path, about | {"names": np.array(list(found.values))} | found.values | more)
