"""LPIPS as a squared distance between embeddings: all pairs for one network pass an image.

LPIPS(x, y) = sum_l mean_hw sum_c w_lc (f_l(x)/|f_l(x)| - f_l(y)/|f_l(y)|)^2 (arXiv 1801.03924,
eq. 1), and every published w is >= 0, hence LPIPS(x, y) = |phi(x) - phi(y)|^2, phi the features
sqrt(w_l / (H_l W_l)) f_l/|f_l| of all layers l side by side.
"""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from depthbias.system.errors import UserError
from depthbias.vision.embeddings import LPIPS_NETS
from depthbias.vision.pretrained import load_state

ENLARGED = 64  # pixels, the side that smaller images are resized to
EPSILON = 1e-10  # added to the length of features, as the lpips package does
BATCH = 128  # images a network pass


# Images to the feature maps [N, C_l, H_l, W_l] of all layers and the weight of each channel, [C_l].
Backbone = Callable[[Tensor], Sequence[tuple[Tensor, Tensor]]]


def embed(images: Tensor, backbone: Any) -> Tensor:
    """phi of every image, [N, D], on the device and with the precision of the backbone's weights.

    images: float [N, 3, H, W] in [-1, 1]; a single channel stands for grey. backbone: lpips-alex,
    lpips-vgg or lpips-squeeze (weights: see `pretrained`), an `lpips.LPIPS` module, or a
    `Backbone`. Images too small for an LPIPS network are resized to 64 pixels first (for AlexNet
    those below 31). UserError for an unknown name, missing weights, and values that are not finite.
    """
    layers = as_backbone(backbone)
    with torch.inference_mode():
        return torch.cat([_phi(layers(batch)) for batch in images.split(BATCH)])


def as_backbone(backbone: Any) -> Backbone:
    """The `Backbone` of a name, of an `lpips.LPIPS` module, or itself."""
    if isinstance(backbone, str):
        backbone = load_lpips(backbone.removeprefix("lpips-"))
    return _lpips_backbone(backbone) if hasattr(backbone, "lins") else backbone


def load_lpips(net: str) -> Any:
    """The `lpips.LPIPS` module of alex, vgg or squeeze, version 0.1, in eval mode on the CPU."""
    if net not in LPIPS_NETS:
        raise UserError(f"backbone {net!r}: the LPIPS networks are {', '.join(LPIPS_NETS)}")
    state = load_state(LPIPS_NETS[net][1])
    import lpips

    with warnings.catch_warnings():  # of torchvision, about how lpips calls it
        warnings.simplefilter("ignore", UserWarning)
        module = lpips.LPIPS(net=net, pnet_rand=True, verbose=False)
    # The package cuts torchvision's `features` into slices and keeps the numbers of the layers.
    sources = {name: f"features.{name.split('.', 1)[1]}" for name in module.net.state_dict()}
    module.net.load_state_dict({name: state[source] for name, source in sources.items()})
    return module


def _lpips_backbone(module: Any) -> Backbone:
    """The layers of an `lpips.LPIPS` module and its linear weights."""
    least = LPIPS_NETS[module.pnet_type.removesuffix("16")][0]
    weights = [linear.model[-1].weight.detach().flatten() for linear in module.lins]
    if min(float(weight.min()) for weight in weights) < 0:
        raise UserError("an LPIPS module with negative weights is no squared distance: train anew")

    def layers(images: Tensor) -> list[tuple[Tensor, Tensor]]:
        images = images.to(weights[0]).expand(-1, 3, -1, -1)
        if min(images.shape[2:]) < least:
            images = functional.interpolate(images, size=(ENLARGED, ENLARGED), mode="bilinear")
        scaled = module.scaling_layer(images) if module.version == "0.1" else images
        return list(zip(module.net(scaled), weights, strict=True))

    return layers


def _phi(layers: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    parts = []
    for features, weight in layers:
        unit = features / (features.norm(dim=1, keepdim=True) + EPSILON)
        scale = (weight / (features.shape[2] * features.shape[3])).sqrt()
        parts.append((unit * scale.view(-1, 1, 1)).flatten(1))
    phi = torch.cat(parts, dim=1)
    if not torch.isfinite(phi).all():
        raise UserError("the features of an image are not finite: look for NaN in the images")
    return phi
