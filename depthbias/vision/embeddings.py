"""The embeddings that distances between images are measured in: one table, no torch.

The description of an embedding is written beside every number computed with it, so that no number
stands for another network than the one it names.
"""

from dataclasses import dataclass
from importlib.metadata import version
from typing import Literal

from depthbias.vision.pretrained import SSCD, TORCHVISION, Weights

Metric = Literal["euclidean", "cosine"]


# Network of the lpips package: the least side in pixels that it can take, its ImageNet weights.
LPIPS_NETS = {
    "alex": (31, TORCHVISION["alexnet"]),
    "vgg": (16, TORCHVISION["vgg16"]),
    "squeeze": (17, TORCHVISION["squeezenet1_1"]),
}

ENLARGE = "sides below {} px resized to 64 (bilinear)"
RGB = "grey repeated to RGB"


@dataclass(frozen=True)
class Embedding:
    """A row of the table.

    metric: of distances between its vectors; transform: what happens to an image before the
    network; dimension: 0 where it depends on the study; origin: where it is from; weights: the file
    of the network, if it is a downloaded one; backbone: whether diversity may be measured on it.
    """

    metric: Metric
    transform: str
    dimension: int
    origin: str
    weights: Weights | None = None
    backbone: bool = False


def _lpips(net: str, source: str) -> Embedding:
    least, weights = LPIPS_NETS[net]
    return Embedding(
        "euclidean",
        f"{RGB}; {ENLARGE.format(least)}; scaled as LPIPS does",
        0,
        f"LPIPS 0.1 (lpips {version('lpips')}, its own linear weights) on torchvision's {source}, "
        "ImageNet; squared distance = LPIPS",
        weights,
        backbone=True,
    )


EMBEDDINGS: dict[str, Embedding] = {
    "pixels": Embedding(
        "euclidean",
        "pixels of 0 to 255 at the study's size, channels side by side",
        0,
        "the images themselves",
    ),
    "lpips-alex": _lpips("alex", "AlexNet"),
    "lpips-vgg": _lpips("vgg", "VGG-16"),
    "lpips-squeeze": _lpips("squeeze", "SqueezeNet 1.1"),
    "inception": Embedding(
        "cosine",
        f"{RGB}; resized to 299 x 299 (bilinear, antialiased); -1 to 1",
        2048,
        "torchvision's Inception v3, ImageNet, after the last average pooling",
        TORCHVISION["inception_v3"],
    ),
    "sscd": Embedding(
        "cosine",
        f"{RGB}; resized to 320 x 320 (bilinear, antialiased); ImageNet mean and deviation",
        1024,
        "SSCD disc_large (arXiv 2202.10261), TorchScript, scaled to length 1",
        SSCD,
    ),
    "classifier": Embedding(
        "cosine",
        "-1 to 1 at the study's size",
        0,
        "the study's own classifier: the outputs of all residual blocks, each averaged over a "
        "4 x 4 grid and scaled to length 1, side by side",
        backbone=True,
    ),
}

CLASSIFIER_DISTANCE = (
    "LPIPS's distance on the study's own classifier: outputs of all residual blocks, channels "
    "weighted equally (not the published LPIPS networks and weights)"
)

BACKBONES = tuple(name for name, row in EMBEDDINGS.items() if row.backbone)
