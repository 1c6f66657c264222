"""Resizing of small grey digits by area: box average when shrinking, repetition when enlarging."""

from collections.abc import Iterator

import numpy as np

BLOCK = 1024


def area_weights(old: int, new: int) -> np.ndarray:
    """float32 [new, old]: row i holds the shares of old pixels in new pixel i; its sum is 1."""
    edges = np.arange(new + 1) * (old / new)
    pixels = np.arange(old)
    upper = np.minimum.outer(edges[1:], pixels + 1)
    lower = np.maximum.outer(edges[:-1], pixels)
    return (np.clip(upper - lower, 0, None) * (new / old)).astype(np.float32)


def resized_blocks(
    images: np.ndarray, size: int, channels: int, pad: int = 0
) -> Iterator[np.ndarray]:
    """Square grey images uint8 [N, H, H] as uint8 blocks [n, size, size, channels].

    `pad` pixels of zeros are put around every image first; all channels hold the grey value.
    """
    weights = area_weights(images.shape[1] + 2 * pad, size)
    for start in range(0, len(images), BLOCK):
        block = np.pad(images[start : start + BLOCK], ((0, 0), (pad, pad), (pad, pad)))
        resized = np.rint(weights @ block.astype(np.float32) @ weights.T).astype(np.uint8)
        yield np.repeat(resized[..., None], channels, axis=3)
