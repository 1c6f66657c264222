"""All named architectures: one table, no torch. A new one is a row of its module, listed here."""

from depthbias.diffusion.architecture import Architecture, find
from depthbias.diffusion.brought import SERIES as BROUGHT
from depthbias.diffusion.brought import Brought, is_brought
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
SERIES[BROUGHT] = BROUGHT


def get_architecture(name: str) -> Architecture:
    """The architecture called `name`, or what is brought under that name.

    For others a UserError names the nearest architecture that exists.
    """
    if name not in ARCHITECTURES and name not in SERIES and is_brought(name):
        return Brought(name, BROUGHT)
    return find(name, ARCHITECTURES)


def trainable(name: str) -> Architecture:
    """The architecture of the table called `name`; else a UserError, as above."""
    return find(name, ARCHITECTURES)
