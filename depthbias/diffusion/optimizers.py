"""The optimisers of a training: AdamW, or Muon for the matrices and AdamW for the rest."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import AdamW, Optimizer

OPTIMIZERS = ("adamw", "muon")
MOMENTUM = 0.95
STEPS = 5  # of the Newton-Schulz iteration
COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the odd polynomial that pulls singular values to 1
RMS = 0.2  # root mean square of an update at rate 1, as AdamW's


class Muon(Optimizer):
    """Momentum whose update is made orthogonal, of parameters with two or more axes.

    A convolution's kernel [out, in, h, w] is the matrix [out, in h w]. The update has the root mean
    square of AdamW's (arXiv 2502.16982, section 2.2), so both take one rate, with decoupled decay.
    torch.optim.Muon takes matrices only, and rounds them to bf16.
    """

    def __init__(self, parameters: Iterable[Tensor], lr: float, weight_decay: float) -> None:
        super().__init__(parameters, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One update of every parameter that has a gradient."""
        for group in self.param_groups:
            rate, decay = group["lr"], group["weight_decay"]
            for parameter in group["params"]:
                gradient, state = parameter.grad, self.state[parameter]
                if gradient is None:
                    continue
                if not state:
                    state["momentum"] = torch.zeros_like(parameter)
                state["momentum"].lerp_(gradient, 1 - MOMENTUM)
                update = gradient.lerp(state["momentum"], MOMENTUM)  # Nesterov's
                matrix = update.flatten(1)
                scale = RMS * max(matrix.shape) ** 0.5
                parameter.mul_(1 - rate * decay)
                parameter.add_(orthogonal(matrix).view(update.shape), alpha=-rate * scale)


def orthogonal(matrix: Tensor) -> Tensor:
    """Nearly U V^T of a matrix U S V^T, [rows, columns]: singular values become .7 to 1.2.

    Newton-Schulz: x -> a x + b (x x^T) x + c (x x^T)^2 x. Values far below the largest stay low.
    """
    if matrix.shape[0] > matrix.shape[1]:
        return orthogonal(matrix.T).T
    a, b, c = COEFFICIENTS
    x = matrix / (matrix.norm() + 1e-7)
    for _ in range(STEPS):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return x


def make_optimizers(name: str, parameters: Iterable[Tensor], decay: float) -> list[Optimizer]:
    """Those of a row of OPTIMIZERS; each parameter is in one. Their rate is set at every step."""
    parameters = list(parameters)
    matrices = [p for p in parameters if p.ndim > 1] if name == "muon" else []
    rest = [p for p in parameters if p.ndim < 2] if name == "muon" else parameters
    muon: list[Optimizer] = [Muon(matrices, lr=0.0, weight_decay=decay)] if matrices else []
    return [*muon, AdamW(rest, weight_decay=decay, fused=True)]
