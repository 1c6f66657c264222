"""All named architectures: one table, no torch. A new one is a row of its module, listed here."""

from depthbias.diffusion.architecture import Architecture, find
from depthbias.diffusion.transformer import TRANSFORMERS
from depthbias.diffusion.unet import UNETS

ARCHITECTURES: dict[str, Architecture] = {
    **UNETS,
    **TRANSFORMERS,
}

# What figures call a series where its name does not say it.
TITLES = {
    "published": "published widths",
    "large": "depth2-large",
    "constant-width": "constant width",
    "parameter-matched": "equal size",
}
SERIES = {one.series: TITLES.get(one.series, one.series) for one in ARCHITECTURES.values()}


def get_architecture(name: str) -> Architecture:
    """The architecture called `name`; a UserError names the nearest one that exists."""
    return find(name, ARCHITECTURES)
