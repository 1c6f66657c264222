"""The multi-delta denoiser: optimal for data that are the training images and nothing else."""

import torch
from torch import Tensor

from depthbias.diffusion.denoiser import level_column
from depthbias.system.errors import UserError

BLOCK_VALUES = 2**23  # pixels of training images in float64 at a time: 64 MB


class DeltaDenoiser:
    """D(x; s) = sum_i softmax_i(-|x - y_i|^2 / 2 s^2) y_i over the training images y.

    [GAUSS] arXiv 2410.24060. In float64, as float32 cannot tell the exponents apart at s = 0.002.
    For s -> 0 it is the training image nearest to x, for s -> infinity the mean of all. The
    training images [N, C, H, W] are streamed, so that memory beside them stays bounded however
    many there are.
    """

    def __init__(self, images: Tensor) -> None:
        """UserError without images or if a value is not finite."""
        if not len(images):
            raise UserError("the multi-delta denoiser needs at least one image: the set is empty")
        if not bool(images.isfinite().all()):
            raise UserError("the images hold values that are not finite: prepare them again")
        self.shape = images.shape[1:]
        self._flat = images.reshape(len(images), -1)
        # Distances are taken between deviations from here: smaller numbers, less rounding.
        self._origin = self._flat[0].double()

    def __call__(self, x: Tensor, sigma: float | Tensor) -> Tensor:
        """The estimate of x0, like x [N, C, H, W]; ValueError for a bad sigma or shape."""
        if x.shape[1:] != self.shape:
            shapes = f"{list(x.shape[1:])}, not {list(self.shape)}"
            raise ValueError(f"images of shape {shapes} as the training images")
        variance = level_column(sigma, x).square()
        query = x.reshape(len(x), -1).double() - self._origin
        top = torch.full_like(query[:, :1], -torch.inf)  # the largest exponent so far
        weight, total = torch.zeros_like(top), torch.zeros_like(query)
        for block in self._flat.split(max(1, BLOCK_VALUES // query.shape[1])):
            images = block.double() - self._origin
            # |x|^2 is the same for all images, so it drops out of the softmax.
            exponents = (query @ images.T - images.square().sum(1) / 2) / variance
            higher = torch.maximum(top, exponents.amax(1, keepdim=True))
            parts, shrink = (exponents - higher).exp(), (top - higher).exp()
            weight = weight * shrink + parts.sum(1, keepdim=True)
            total = total * shrink + parts @ images
            top = higher
        return (self._origin + total / weight).view(x.shape).to(x.dtype)
