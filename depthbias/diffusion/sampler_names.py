"""The samplers by name: one table, no torch. The functions have the same names, in samplers."""

from dataclasses import dataclass

from depthbias.system.arguments import WrongUsage


@dataclass(frozen=True)
class Sampler:
    """title: in figures and tables; needs_noise: whether a step adds noise to the image;
    objectives: the training objectives whose models it may sample in a study."""

    title: str
    needs_noise: bool = False
    objectives: tuple[str, ...] = ("ddpm", "edm")


SAMPLERS = {
    "ddim": Sampler("DDIM"),
    "ddpm": Sampler("DDPM", needs_noise=True, objectives=("ddpm",)),
    "dpmpp": Sampler("DPM-Solver++"),
    "heun": Sampler("Heun"),
}


# The noise levels of a model, where its objective gives it a number of them.
MOST_STEPS = {"ddpm": 1000}


def deterministic(sampler: str, like: str) -> tuple[str, int]:
    """(method, steps) of the value of --sampler; WrongUsage unless it adds no noise.

    like: an example for the message.
    """
    name, _, steps = sampler.partition("-")
    if name not in SAMPLERS or SAMPLERS[name].needs_noise or not steps.isdecimal():
        raise WrongUsage(f"--sampler must be a deterministic method and its steps, like {like}")
    return name, int(steps)


def samplers_for(objective: str) -> list[str]:
    """The samplers of models that were trained with this objective."""
    return [name for name, row in SAMPLERS.items() if objective in row.objectives]
