"""How linear a denoiser is, and how near two denoisers or their linear maps are ([GAUSS])."""

from collections.abc import Sequence
from math import cos, radians, sin

import torch
from torch import Tensor

from depthbias.diffusion.denoiser import Denoiser
from depthbias.diffusion.gaussian_denoiser import GaussianDenoiser

ANGLES = (15.0, 45.0)  # degrees; 45 is [GAUSS]'s a = b = 1/sqrt 2


def in_batches(denoiser: Denoiser, size: int) -> Denoiser:
    """The same denoiser, called with at most `size` images at a time."""

    def batched(x: Tensor, sigma: float) -> Tensor:
        return torch.cat([denoiser(part, sigma) for part in x.split(size)])

    return batched


def linearity(
    denoiser: Denoiser,
    first: Tensor,
    second: Tensor,
    sigma: float,
    centre: Tensor,
    angles: Sequence[float] = ANGLES,
) -> dict[str, Tensor]:
    """Additivity of D on pairs of noisy images: four measures, float64 [len(angles), N] each.

    first, second: x1 and x2, [N, C, H, W], at noise level sigma. With a = cos(angle) and
    b = sin(angle), so that a x1 + b x2 has noise of the same level:

    linearity: |cos(D(a x1 + b x2), a D(x1) + b D(x2))|, 1 for every linear D;
    linearity_nmse: |D(a x1 + b x2) - a D(x1) - b D(x2)| / |D(a x1 + b x2)|, 0 for every linear D;
    linearity_centred, linearity_nmse_centred: the same of u -> D(mu + u) - D(mu), u = x - mu, with
    mu = `centre` [C, H, W], the mean of the data: 1 and 0 for every affine D, as the Gaussian one.
    """
    origin = denoiser(centre[None], sigma)
    one, two = denoiser(first, sigma), denoiser(second, sigma)
    measures: dict[str, list[Tensor]] = {}
    for angle in angles:
        a, b = cos(radians(angle)), sin(radians(angle))
        plain = denoiser(a * first + b * second, sigma)
        mixed = denoiser(centre + a * (first - centre) + b * (second - centre), sigma)
        both = {
            "": (plain, a * one + b * two),
            "_centred": (mixed - origin, a * (one - origin) + b * (two - origin)),
        }
        for ending, (of_sum, sum_of) in both.items():
            measures.setdefault(f"linearity{ending}", []).append(_cosine(of_sum, sum_of).abs())
            apart = relative_error(of_sum, sum_of)
            measures.setdefault(f"linearity_nmse{ending}", []).append(apart)
    return {name: torch.stack(rows) for name, rows in measures.items()}


def score_error(one: Tensor, two: Tensor) -> Tensor:
    """sqrt(|one - two|^2 / d) of every image, float64 [N]; one, two: outputs of two denoisers.

    The root-mean-square difference of a pixel; that of the scores (D - x) / s^2 is 1 / s^2 of it.
    """
    return _flat(one - two).square().mean(1).sqrt()


def relative_error(reference: Tensor, other: Tensor) -> Tensor:
    """|reference - other| / |reference| of every image, float64 [N]: what is called NMSE here."""
    return _flat(reference - other).norm(dim=1) / _flat(reference).norm(dim=1)


def weight_nmse(weight: Tensor, gaussian: Tensor) -> float:
    """|W - W_G|^2 / |W_G|^2 (Frobenius) of two [d, d] maps; NaN where W_G is 0."""
    return float((weight - gaussian).square().sum() / gaussian.square().sum())


def alignment(weight: Tensor, gaussian: GaussianDenoiser, count: int) -> Tensor:
    """How near the leading subspaces of W and of the data are, float64 [k], k = 1 to count.

    Root mean square of the cosines of the k principal angles between the span of the k leading left
    singular vectors of W, [d, d], and that of the k leading principal directions of the data:
    |U_k^T V_k|_F / sqrt(k). Directions with about equal variance may change places within a
    subspace. Ends where the rank of the data does.
    """
    _, vectors = torch.linalg.eigh(weight @ weight.T)  # a tenth of the time of an SVD
    leading = vectors.flip(1)[:, : min(count, gaussian.rank)]
    squares = (leading.T @ gaussian.vectors[:, : leading.shape[1]]).square()
    within = squares.cumsum(0).cumsum(1).diagonal()  # |U_k^T V_k|^2
    return (within / torch.arange(1, len(within) + 1)).sqrt()


def _cosine(one: Tensor, two: Tensor) -> Tensor:
    one, two = _flat(one), _flat(two)
    return (one * two).sum(1) / (one.norm(dim=1) * two.norm(dim=1))


def _flat(images: Tensor) -> Tensor:
    return images.reshape(len(images), -1).double()
