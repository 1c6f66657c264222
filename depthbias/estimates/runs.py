"""Which run a file or a measurement is about, and the names that stand for no single run."""

import json
import math
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from depthbias.diffusion.architectures import SERIES, get_architecture
from depthbias.system.arguments import flag
from depthbias.system.errors import UserError, reading

ALL = "all"  # the ratio, architecture or seed of what is over all of them
REAL = "real"  # the architecture of rows about held-out images
TRAIN = "train"  # the architecture of rows about training images


class Run(NamedTuple):
    """A trained model, and how it was sampled ("" where it was not).

    architecture: REAL or TRAIN stand for images of the data set. A pair of models is "a~b" in the
    field in which the two differ.
    """

    study: str
    ratio: str
    architecture: str
    seed: str
    sampler: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        """(ratio, architecture, seed, sampler): names a run's random numbers, in any study."""
        return self[1:]


def keys_of(run: Run) -> dict[str, str]:
    """The run as files tell it: a run without a sampler has no such key."""
    return {key: value for key, value in run._asdict().items() if value}


def as_json(run: Run) -> str:
    """The run as text, for archives of arrays."""
    return json.dumps(keys_of(run))


def read_run(path: str | Path, told: object, study: str | None = None) -> Run:
    """The run that a file tells: {"study", "ratio", "architecture", "seed"[, "sampler"]}.

    path: the file, for messages. told: JSON, as text or decoded. UserError for text that is damaged
    or lacks a key, an architecture that is unknown, and another study than `study` (if given).
    """
    with reading(path, "the run is not described"):
        keys = told if isinstance(told, Mapping) else json.loads(str(told))
        values = {name: keys[name] for name in Run._fields if name in keys or name != "sampler"}
        if not all(isinstance(v, str | int) and str(v).isprintable() for v in values.values()):
            raise ValueError("a value is neither a name nor a number")
        run = Run(**{name: str(value) for name, value in values.items()})
    try:
        get_architecture(run.architecture)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    if study is not None and run.study != study:
        raise UserError(f"{path}: a run of study {run.study!r}, not of {study!r}: leave it out")
    return run


RUN = flag(  # of a script
    "--run", 'JSON {"study", "ratio", "architecture", "seed"}', partial(read_run, "--run")
)


def ordered_architectures(names: Iterable[str]) -> list[str]:
    """Architectures in reading order: those shown together by depth, without depth last."""
    known = [get_architecture(name) for name in set(names) - {"", REAL, TRAIN}]
    order = {series: place for place, series in enumerate(SERIES)}
    known.sort(key=lambda a: (order[a.shown_with], a.depth or math.inf, order[a.series]))
    return [a.name for a in known]
