"""The study's own classifier: a plain residual CNN for images of 8 to 64 pixels."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from depthbias.data.pixels import to_float
from depthbias.system.errors import UserError
from depthbias.system.files import read_json, write_json
from depthbias.system.tensors import read_tensors, write_tensors

FORMAT = 1
WIDTH = 16  # channels at full resolution, doubled with every halving
WIDEST = 128
WARMUP = 0.05  # of the budget
WEIGHT_DECAY = 0.01
# One training image in twenty is blended half and half with another, and so is its label. Without,
# the network is sure of everything, and the undecidable share means nothing (docs/metrics.md).
BLENDED = 0.05


class ResidualBlock(nn.Module):
    """x + conv(act(norm(conv(act(norm(x)))))), [N, C, H, W] -> the same."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.GroupNorm(8, width) for _ in range(2))
        self.convs = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        h = x
        for norm, conv in zip(self.norms, self.convs, strict=True):
            h = conv(functional.silu(norm(h)))
        return x + h


class Classifier(nn.Module):
    """Images float [N, channels, size, size] in [-1, 1] to logits [N, classes].

    size: of images that are not square, the longer side. One residual block a resolution, halved
    down to 4 pixels or less, then the mean over pixels.
    """

    def __init__(self, channels: int, size: int, classes: int) -> None:
        super().__init__()
        width = WIDTH
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 3, padding=1), ResidualBlock(width)]
        while size > 4:
            wider = min(2 * width, WIDEST)
            layers += [nn.Conv2d(width, wider, 3, stride=2, padding=1), ResidualBlock(wider)]
            width, size = wider, (size + 1) // 2
        self.body = nn.Sequential(*layers, nn.GroupNorm(8, width), nn.SiLU())
        self.head = nn.Linear(width, classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.body(images).mean(dim=(2, 3)))


def train_classifier(
    images: np.ndarray,
    pool: Sequence[np.ndarray],
    *,
    budget: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    device: str | torch.device = "cpu",
    report: Callable[[int], None] = lambda seen: None,
) -> Classifier:
    """Train on equal numbers of images of every class; `report` is told the images seen.

    images: uint8 [N, S, S, C] (a memory map will do); pool: rows of each class. Every image of a
    batch is of a class drawn first, whatever the sizes of the pool. Augmented by shifts of up to a
    sixteenth of the side (at least a pixel), never by flips or turns, which would make a 9 of a 6.
    AdamW with warm-up and cosine. On the CPU the same arguments give the same weights.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Classifier(images.shape[3], max(images.shape[1:3]), len(pool)).to(device)
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), learning_rate, weight_decay=WEIGHT_DECAY)
    steps = math.ceil(budget / batch_size)
    for step in range(steps):
        rate = min(1.0, (step + 1) / (WARMUP * steps)) * (1 + math.cos(math.pi * step / steps)) / 2
        optimizer.param_groups[0]["lr"] = learning_rate * rate
        batch, labels = _batch(images, pool, batch_size, generator)
        targets = functional.one_hot(labels, len(pool)).float()
        batch, targets = _blended(to_float(batch), targets, generator)
        loss = functional.cross_entropy(model(batch.to(device)), targets.to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        report(min((step + 1) * batch_size, budget))
    return model.cpu().eval()


def _batch(
    images: np.ndarray, pool: Sequence[np.ndarray], size: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """(shifted images uint8 [size, S, S, C], labels [size]), classes equally likely."""
    labels = torch.randint(len(pool), (size,), generator=generator)
    places = torch.rand(size, generator=generator, dtype=torch.float64).tolist()
    rows = [pool[k][int(u * len(pool[k]))] for k, u in zip(labels.tolist(), places, strict=True)]
    chosen = torch.from_numpy(images[np.array(rows)])
    height, width = images.shape[1:3]
    reach = max(1, max(height, width) // 16)
    shifts = torch.randint(-reach, reach + 1, (2, size, 1), generator=generator)
    down = (torch.arange(height) + shifts[0]).clamp(0, height - 1)  # edges are repeated
    right = (torch.arange(width) + shifts[1]).clamp(0, width - 1)
    return chosen[torch.arange(size)[:, None, None], down[:, :, None], right[:, None, :]], labels


def _blended(images: Tensor, targets: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Some images, and their targets, replaced by their mean with another image of the batch."""
    mask = (torch.rand(len(images), generator=generator) < BLENDED).float()
    own = 1 - mask / 2
    weights = own.view(-1, 1, 1, 1)
    images = weights * images + (1 - weights) * images.flip(0)
    return images, own[:, None] * targets + (1 - own[:, None]) * targets.flip(0)


@torch.inference_mode()
def classify(model: Classifier, images: np.ndarray, batch_size: int = 500) -> np.ndarray:
    """Class probabilities float32 [N, K] of images uint8 [N, S, S, C], on the model's device."""
    device = next(model.parameters()).device
    parts = [
        model(to_float(torch.from_numpy(np.array(images[start : start + batch_size])).to(device)))
        for start in range(0, len(images), batch_size)
    ]
    return torch.cat(parts).softmax(dim=1).cpu().numpy()


def check_accuracy(confusion: np.ndarray, classes: Sequence[str], threshold: float) -> float:
    """Balanced accuracy: the mean over classes of the share classified right.

    UserError below `threshold`, with the confused classes.
    """
    totals = confusion.sum(axis=0)
    accuracy = float((np.diag(confusion) / totals).mean())
    if accuracy >= threshold:
        return accuracy
    wrong = [
        f"{confusion[i, j]} of {totals[j]} {classes[j]} taken for {classes[i]}"
        for i, j in np.ndindex(confusion.shape)
        if i != j and confusion[i, j]
    ]
    raise UserError(
        f"the classifier's balanced accuracy on {totals.sum()} held-out real images is "
        f"{accuracy:.4g}, below the threshold {threshold:g} ({', '.join(wrong)}): "
        "raise its budget, use larger images, or lower its threshold"
    )


def save_classifier(
    model: Classifier, meta: Mapping[str, Any], model_path: Path, meta_path: Path
) -> None:
    """Write the weights, and meta (classes, size, channels, ...) with their SHA-256."""
    weights = write_tensors(model_path, model.state_dict())
    parameters = sum(p.numel() for p in model.parameters())
    described = {"format": FORMAT, **meta, "parameters": parameters, "weights": weights}
    write_json(meta_path, described)


def load_classifier(model_path: Path, meta_path: Path) -> tuple[Classifier, dict[str, Any]]:
    """(classifier on the CPU, its description); UserError unless the files belong together."""
    meta = read_json(meta_path)
    tensors, _, weights = read_tensors(model_path)
    if not isinstance(meta, dict) or (meta.get("format"), meta.get("weights")) != (FORMAT, weights):
        raise UserError(
            f"{model_path}: not the classifier that {meta_path} describes: train it again"
        )
    size = meta["size"]
    side = max(size) if isinstance(size, list) else size
    model = Classifier(meta["channels"], side, len(meta["classes"]))
    model.load_state_dict(tensors)
    return model.eval(), meta
