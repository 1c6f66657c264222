"""The embeddings and the perceptual distance of one study, loaded."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from depthbias.data.pixels import to_float
from depthbias.system.errors import UserError
from depthbias.vision.classifier import Classifier, ResidualBlock
from depthbias.vision.distance_sums import image_distance_sums
from depthbias.vision.embeddings import BACKBONES, CLASSIFIER_DISTANCE, EMBEDDINGS
from depthbias.vision.lpips_distance import Backbone, embed, load_lpips
from depthbias.vision.pretrained import (
    SSCD,
    TORCHVISION,
    load_script,
    load_state,
    weights_hash,
)

BATCH = 128
NO_BACKBONE = "none"
GRID = 4  # cells a side of the classifier's vectors
Report = Callable[[int], None]


IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Embedder:
    """The embeddings and the distance of one study, loaded: weights are looked for at once.

    backbone: NO_BACKBONE where distances are not summed; classifier: None where nothing is of it.
    """

    def __init__(
        self,
        names: Sequence[str],
        backbone: str,
        classifier: tuple[Classifier, Mapping[str, Any]] | None,
        device: torch.device,
    ) -> None:
        if classifier is None and "classifier" in (*names, backbone):
            raise UserError("embedding classifier: give the classifier of the study")
        self.device, self._backbone_name = device, backbone
        if classifier is not None:
            self._classifier, self._meta = classifier[0].to(device), classifier[1]
        self._encoders = {name: self._encoder(name) for name in names}
        if backbone != NO_BACKBONE:
            network = self._classifier if classifier else None
            self._backbone = load_backbone(backbone, network, device)

    def vectors(
        self, images: np.ndarray, rows: np.ndarray, report: Report = lambda done: None
    ) -> dict[str, np.ndarray]:
        """Vectors float32 [N, D] in every embedding of the given rows of uint8 [M, H, W, C].

        Without pixels, which the images themselves are. UserError for values that are not finite.
        """
        found: dict[str, np.ndarray] = {}
        if set(self._encoders) == {"pixels"}:
            return found
        for start in range(0, len(rows), BATCH):
            batch = to_float(torch.from_numpy(images[rows[start : start + BATCH]]).to(self.device))
            for name, encode in self._encoders.items():
                if name == "pixels":
                    continue
                with torch.inference_mode():
                    part = encode(batch).float().cpu().numpy()
                if not np.isfinite(part).all():
                    raise UserError(f"embedding {name} is not finite: check its weights and images")
                found.setdefault(name, np.empty((len(rows), part.shape[1]), part.dtype))
                found[name][start : start + len(part)] = part
            report(start + len(batch))
        return found

    def sums(self, images: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
        """`perceptual.distance_sums` of images uint8 [N, H, W, C], float64 [N, classes].

        NaN without a backbone.
        """
        if self._backbone_name == NO_BACKBONE:
            return np.full((len(images), classes), np.nan)
        return image_distance_sums(images, self._backbone, labels, classes, self.device)

    def about(self, shape: tuple[int, ...]) -> dict[str, Any]:
        """What numbers from images of this shape (H, W, C) must say of the embeddings, for JSON."""
        blank = torch.zeros((1, shape[2], *shape[:2]), device=self.device)
        with torch.inference_mode():
            sizes = {name: encode(blank).shape[1] for name, encode in self._encoders.items()}
        described = {name: self._describe(name) | {"dimension": sizes[name]} for name in sizes}
        if self._backbone_name == NO_BACKBONE:
            return described | {"diversity": {"embedding": NO_BACKBONE, "metric": ""}}
        distance = self._describe(self._backbone_name) | {"metric": "squared euclidean"}
        if self._backbone_name == "classifier":
            distance["origin"] = CLASSIFIER_DISTANCE
        return described | {"diversity": distance}

    def _encoder(self, name: str) -> Callable[[Tensor], Tensor]:
        """Images float [N, C, H, W] in [-1, 1] to vectors [N, D]."""
        if name not in EMBEDDINGS:
            raise UserError(f"embedding {name!r} is none of {', '.join(EMBEDDINGS)}")
        if name == "pixels":
            return lambda images: images.add(1).mul(127.5).permute(0, 2, 3, 1).flatten(1)
        if name == "classifier":
            return lambda images: classifier_vectors(self._classifier, images)
        if name == "inception":
            return _inception(self.device)
        if name == "sscd":
            return _sscd(self.device)
        lpips = load_lpips(name.removeprefix("lpips-")).to(self.device)
        return lambda images: embed(images, lpips)

    def _describe(self, name: str) -> dict[str, Any]:
        entry = EMBEDDINGS[name]
        files = {entry.weights.file: weights_hash(entry.weights)} if entry.weights else {}
        if name == "classifier":
            files["classifier.safetensors"] = str(self._meta["weights"])
        if name.startswith("lpips-"):
            files |= _linear_weights(name.removeprefix("lpips-"))
        return {
            "embedding": name,
            "metric": entry.metric,
            "transform": entry.transform,
            "origin": entry.origin,
            "sha256": files,
        }


def block_outputs(model: Classifier, images: Tensor) -> list[Tensor]:
    """The outputs [N, C, H, W] of all residual blocks of a classifier."""
    found = []
    for layer in model.body:
        images = layer(images)
        if isinstance(layer, ResidualBlock):
            found.append(images)
    return found


def classifier_vectors(model: Classifier, images: Tensor) -> Tensor:
    """[N, D]: outputs of all blocks, each averaged over a grid and scaled to length 1.

    The last features alone would not do: they tell the classes apart and hardly the images of one
    class. Their cosine is the mean over blocks of the cosine of one block.
    """
    outputs = block_outputs(model, images)
    pooled = [functional.adaptive_avg_pool2d(output, GRID).flatten(1) for output in outputs]
    return torch.cat([functional.normalize(part) for part in pooled], dim=1)


def classifier_backbone(model: Classifier) -> Backbone:
    """The outputs of all residual blocks of a classifier, every channel with weight 1."""
    return lambda images: [
        (output, output.new_ones(output.shape[1])) for output in block_outputs(model, images)
    ]


def load_backbone(name: str, classifier: Classifier | None, device: torch.device) -> Any:
    """The network of a perceptual distance, on the device; UserError for an unknown name.

    classifier: the study's own, on the device, for the distance of that name.
    """
    if name not in BACKBONES:
        raise UserError(f"backbone {name!r} is none of {', '.join(BACKBONES)}")
    if name == "classifier":
        if classifier is None:
            raise UserError("backbone classifier: give the classifier of the study")
        return classifier_backbone(classifier)
    return load_lpips(name.removeprefix("lpips-")).to(device)


def _linear_weights(net: str) -> dict[str, str]:
    import lpips

    path = Path(lpips.__file__).parent / "weights" / "v0.1" / f"{net}.pth"
    return {f"lpips/{path.parent.name}/{path.name}": hashlib.sha256(path.read_bytes()).hexdigest()}


def _inception(device: torch.device) -> Callable[[Tensor], Tensor]:
    from torchvision.models import inception_v3

    # transform_input would undo an ImageNet normalisation: the network itself takes -1 to 1.
    model = inception_v3(weights=None, init_weights=False, transform_input=False)
    model.load_state_dict(load_state(TORCHVISION["inception_v3"]))
    model.fc = torch.nn.Identity()
    model = model.eval().to(device)
    return lambda images: model(_resized(images, 299))


def _sscd(device: torch.device) -> Callable[[Tensor], Tensor]:
    model = load_script(SSCD).to(device)
    mean, deviation = (
        torch.tensor(values, device=device).view(1, 3, 1, 1)
        for values in (IMAGENET_MEAN, IMAGENET_STD)
    )
    return lambda images: functional.normalize(
        model(((_resized(images, 320) + 1) / 2 - mean) / deviation)
    )


def _resized(images: Tensor, side: int) -> Tensor:
    """[N, 1 or 3, H, W] to [N, 3, side, side]."""
    size = (side, side)
    large = functional.interpolate(images, size=size, mode="bilinear", antialias=True)
    return large.expand(-1, 3, -1, -1)
