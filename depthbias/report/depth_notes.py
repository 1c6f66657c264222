"""Which U-Nets do not use their deepest stages, as sentences beside trends over depth."""

import pandas as pd

from depthbias.diffusion.architectures import get_architecture
from depthbias.estimates.runs import ordered_architectures
from depthbias.estimates.tidy import models, of, single_seeds
from depthbias.measures.effective_depths import effective_depths


def depth_notes(summary: pd.DataFrame) -> list[str]:
    """A sentence for every architecture that works as well without its deepest stage."""
    single = single_seeds(models(of(summary, "effective_depth")))
    depths = effective_depths(summary)
    return [
        _sentence(name, single.loc[single["architecture"] == name, "value"], depths[name])
        for name in ordered_architectures(depths)
        if depths[name] < get_architecture(name).stages
    ]


def _sentence(name: str, found: pd.Series, depth: float) -> str:
    """found: effective depth of every model of the architecture; depth: their mean."""
    stages = get_architecture(name).stages
    dead = stages - int(found.max())
    if dead and found.min() == found.max():
        words = "The deepest stage" if dead == 1 else f"The {dead} deepest stages"
        return f"{words} of {name} can be cut off without cost: its effective depth is {depth:g}."
    worse = int((found < stages).sum())
    return (
        f"In {worse} of {len(found)} models of {name} the deepest stage can be cut off without "
        f"cost: its effective depth is {depth:.1f} on average."
    )
