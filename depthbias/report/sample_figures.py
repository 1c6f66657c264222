"""Figures made of images: the same noise through every model, and real beside generated images."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from depthbias.diffusion.architectures import get_architecture
from depthbias.estimates.runs import ordered_architectures
from depthbias.measures.samples import Generated, same_noise
from depthbias.report.image_drawing import STRIP, canvas, class_colour, draw_image, draw_strip
from depthbias.report.names import ratio_title, sampler_title
from depthbias.report.style import GREY, styled
from depthbias.system.errors import UserError

PITCH = 1.26  # distance of two images, in images
MARGIN = 1.9  # for the names at the left, in images


@styled()
def plot_grid(models: Sequence[Generated], columns: int, decidable: float) -> Figure:
    """The first generations of every U-Net from the same noise ([BIAS] Figs 5, A and B).

    Rows: U-Nets; columns: noise. A strip in its class's colour under every image; a frame in that
    colour where the shallowest U-Net of the series makes another class of the same noise; a
    question mark where no class has at least the probability `decidable`. At the right the share
    of framed images among all of the model. All models: one ratio, seed and sampler.
    """
    models = one_each(models)
    _check_same_noise(models)
    columns = min(columns, len(models[0].images))
    height = len(models) * PITCH
    figure, axes = canvas(columns * PITCH + 1.2, height, margin=MARGIN, above=0, heading=0.85)
    for column, number in enumerate(models[0].noise[:columns, 1]):
        axes.text(column * PITCH + 0.5, -0.2, str(number), ha="center", va="bottom", color=GREY)
    axes.text(-0.3, -0.2, "noise index", ha="right", va="bottom", color=GREY)
    axes.text(columns * PITCH + 0.5, -0.2, "changed\nclass", ha="center", va="bottom", color=GREY)
    references = _references(models)
    for row, model in enumerate(models):
        reference = references[model.run.architecture]
        changed = model.labels != reference.labels
        _draw_row(axes, model, row * PITCH, changed[:columns], decidable)
        share = "-" if model is reference else f"{100 * changed.mean():.1f} %"
        axes.text(columns * PITCH + 0.5, row * PITCH + 0.5, share, ha="center", va="center")
    axes.set_title(_title(models[0]), pad=24)
    handles = _class_handles(models[0].classes)
    names = " or ".join(dict.fromkeys(model.run.architecture for model in references.values()))
    handles.append(Patch(fc="none", ec=GREY, lw=2, label=f"framed: not the class of {names}"))
    _legend(figure, [*handles, _unsure_handle(decidable)])
    return figure


def _references(models: Sequence[Generated]) -> dict[str, Generated]:
    """For every architecture the shallowest of those it is shown with."""
    shallowest: dict[str, Generated] = {}
    references = {}
    for model in models:  # in reading order: by depth within a series
        series = get_architecture(model.run.architecture).shown_with
        references[model.run.architecture] = shallowest.setdefault(series, model)
    return references


def _draw_row(
    axes: Axes, model: Generated, top: float, changed: np.ndarray, decidable: float
) -> None:
    """One U-Net's first images; changed: bool, for each image to be drawn."""
    axes.text(-0.3, top + 0.5, model.run.architecture, ha="right", va="center")
    unsure = model.undecidable(decidable)
    for column, framed in enumerate(changed):
        place, label = (column * PITCH, top), int(model.labels[column])
        draw_image(axes, model.images[column], *place)
        draw_strip(axes, *place, label)
        if framed:
            _frame(axes, place, label)
        if unsure[column]:
            _question_mark(axes, place)


