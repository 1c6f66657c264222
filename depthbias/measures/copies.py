"""Do models copy their training images? Measures from nearest neighbours, one number an image."""

import math

import numpy as np

from depthbias.system.errors import UserError

NEARER = 1 / 3  # of the distance to the second neighbour: then an image counts as memorised
GRID = 127.5  # pixels of 0 to 255 are this many times those of -1 to 1


def memorised(distances: np.ndarray) -> np.ndarray:
    """Whether d1/d2 < 1/3 or d1 = 0, bool [N]; distances [N, 2 or more] to the nearest images.

    The pixel L2 criterion of Yoon et al. (2023): a copy is far nearer to one image than to others.
    An image that is equal to a training image is one, though that be there twice.
    """
    return (distances[:, 0] < NEARER * distances[:, 1]) | (distances[:, 0] == 0)


def authentic(distances: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Whether an image is no nearer to a training image than that is to its own, bool [N].

    distances [N] to the nearest training image, own [N] from there to the nearest other one. The
    share of it is AuthPct / 100: Alaa et al. (arXiv 2102.08921), Stein et al. (arXiv 2306.04675).
    """
    return distances >= own


def relative_distances(images: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """|x - NN(x)| / |x|, [N], with pixels of -1 to 1; their mean is [GAUSS] eq. 14.

    images uint8 [N, H, W, C], distances [N] to the nearest training image in pixels of 0 to 255.
    UserError for an image whose length is 0, which is none of uint8.
    """
    flat = images.reshape(len(images), math.prod(images.shape[1:])).astype(np.float64) / GRID - 1
    lengths = np.linalg.norm(flat, axis=1)
    if not lengths.all():
        row = int(np.argmin(lengths))
        raise UserError(f"image {row} is constant at mid grey: it has no length to compare with")
    return distances / GRID / lengths


def copies(similarities: np.ndarray, threshold: float) -> np.ndarray:
    """Whether a cosine similarity is above the threshold, bool [N].

    [SIAM]: the share of it is RP for same-noise pairs of two models, and 1 - GL for the similarity
    of generated images to their most similar training image.
    """
    return similarities > threshold


def paired_cosines(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Cosine similarity of row i with row i, float64 [N]; first, second [N, D].

    1 - |a/|a| - b/|b||^2 / 2, exact for equal rows. UserError for sets of different shape and for
    rows of length 0.
    """
    if first.shape != second.shape:
        raise UserError(f"embeddings of {first.shape} and {second.shape} cannot be paired")
    difference = _directions(first) - _directions(second)
    return 1 - (difference**2).sum(axis=1) / 2


def _directions(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    if not lengths.all():
        raise UserError(
            f"image {int(np.argmin(lengths))}: all of its values are 0: it has no cosine"
        )
    return vectors / lengths
