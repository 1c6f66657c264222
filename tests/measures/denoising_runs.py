"""Made-up denoising errors, for tests of what is made of them."""

import numpy as np

from depthbias.estimates.runs import Run
from depthbias.measures.denoising_errors import DenoisingErrors

SIGMAS = [0.1, 1.0, 20.0]


def made_up(architecture, costs, seed=0, ratio="90-10", gap=0.0, level=1.0, spread=0.5):
    """A run whose cut models have these costs [S - 1, L] exactly, image by image."""
    random = np.random.default_rng(0)
    base = level * np.array(SIGMAS)[:, None] ** 2 * (1 + spread * random.random((3, 30)))
    stages = np.asarray(costs, dtype=float).reshape(-1, 3)
    heldout = np.repeat([0, 1], 15)
    return DenoisingErrors(
        run=Run("s", ratio, architecture, str(seed)),
        sigmas=np.array(SIGMAS),
        noise_seed=0,
        heldout_errors=base,
        training_errors=base[:, ::2] * (1 + gap),
        heldout_residuals=base,
        training_residuals=base[:, ::2],
        heldout_labels=heldout,
        training_labels=heldout[::2],
        heldout_rows=np.arange(30),
        training_rows=np.arange(100, 115),
        cut_errors=stages[:, :, None] * base,
        constant_errors=np.full(30, 0.25),
        classes=("six", "nine"),
        proportions=np.array([0.9, 0.1]),
        level_weights=np.array([1.0, 0.5, 0.001]),
    )


DEAD = [[2, 3, 4], [1.2, 1.0, 1.5], [1.0, 1.001, 0.999]]  # of depth4: the fourth stage
