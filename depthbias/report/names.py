"""What figures and tables call things, and in which order they show them."""

SAMPLERS = {"ddim": "DDIM", "ddpm": "DDPM", "dpmpp": "DPM-Solver++", "heun": "Heun"}


SERIES = {
    "published": "published widths",
    "large": "depth2-large",
    "constant-width": "constant width",
    "parameter-matched": "equal size",
}


def sampler_title(sampler: str) -> str:
    """ "ddim-25" as "DDIM, 25 steps"."""
    name, _, steps = sampler.partition("-")
    return f"{SAMPLERS.get(name, name)}, {steps} steps" if steps else sampler


def ratio_title(ratio: str) -> str:
    """A ratio as a title."""
    return "natural proportions" if ratio == "natural" else f"trained on {ratio}"
