"""The generated images of one run together with what the classifier made of them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from depthbias.system.errors import UserError
from depthbias.system.files import read_npz

RUN_KEYS = ("study", "ratio", "architecture", "seed", "sampler")


@dataclass(frozen=True)
class Generated:
    """Images uint8 [N, H, W, C] of one run, image i from noise (noise_seed, indices[i]).

    run: the keys study, ratio, architecture, seed, sampler; probabilities: float [N, K] of
    the K classes.
    """

    run: dict[str, str]
    noise_seed: int
    indices: np.ndarray
    images: np.ndarray
    classes: tuple[str, ...]
    probabilities: np.ndarray

    @property
    def labels(self) -> np.ndarray:
        """The most probable class of every image, int [N]."""
        return self.probabilities.argmax(axis=1)

    def undecidable(self, threshold: float) -> np.ndarray:
        """Which images have no class with at least this probability, bool [N]."""
        return self.probabilities.max(axis=1) < threshold


def read_generated(samples: Sequence[Path], classes: Sequence[Path]) -> list[Generated]:
    """Join every archive of samples with the archive of classes of the same run, in any order.

    Raises UserError when one is missing or does not fit.
    """
    found: dict[str, tuple[Path, np.ndarray, np.ndarray]] = {}
    for path in classes:
        run, probabilities, names = read_npz(path, "run", "probabilities", "classes")
        found[_key(path, run)] = (path, probabilities, names)
    models = []
    for path in samples:
        run, seed, indices, images = read_npz(path, "run", "noise_seed", "indices", "images")
        key = _key(path, run)
        if key not in found:
            raise UserError(f"{path}: no classes of this run: give the file that classify.py made")
        source, probabilities, names = found[key]
        if len(probabilities) != len(images):
            raise UserError(
                f"{source}: {len(probabilities)} images classified of {len(images)}: classify again"
            )
        model = Generated(
            json.loads(key), int(seed), indices, images, tuple(map(str, names)), probabilities
        )
        models.append(model)
    return models


def _key(path: Path, run: np.ndarray) -> str:
    """A run as text that does not depend on the order of its keys."""
    try:
        return json.dumps({key: str(json.loads(str(run))[key]) for key in RUN_KEYS})
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: the run is not described ({error}): sample again") from error
