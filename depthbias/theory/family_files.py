"""What the families made of the same noise: the file between measuring and estimating."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from depthbias.estimates.runs import Run, as_json, read_run
from depthbias.system.errors import UserError, reading
from depthbias.system.files import read_npz, write_npz
from depthbias.theory.family_names import DELTA, FAMILIES, HALVES, Member


@dataclass(frozen=True)
class Made:
    """All models of one seed.

    images: uint8 [M, N, H, W, C], image i of every
    model from noise i; halves: rows of the data set, int [size], by half; width: of the networks
    that are compared with each other.
    """

    run: Run
    members: list[Member]
    images: np.ndarray
    halves: dict[str, np.ndarray]
    width: float


def write_made(path: Path, made: Made) -> None:
    """Write one seed."""
    told: dict[str, np.ndarray | str] = {
        "run": as_json(made.run),
        "members": json.dumps(made.members),
    }
    arrays = {"images": made.images, "width": np.array(made.width), **made.halves}
    write_npz(path, told | arrays)


def read_made(paths: Iterable[Path], study: str) -> list[Made]:
    """Seeds in the order of their files; UserError for a damaged one or one of other models."""
    found: list[Made] = []
    for path in paths:
        text, told, images, width, *rows = read_npz(
            path, "run", "members", "images", "width", *HALVES
        )
        with reading(path, "models are not described", "measure again"):
            members = [
                Member(str(f), float(w), int(n), str(h)) for f, w, n, h in json.loads(str(told))
            ]
            known = {*FAMILIES, DELTA}
            if not members or not all(m.family in known and m.half in HALVES for m in members):
                raise ValueError("unknown models")
        if images.ndim != 5 or images.dtype != np.uint8 or len(images) != len(members):
            raise UserError(f"{path}: is damaged: measure again")
        halves = dict(zip(HALVES, rows, strict=True))
        made = Made(read_run(path, text, study), members, images, halves, float(width))
        if found and (members, images.shape) != (found[0].members, found[0].images.shape):
            raise UserError(f"{path}: other models than in the rest: measure again")
        found.append(made)
    return found
