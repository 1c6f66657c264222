"""The mid block of a U-Net, bypassed by a schedule while it samples; the U-Net stays as it was.

[BIAS] (arXiv 2505.17560), Figs 6 and C: h becomes (1 - a) mid(h) + a h, h what enters the mid block
and a a percentage for each step. At 0 % the U-Net computes what it always does, to the bit; at
100 % what it would with the identity for its mid block.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from depthbias.system.errors import UserError

SHARE = 1 / 3  # of the steps in which a progressive bypass fades out


def check_percentage(percent: float) -> None:
    """UserError for a percentage outside 0 to 100."""
    if not 0 <= percent <= 100:
        raise UserError(f"{percent:g} % of the mid block: a percentage is 0 to 100: change it")


def mid_block_of(model: Any) -> nn.Module:
    """The mid block of a diffusers U-Net, or of the U-Net of a pipeline; UserError without one."""
    network = getattr(model, "unet", model)
    block = getattr(network, "mid_block", None)
    if isinstance(block, nn.Module):
        return block
    raise UserError(
        f"{type(network).__name__}: has no mid block that could be bypassed: give a U-Net"
    )


@contextmanager
def bypass(model: Any, percentages: Sequence[float], steps: int) -> Iterator[None]:
    """In the block, call n of the U-Net bypasses percentages[n] of its mid block; 0 after the last.

    model: a diffusers `UNet2DModel`, `UNet2DConditionModel` or the like, or a pipeline with one.
    steps: calls of the U-Net that make one batch of images; the next call begins a new batch. The
    model is left as it was, also after an exception. UserError for a percentage outside 0 to 100, a
    model without a mid block, more percentages than steps, and a batch that ended between steps.
    """
    block = mid_block_of(model)
    for percent in percentages:
        check_percentage(percent)
    if len(percentages) > steps:
        raise UserError(
            f"a schedule of {len(percentages)} percentages for {steps} steps: shorten it, or take "
            "more steps"
        )
    hook = _Hook([*percentages, *[0.0] * (steps - len(percentages))])
    handle = block.register_forward_hook(hook, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()
    if hook.calls % steps:
        raise UserError(
            f"the U-Net was called {hook.calls} times, no multiple of {steps} steps: give the "
            "number of calls that the sampler makes, or take a sampler of one call a step"
        )


class _Hook:
    """Replaces what the mid block gives; counts its calls."""

    def __init__(self, percentages: Sequence[float]) -> None:
        self.percentages, self.calls = percentages, 0

    def __call__(
        self, block: nn.Module, given: tuple[Any, ...], named: dict[str, Any], output: Tensor
    ) -> Tensor | None:
        percent = self.percentages[self.calls % len(self.percentages)]
        self.calls += 1
        if percent == 0:
            return None
        hidden = given[0] if given else named["hidden_states"]
        if hidden.shape != output.shape:
            shapes = f"{list(hidden.shape)} to {list(output.shape)}"
            raise UserError(f"{type(block).__name__}: changes {shapes}: it cannot be bypassed")
        # lerp(output, hidden, 1) is not always hidden, to the bit
        return hidden if percent == 100 else torch.lerp(output, hidden, percent / 100)


def _within(first: float, last: float) -> Callable[[float, int], list[float]]:
    """The schedule that bypasses in a part of the steps, from one fraction of them to another."""

    def schedule(percent: float, steps: int) -> list[float]:
        start, stop = round(first * steps), round(last * steps)
        return [0.0] * start + [percent] * (stop - start)

    return schedule


def _fading(percent: float, steps: int) -> list[float]:
    """From percent at the first step evenly down to 0 after a third of the steps."""
    until = max(1, round(SHARE * steps))
    return [percent * (1 - step / until) for step in range(until)]


# name: function of a percentage and the number of steps that gives the percentage of each step.
# The paper publishes no schedule of its progressive, temporary bypass: `progressive` is ours.
SCHEDULES: dict[str, Callable[[float, int], list[float]]] = {
    "all": _within(0, 1),
    "early": _within(0, 1 / 3),
    "middle": _within(1 / 3, 2 / 3),
    "late": _within(2 / 3, 1),
    "progressive": _fading,
}
