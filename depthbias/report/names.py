"""What figures and tables call things, and in which order they show them."""

import math
from collections.abc import Iterable

from depthbias.diffusion.architectures import SERIES as SERIES
from depthbias.diffusion.architectures import get_architecture
from depthbias.diffusion.sampler_names import SAMPLERS
from depthbias.estimates.runs import REAL


def ordered_architectures(names: Iterable[str]) -> list[str]:
    """Architectures in reading order: those shown together by depth, without depth last."""
    found = [get_architecture(name) for name in set(names) - {"", REAL}]
    order = list(SERIES)
    found.sort(
        key=lambda a: (order.index(a.shown_with), a.depth or math.inf, order.index(a.series))
    )
    return [a.name for a in found]


def sampler_title(sampler: str) -> str:
    """ "ddim-25" as "DDIM, 25 steps"."""
    name, _, steps = sampler.partition("-")
    if not steps:
        return sampler
    return f"{SAMPLERS[name].title if name in SAMPLERS else name}, {steps} steps"


def ratio_title(ratio: str) -> str:
    """A ratio as a title."""
    return "natural proportions" if ratio == "natural" else f"trained on {ratio}"
