"""One Bayesian bootstrap of the noise that all models start from (Rubin, Ann. Stat. 9:130, 1981).

Image i of every model starts from the same noise, so the errors of their images are not
independent. A draw gives every noise one random weight, which its images have in all models: what
is common to models then stays common, and their differences are paired.
"""

from dataclasses import dataclass, field

import numpy as np

from depthbias.estimates.intervals import stream

BLOCK = 1000  # noises whose weights are drawn together


@dataclass(frozen=True)
class NoiseBootstrap:
    """Weights Exp(1) of noises, `draws` of each; they depend on noise seed and index alone.

    Memory: 4 bytes for every noise and draw (80 MB for 10,000 noises and 2,000 draws).
    """

    draws: int
    _weights: dict[tuple[int, int], np.ndarray] = field(default_factory=dict, repr=False)

    def sums(self, flags: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """[B, C]: in every draw, the weights of the images that have a property, summed.

        flags: bool [N, C], which images have which of C properties; noise: int [N, 2], seed and
        index of the noise of each image. Without the random weights these would be counts.
        """
        total = np.zeros((self.draws, flags.shape[1]))
        blocks = np.stack([noise[:, 0], noise[:, 1] // BLOCK], axis=1)
        for seed, block in np.unique(blocks, axis=0):
            own = (blocks == (seed, block)).all(axis=1)
            dense = np.zeros((BLOCK, flags.shape[1]))
            np.add.at(dense, noise[own, 1] % BLOCK, flags[own])
            total += self._of_block(int(seed), int(block)).astype(np.float64) @ dense
        return total

    def _of_block(self, seed: int, block: int) -> np.ndarray:
        """Weights float32 [B, BLOCK] of the noises of one block."""
        if (seed, block) not in self._weights:
            drawn = stream("noise", str(seed), str(block))
            weights = drawn.standard_exponential((self.draws, BLOCK), dtype=np.float32)
            self._weights[seed, block] = weights
        return self._weights[seed, block]