@styled()
def plot_real(
    real: np.ndarray, labels: np.ndarray, models: Sequence[Generated], decidable: float
) -> Figure:
    """The first training images of every class, and under them the first generated ones.

    real: training images uint8 [N, H, W, C] with their class indices [N]; the class of a generated
    image is the classifier's. Nothing is selected but by class. A row with fewer images had no
    more of the class.
    """
    models = one_each(models)
    classes = models[0].classes
    each = max(2, 12 // len(classes))
    width = each * PITCH + 0.5
    height = (len(models) + 1) * PITCH
    figure, axes = canvas(len(classes) * width, height, margin=MARGIN, above=0, heading=0.75)
    rows: list[tuple[str, np.ndarray, np.ndarray, np.ndarray]] = [
        ("training\nimages", real, labels, np.zeros(len(real), dtype=bool))
    ]
    rows += [(m.run.architecture, m.images, m.labels, m.undecidable(decidable)) for m in models]
    for row, (name, images, found, unsure) in enumerate(rows):
        top = row * PITCH
        axes.text(-0.3, top + 0.5, name, ha="right", va="center")
        for index in range(len(classes)):
            for column, image in enumerate(np.flatnonzero(found == index)[:each]):
                place = (index * width + column * PITCH, top)
                draw_image(axes, images[image], *place)
                draw_strip(axes, *place, index)
                if unsure[image]:
                    _question_mark(axes, place)
    for index, name in enumerate(classes):
        middle = index * width + (each - 1) * PITCH / 2 + 0.5
        axes.text(middle, -0.15, name, ha="center", va="bottom", color=class_colour(index))
    axes.axhline(PITCH - (PITCH - 1) / 2 + STRIP / 2, color=GREY, lw=0.6)
    axes.set_title(_title(models[0]), pad=16)
    _legend(figure, [_unsure_handle(decidable)])
    return figure


def one_each(models: Sequence[Generated]) -> list[Generated]:
    """The models in reading order; UserError unless they differ in nothing but the U-Net."""
    first = models[0]
    for key in ("study", "ratio", "seed", "sampler"):
        values = sorted({getattr(model.run, key) for model in models})
        if len(values) > 1:
            raise UserError(f"samples of several values of {key} ({', '.join(values)}): give one")
    if len({model.classes for model in models}) > 1:
        raise UserError(
            f"the classes are not {', '.join(first.classes)} everywhere: classify again"
        )
    by_name = {model.run.architecture: model for model in models}
    if len(by_name) < len(models):
        raise UserError("two archives of samples are of the same U-Net: give each once")
    return [by_name[name] for name in ordered_architectures(by_name)]


def _check_same_noise(models: Sequence[Generated]) -> None:
    """Image i must come from the same noise in every model."""
    first = models[0]
    for model in models:
        if not same_noise(first, model):
            names = f"{first.run.architecture} and {model.run.architecture}"
            raise UserError(f"{names} were not sampled from the same noise: sample them again")


def _frame(axes: Axes, place: tuple[float, float], label: int) -> None:
    x, y = place[0] - 0.05, place[1] - 0.05
    side = 1.1 + STRIP
    axes.add_patch(Rectangle((x, y), 1.1, side, fill=False, ec=class_colour(label), lw=2.2))


def _question_mark(axes: Axes, place: tuple[float, float]) -> None:
    x, y = place
    box = {"boxstyle": "square,pad=0.12", "fc": "white", "ec": "black", "lw": 0.5}
    look: dict[str, Any] = {"fontsize": 6.5, "weight": "bold", "bbox": box}
    axes.text(x + 0.87, y + 0.14, "?", ha="center", va="center", **look)


def _title(model: Generated) -> str:
    run = model.run
    shown = [ratio_title(run.ratio), f"seed {run.seed}", sampler_title(run.sampler)]
    return f"study {run.study}: {', '.join(shown)}"


def _class_handles(classes: Sequence[str]) -> list[Artist]:
    return [Patch(fc=class_colour(index), lw=0, label=name) for index, name in enumerate(classes)]


def _unsure_handle(decidable: float) -> Artist:
    label = f"no class is {100 * decidable:g} % probable"
    return Line2D([], [], ls="none", marker="$?$", color="black", ms=5, label=label)


def _legend(figure: Figure, handles: Sequence[Artist]) -> None:
    figure.axes[0].set_anchor("N")  # all spare room lies between images and legend
    figure.legend(handles=list(handles), loc="outside lower center", ncols=min(4, len(handles)))
