"""Denoisers: callables D(x, sigma) -> x0, the one interface of samplers and of every measurement.

x and x0 have shape [N, C, H, W] in a scale where images lie in [-1, 1]; x is x0 plus Gaussian noise
of standard deviation sigma > 0 in that scale: a float, or a tensor [N] with one value an image.
"""

from depthbias.delta import DeltaDenoiser
from depthbias.gaussian import GaussianDenoiser
from depthbias.linear import LinearDenoiser
from depthbias.unet_denoiser import UNetDenoiser

# For notebooks. The scripts import the modules, so that a change of one denoiser makes only what
# uses it stale.
__all__ = ["DeltaDenoiser", "GaussianDenoiser", "LinearDenoiser", "UNetDenoiser"]
