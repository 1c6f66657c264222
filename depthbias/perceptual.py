"""LPIPS as a squared distance between embeddings: all pairs for one network pass an image.

LPIPS(x, y) = sum_l mean_hw sum_c w_lc (f_l(x)/|f_l(x)| - f_l(y)/|f_l(y)|)^2 (arXiv 1801.03924,
eq. 1), and every published w is >= 0, hence LPIPS(x, y) = |phi(x) - phi(y)|^2, phi the features
sqrt(w_l / (H_l W_l)) f_l/|f_l| of all layers l side by side.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from depthbias.errors import UserError
from depthbias.estimates import Estimate
from depthbias.images import to_float
from depthbias.pairs import overall
from depthbias.pretrained import TORCHVISION, load_state

# Network of the lpips package: the least side in pixels that it can take, its ImageNet weights.
LPIPS_NETS = {
    "alex": (31, TORCHVISION["alexnet"]),
    "vgg": (16, TORCHVISION["vgg16"]),
    "squeeze": (17, TORCHVISION["squeezenet1_1"]),
}
ENLARGED = 64  # pixels, the side that smaller images are resized to
EPSILON = 1e-10  # added to the length of features, as the lpips package does
BATCH = 128  # images a network pass
KEPT_BYTES = 4 << 30  # embeddings up to this size are kept, larger ones computed a second time

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


def mean_pairwise(embeddings: Tensor | np.ndarray) -> Estimate:
    """Mean of |phi_i - phi_j|^2 over all pairs of N embeddings [N, D], exactly; jackknife interval.

    With S = sum phi_i and q = sum |phi_i|^2 the mean is 2 (N q - |S|^2) / (N (N - 1)). Sums are in
    float64; memory beyond the embeddings does not depend on N. UserError for fewer than two
    embeddings, and for values that are not finite.
    """

    def blocks() -> Iterator[Tensor]:
        for start in range(0, len(embeddings), BATCH):
            block = embeddings[start : start + BATCH]  # may be a memory map, which is read-only
            yield block if isinstance(block, Tensor) else torch.as_tensor(np.array(block))

    return overall(distance_sums(blocks, np.zeros(len(embeddings), dtype=np.int64), 1))


def image_distance_sums(
    images: np.ndarray,
    backbone: Any,
    labels: np.ndarray,
    classes: int,
    device: str | torch.device = "cpu",
) -> np.ndarray:
    """`distance_sums` of images uint8 [N, H, W, C], float64 [N, classes].

    One network pass an image; a second one for those whose embeddings are beyond the first 4 GB.
    """
    layers = as_backbone(backbone)
    kept: dict[int, Tensor] = {}

    def blocks() -> Iterator[Tensor]:
        for start in range(0, len(images), BATCH):
            if start in kept:
                yield kept[start]
                continue
            batch = torch.as_tensor(np.array(images[start : start + BATCH]), device=device)
            phi = embed(to_float(batch), layers)
            if (len(kept) + 1) * phi.numel() * phi.element_size() <= KEPT_BYTES:
                kept[start] = phi
            yield phi

    return distance_sums(blocks, labels, classes)


def distance_sums(
    blocks: Callable[[], Iterable[Tensor]], labels: np.ndarray, classes: int
) -> np.ndarray:
    """Summed squared distance of each embedding to all those of each class: float64 [N, classes].

    blocks: called three times; all embeddings in order, as blocks [n, D]. labels: int [N]. With n_b
    images of class b and S_b and q_b their sums of phi and |phi|^2, image i has
    n_b |phi_i|^2 + q_b - 2 phi_i . S_b. UserError for values that are not finite.
    """
    counts = torch.as_tensor(np.bincount(labels, minlength=classes))
    first = next(iter(blocks()), torch.zeros((1, 1)))
    origin = first[0].double()  # distances do not depend on it, rounding does
    vectors = origin.new_zeros((len(origin), classes))
    squares = torch.zeros(classes, dtype=torch.float64)
    for block, members in _with_members(blocks(), labels, classes):
        block -= origin
        vectors += block.T @ members
        squares += (block.square().sum(dim=1) @ members).cpu()
    if not torch.isfinite(squares).all():
        raise UserError("the embeddings hold values that are not finite: embed the images again")
    sums = [torch.zeros((0, classes), dtype=torch.float64)]
    for block, _ in _with_members(blocks(), labels, classes):
        block -= origin
        lengths, dots = block.square().sum(dim=1).cpu(), (block @ vectors).cpu()
        sums.append(counts * lengths[:, None] + squares - 2 * dots)
    return torch.cat(sums).clamp_(min=0).numpy()


def _with_members(
    blocks: Iterable[Tensor], labels: np.ndarray, classes: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Each block copied to float64, with the classes of its images as one-hot rows [n, classes]."""
    start = 0
    for block in blocks:
        own = torch.as_tensor(labels[start : start + len(block)])
        start += len(block)
        members = functional.one_hot(own, classes).to(block.device, torch.float64)
        yield block.to(torch.float64, copy=True), members
