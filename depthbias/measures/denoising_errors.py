"""Errors of one denoiser image by image, on images that it was trained on and on held-out ones.

All models see the same held-out images, and noise that depends on (noise seed, row of the image in
the data set) alone: the same for every model and noise level. So models can be compared in pairs.
"""

from dataclasses import dataclass, fields
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from depthbias.diffusion.architectures import get_architecture
from depthbias.estimates.runs import Run, as_json, read_run
from depthbias.estimates.stratified import stratified
from depthbias.system.errors import UserError
from depthbias.system.files import read_npz, write_npz


@dataclass(frozen=True)
class DenoisingErrors:
    """What was measured of one run at L noise levels, on M held-out and N training images.

    An error is |D(x + s e; s) - x|^2 a pixel, e standard normal; a residual |x - D(x; s)| / s, the
    norm of the noise that the model finds in the clean image, over the root of the pixels.

    sigmas: [L], rising; heldout_errors: [L, M]; training_errors: [L, N]; residuals alike; labels:
    class of every image, int, among `classes` [K]; rows: of the data set, int, rising; cut_errors:
    [S - 1, L, M], of the held-out images by the model with its first 1, 2 ... S - 1 of S stages
    (S - 1 = 0 where it has none); constant_errors: [M], |mean of the training images - x|^2 a
    pixel; proportions: [K], of the classes in the whole training subset; level_weights: [L], such
    that their product with losses a level is EDM's weighted loss (`objectives.level_weights`).
    """

    run: Run
    sigmas: np.ndarray
    noise_seed: int
    heldout_errors: np.ndarray
    training_errors: np.ndarray
    heldout_residuals: np.ndarray
    training_residuals: np.ndarray
    heldout_labels: np.ndarray
    training_labels: np.ndarray
    heldout_rows: np.ndarray
    training_rows: np.ndarray
    cut_errors: np.ndarray
    constant_errors: np.ndarray
    classes: tuple[str, ...]
    proportions: np.ndarray
    level_weights: np.ndarray

    @property
    def heldout_loss(self) -> float:
        """Over all levels, by EDM's weights, the classes in their training proportions."""
        weights = stratified(self.heldout_labels, self.proportions)
        return float(self.level_weights @ self.heldout_errors @ weights)


ARRAYS = tuple(field.name for field in fields(DenoisingErrors) if field.name != "run")
WHOLE = ("noise_seed", "heldout_labels", "training_labels", "heldout_rows", "training_rows")


def write_denoising_errors(path: Path, errors: DenoisingErrors) -> None:
    """Write the archive of one run, atomically."""
    arrays = {name: np.asarray(getattr(errors, name)) for name in ARRAYS}
    write_npz(path, arrays | {"run": as_json(errors.run)})


def read_denoising_errors(path: Path, study: str | None = None) -> DenoisingErrors:
    """The archive of one run; UserError if it is damaged, or of another study."""
    text, *arrays = read_npz(path, "run", *ARRAYS)
    run = read_run(path, text, study)
    found: dict[str, Any] = dict(zip(ARRAYS, arrays, strict=True))
    shapes = {name: array.shape for name, array in found.items()}
    kinds = {name: array.dtype.kind for name, array in found.items() if name != "classes"}
    wanted = {name: "i" if name in WHOLE else "f" for name in kinds}
    if shapes != _shapes(found, run) or kinds != wanted or not _plausible(found):
        raise UserError(f"{path}: is damaged: measure the denoising errors again")
    names = tuple(map(str, found["classes"]))
    return DenoisingErrors(run, **found | {"noise_seed": int(arrays[1]), "classes": names})


def _shapes(found: dict[str, Any], run: Run) -> dict[str, tuple[int, ...]]:
    """The shape of every array, as the levels, rows, classes and the architecture ask for."""
    levels, classes = found["sigmas"].size, found["classes"].size
    of = {name: found[f"{name}_rows"].size for name in ("heldout", "training")}
    shapes: dict[str, tuple[int, ...]] = {"noise_seed": ()}
    shapes |= {"sigmas": (levels,), "level_weights": (levels,)}
    for kind, name in product(("errors", "residuals"), of):
        shapes[f"{name}_{kind}"] = (levels, of[name])
    for kind, name in product(("labels", "rows"), of):
        shapes[f"{name}_{kind}"] = (of[name],)
    cuts = max(get_architecture(run.architecture).stages - 1, 0)
    shapes |= {"cut_errors": (cuts, levels, of["heldout"]), "constant_errors": (of["heldout"],)}
    return shapes | {"classes": (classes,), "proportions": (classes,)}


def _plausible(found: dict[str, Any]) -> bool:
    """Whether there is something, levels rise from above 0, and labels are classes."""
    labels = np.concatenate([found["heldout_labels"], found["training_labels"]])
    levels = found["sigmas"]
    return bool(
        min(found["heldout_labels"].size, found["training_labels"].size, levels.size) > 0
        and levels[0] > 0
        and (np.diff(levels) > 0).all()
        and 0 <= labels.min() <= labels.max() < found["classes"].size
    )
