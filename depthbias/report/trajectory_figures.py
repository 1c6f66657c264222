"""Figures of what models and simpler denoisers make of the same noise."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from depthbias.estimates.runs import Run, ordered_architectures, read_run
from depthbias.measures.samples import is_noise
from depthbias.report.image_drawing import canvas, draw_image
from depthbias.report.names import ratio_title
from depthbias.report.style import GREY, styled
from depthbias.system.errors import UserError
from depthbias.system.files import read_npz

PITCH = 1.12  # distance of two images, in images
MARGIN = 2.8  # for the names at the left, in images
GAP = 0.5  # between the blocks, in images
COMMON = {"gaussian": "Gaussian", "delta": "multi-delta"}  # the same for all U-Nets


@dataclass(frozen=True)
class RunTrajectories:
    """The trajectories that measure_structure.py found for one run.

    denoised: {denoiser: D(x) at each of `sigmas`, uint8 [S, N, H, W, C]}; images: {denoiser: uint8
    [N, H, W, C]}. Image i of every denoiser came from noise[i], (seed, index).
    """

    run: Run
    noise: np.ndarray
    sigmas: np.ndarray
    denoised: dict[str, np.ndarray]
    images: dict[str, np.ndarray]


def _read(path: Path) -> RunTrajectories:
    """The trajectories of one run; UserError for a damaged file."""
    run, names, noise, sigmas, denoised, images = read_npz(
        path, "run", "names", "noise", "sigmas", "denoised", "images"
    )
    shape = (names.size, sigmas.size, *images.shape[1:])
    whole = all(array.dtype.kind in "iu" for array in (denoised, images))
    if not (
        (names.ndim, sigmas.ndim, images.ndim) == (1, 1, 5)
        and whole
        and sigmas.dtype.kind == "f"
        and denoised.shape == shape
        and len(images) == names.size
        and is_noise(noise, images.shape[1])
        and denoised.size > 0
    ):
        raise UserError(f"{path}: holds no trajectory or is damaged: measure the structure again")
    return RunTrajectories(
        read_run(path, run),
        noise,
        sigmas,
        dict(zip(names.tolist(), denoised, strict=True)),
        dict(zip(names.tolist(), images, strict=True)),
    )


def read_trajectories(paths: Sequence[Path]) -> list[RunTrajectories]:
    """The runs in reading order of their architectures; UserError unless they differ only there."""
    found: dict[str, RunTrajectories] = {}
    for path in paths:
        item = _read(path)
        first = next(iter(found.values()), item)
        same = item.run._replace(architecture=first.run.architecture) == first.run
        levels = np.array_equal(item.sigmas, first.sigmas)
        if not same or not levels or not np.array_equal(item.noise, first.noise):
            raise UserError(
                f"{path}: another study, ratio, seed, noise or noise levels than {paths[0]}: "
                "give the files of one ratio and seed, all made with the same settings"
            )
        found[item.run.architecture] = item
    return [found[name] for name in ordered_architectures(found)]


@styled()
def plot_trajectories(runs: Sequence[RunTrajectories]) -> Figure:
    """Left: D(x) from high to low noise for one noise; right: the final images for several.

    Rows: every U-Net, and under it its own linear map; last the Gaussian and the multi-delta of the
    training images ([GAUSS] Figs 2 and 4).
    """
    levels, count = len(runs[0].sigmas), len(runs[0].noise)
    rows = []
    for run in runs:
        rows += [(run.run.architecture, "architecture", run), ("its linear map", "linear", run)]
    rows += [(label, name, runs[0]) for name, label in COMMON.items()]
    right = levels * PITCH + GAP
    width, height = right + count * PITCH, len(rows) * PITCH
    figure, axes = canvas(width, height, margin=MARGIN, above=1.3, heading=0.4)
    for row, (label, denoiser, run) in enumerate(rows):
        axes.text(-0.3, row * PITCH + 0.5, label, ha="right", va="center")
        for column in range(levels):
            draw_image(axes, run.denoised[denoiser][column, 0], column * PITCH, row * PITCH)
        for column in range(count):
            draw_image(axes, run.images[denoiser][column], right + column * PITCH, row * PITCH)
    above: dict[str, Any] = {"ha": "center", "va": "bottom", "color": GREY}
    for column, sigma in enumerate(runs[0].sigmas):
        axes.text(column * PITCH + 0.5, -0.15, f"{sigma:.2g}", fontsize=6, **above)
    for column, index in enumerate(runs[0].noise[:, 1]):
        axes.text(right + column * PITCH + 0.5, -0.15, str(index), fontsize=6, **above)
    noise = runs[0].noise[0, 1]
    axes.text((levels * PITCH) / 2, -0.75, f"denoised from noise {noise}, by noise level", **above)
    axes.text(right + (count * PITCH) / 2, -0.75, "final image, by noise", **above)
    keys = runs[0].run
    title = f"study {keys.study}, {ratio_title(keys.ratio)}, seed {keys.seed}"
    axes.set_title(title)
    return figure


@styled()
def plot_disjoint(first: Sequence[RunTrajectories], second: Sequence[RunTrajectories]) -> Figure:
    """Final images of models trained on two sets without a common image, from the same noise.

    Rows: every U-Net on the first and on the second set, then the Gaussian and the multi-delta of
    both. Right: the root-mean-square difference of a pixel between the two images
    of the same noise, and between images of different noise. UserError unless both have the same
    U-Nets and noise.
    """
    if [one.run.architecture for one in first] != [one.run.architecture for one in second]:
        raise UserError("the two sets have models of different U-Nets: give the same for both")
    if not np.array_equal(first[0].noise, second[0].noise):
        raise UserError("the two sets were not sampled from the same noise: sample them again")
    pairs = [
        (one.run.architecture, one.images["architecture"], two.images["architecture"])
        for one, two in zip(first, second, strict=True)
    ]
    pairs += [
        (label, first[0].images[name], second[0].images[name]) for name, label in COMMON.items()
    ]
    count = len(first[0].noise)
    height = 2 * len(pairs) * PITCH
    figure, axes = canvas(count * PITCH + 4, height, margin=MARGIN, above=0.6, heading=0.4)
    look: dict[str, Any] = {"va": "center", "color": GREY}
    for pair, (label, *both) in enumerate(pairs):
        for row, images in enumerate(both, 2 * pair):
            axes.text(
                -0.3, row * PITCH + 0.5, f"{label}, set {row % 2 + 1}", ha="right", va="center"
            )
            for column in range(count):
                draw_image(axes, images[column], column * PITCH, row * PITCH)
        same, other = _differences(*both)
        words = f"same noise: {same:.2f}\nother noise: {other:.2f}"
        axes.text(count * PITCH + 0.2, (2 * pair + 1) * PITCH - 0.06, words, **look)
    for column, index in enumerate(first[0].noise[:, 1]):
        axes.text(column * PITCH + 0.5, -0.15, str(index), ha="center", va="bottom", color=GREY)
    axes.text(-0.3, -0.15, "noise", ha="right", va="bottom", color=GREY)
    axes.text(count * PITCH + 0.2, -0.15, "difference a pixel", va="bottom", color=GREY)
    keys, seed = first[0].run, second[0].run.seed
    title = f"study {keys.study}, {ratio_title(keys.ratio)}, seeds {keys.seed} and {seed}"
    axes.set_title(title)
    return figure


def _differences(one: np.ndarray, two: np.ndarray) -> tuple[float, float]:
    """Root-mean-square difference of a pixel (of -1 to 1): of images i and i, of images i and j."""
    flat = [images.reshape(len(images), -1) / 127.5 for images in (one, two)]
    squares = ((flat[0][:, None] - flat[1][None]) ** 2).mean(axis=2) ** 0.5
    same = np.eye(len(squares), dtype=bool)
    return float(squares[same].mean()), float(squares[~same].mean())
