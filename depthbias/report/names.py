"""What figures and tables call things, and in which order they show them."""

from collections.abc import Iterable

from depthbias.diffusion.architectures import get_architecture
from depthbias.estimates.runs import REAL

SAMPLERS = {"ddim": "DDIM", "ddpm": "DDPM", "dpmpp": "DPM-Solver++", "heun": "Heun"}


SERIES = {
    "published": "published widths",
    "large": "depth2-large",
    "constant-width": "constant width",
    "parameter-matched": "equal size",
}


def ordered_architectures(names: Iterable[str]) -> list[str]:
    """U-Nets in reading order: published and large by depth, then the other series by depth."""
    found = [get_architecture(name) for name in set(names) - {"", REAL}]
    order = {"published": 0, "large": 0, "constant-width": 1, "parameter-matched": 2}
    found.sort(key=lambda a: (order[a.series], a.depth, a.series == "large"))
    return [a.name for a in found]


def sampler_title(sampler: str) -> str:
    """ "ddim-25" as "DDIM, 25 steps"."""
    name, _, steps = sampler.partition("-")
    return f"{SAMPLERS.get(name, name)}, {steps} steps" if steps else sampler


def ratio_title(ratio: str) -> str:
    """A ratio as a title."""
    return "natural proportions" if ratio == "natural" else f"trained on {ratio}"
