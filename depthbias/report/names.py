"""What figures and tables call things, and in which order they show them."""

from depthbias.diffusion.sampler_names import SAMPLERS

TITLES = {"natural": "natural proportions", "all": "all ratios"}


def sampler_title(sampler: str) -> str:
    """ "ddim-25" as "DDIM, 25 steps"."""
    name, _, steps = sampler.partition("-")
    if not steps:
        return sampler
    return f"{SAMPLERS[name].title if name in SAMPLERS else name}, {steps} steps"


def ratio_title(ratio: str) -> str:
    """A ratio as a title."""
    return TITLES.get(ratio, f"trained on {ratio}")


def setting_title(ratio: str, sampler: str) -> str:
    """A ratio and a sampler as a title."""
    return f"{ratio_title(ratio)}, {sampler_title(sampler)}"
