"""Images in figures: axes whose unit is the side of an image, one image, the strip of its class."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from depthbias.report.style import COLOURS

STRIP = 0.07  # height of the strip under an image that shows its class


def canvas(
    width: float, height: float, *, margin: float, above: float, heading: float
) -> tuple[Figure, Axes]:
    """A figure 7 inches wide, and axes without a frame; y grows downwards from 0.

    width, height: of the images with their gaps; margin: left of them, for names; above: over them,
    for words. All four are in images. heading: height of title and legend, in inches.
    """
    inch = 6.9 / (width + margin)
    figure = Figure(figsize=(7, (height + above) * inch + heading), layout="constrained")
    axes = figure.subplots()
    axes.set(xlim=(-margin, width), ylim=(height, -(above or 0.1)), aspect="equal")
    axes.set_axis_off()
    return figure, axes


def draw_image(axes: Axes, image: np.ndarray, x: float, y: float) -> None:
    """One image, uint8 [H, W, C], whose upper left corner is at (x, y) and whose side is 1."""
    grey: dict[str, Any] = {"cmap": "gray", "vmin": 0, "vmax": 255}
    shown = image if image.shape[-1] == 3 else image[..., 0]
    axes.imshow(shown, extent=(x, x + 1, y + 1, y), interpolation="none", **grey)


def draw_strip(axes: Axes, x: float, y: float, label: int) -> None:
    """Under the image at (x, y) a strip in the colour of its class."""
    axes.add_patch(Rectangle((x, y + 1.03), 1, STRIP, fc=class_colour(label), lw=0))


def class_colour(label: int) -> str:
    """The colour of the class with this index."""
    return COLOURS[label % len(COLOURS)]
