"""What edits along directions do to a model's images: how local, strong and linear they are.

A direction v is found at a state x of level sigma on the way to an image. The edit is the image
from x + step v less the image from x. Images are float64 [N, d], directions unit vectors [N, d].
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from depthbias.data.pixels import to_uint8
from depthbias.diffusion.denoiser import Denoiser
from depthbias.theory.edit_directions import leading, random_directions, without
from depthbias.theory.jacobians import jacobian_at
from depthbias.theory.local_linearity import step_length

KINDS = ("loco", "unprojected", "random", "random-inside")
PAIR = 2  # directions of a kind: the first, and one to compose it with
SHOWN = ("original", "loco, backwards", *KINDS)  # pictures, at the strongest step

Carry = Callable[[Tensor, float], Tensor]  # x [N, C, H, W] at a level to its image, alike


class Settings(NamedTuple):
    """mask: bool [d], the region; kept: directions that act outside and are projected off;
    strengths: lengths of steps, percent of the noise's, rising; seed: of random directions."""

    mask: Tensor
    kept: int
    strengths: Sequence[int]
    seed: int
    batch_size: int


class Edited(NamedTuple):
    """values: by name, float64 [levels, N]; pictures: uint8 [levels, len(SHOWN), N, H, W, C]."""

    values: dict[str, np.ndarray]
    pictures: np.ndarray


def find_directions(
    denoiser: Denoiser, x: Tensor, sigma: float, settings: Settings
) -> tuple[dict[str, Tensor], Tensor]:
    """Directions [N, PAIR, d] of every kind at x, and whether they settled, bool [N].

    loco: the leading right singular vectors of the region's rows of J, less the `kept` leading ones
    of the other rows; unprojected: without that; random; random-inside: random within the region.
    """
    generator = torch.Generator().manual_seed(settings.seed)
    mask, jacobian = settings.mask, jacobian_at(denoiser, x, sigma, settings.batch_size)
    inside = leading(jacobian, mask, PAIR, generator)
    directions, settled = inside.vectors, inside.settled
    if settings.kept and not bool(mask.all()):
        outside = leading(jacobian, ~mask, settings.kept, generator)
        directions = without(inside.vectors, outside.vectors)
        settled = settled & outside.settled
    shape = inside.vectors.shape
    found = {
        "loco": directions,
        "unprojected": inside.vectors,
        "random": random_directions(shape, generator),
        "random-inside": random_directions(shape, generator, mask),
    }
    return found, settled


class Place:
    """States of one level and their images, from which edits are made."""

    def __init__(self, carry: Carry, x: Tensor, sigma: float) -> None:
        self.carry, self.x, self.sigma = carry, x, sigma
        self.image = self._flat(x)

    def edit(self, directions: Tensor, strength: float) -> Tensor:
        """The changes [N, d] of the images by steps of `strength` percent along them, [N, d]."""
        step = step_length(self.sigma, directions.shape[-1], strength) * directions
        return self._flat(self.x + step.view(self.x.shape).to(self.x)) - self.image

    def _flat(self, x: Tensor) -> Tensor:
        return self.carry(x, self.sigma).flatten(1).double().cpu()


def properties(
    place: Place, other: Place, directions: Tensor, strengths: Sequence[int], mask: Tensor
) -> tuple[dict[str, Tensor], list[Tensor]]:
    """Numbers of the edits of one kind, [N] each, and the edits at each strength, [N, d] each.

    directions: [N, PAIR, d], found at `place`; other: the same images at another level.
    gain: length of the edit over that of its step. localisation: share of the squared change that
    is inside the region. The others are cosines, 1 for a Gaussian: linearity, of the edits at this
    and at the weakest strength; composability, of the edit along the sum of both directions and
    the sum of their edits; transferability, of the edit of image i and of that of image i + 1 along
    the same direction; homogeneity, of the edits at both levels along it.
    """
    first, second = directions[:, 0], directions[:, 1]
    found: dict[str, Tensor] = {}
    edits = [place.edit(first, strength) for strength in strengths]
    for strength, edit in zip(strengths, edits, strict=True):
        step = step_length(place.sigma, first.shape[-1], strength)
        added = edit + place.edit(second, strength)
        together = place.edit(first + second, strength)
        moved = place.edit(first.roll(1, 0), strength).roll(-1, 0)
        row = {
            "gain": edit.norm(dim=1) / step,
            "localisation": (edit * mask).square().sum(1) / edit.square().sum(1),
            "composability": cosine(together, added),
            "transferability": cosine(moved, edit),
            "homogeneity": cosine(other.edit(first, strength), edit),
        }
        if edit is not edits[0]:
            row["linearity"] = cosine(edit, edits[0])
        found |= {f"{name}@{strength}": value for name, value in row.items()}
    return found, edits


def cosine(one: Tensor, two: Tensor) -> Tensor:
    """Of vectors [N, d], [N]."""
    return (one * two).sum(1) / (one.norm(dim=1) * two.norm(dim=1))


@torch.no_grad()
def measure(
    denoiser: Denoiser,
    carry: Carry,
    states: Sequence[Tensor],
    levels: Sequence[float],
    settings: Settings,
    report: Callable[[int], None] = lambda done: None,
) -> Edited:
    """Edits of the images at every level along every kind of direction.

    denoiser: whose Jacobian gives the directions, not clipped; states: x at each level,
    [N, C, H, W], the same trajectories. Names are metrics of docs/theory.md, after an @ the
    strength. The other level of homogeneity is the next one, of the last the one before. One level
    alone has none.
    """
    places = [Place(carry, x, sigma) for x, sigma in zip(states, levels, strict=True)]
    rows: list[dict[str, Tensor]] = []
    pictures = []
    for index, place in enumerate(places):
        other = places[index + 1 if index + 1 < len(places) else max(index - 1, 0)]
        kinds, settled = find_directions(denoiser, place.x, place.sigma, settings)
        row = {"edit_settled": settled.double()}
        strongest = {}
        for kind, directions in kinds.items():
            named, edits = properties(place, other, directions, settings.strengths, settings.mask)
            strongest[kind] = edits[-1]
            for name, values in named.items():
                metric, _, strength = name.partition("@")
                if metric != "homogeneity" or other is not place:
                    row[f"edit_{metric}:{kind}@{strength}"] = values
        rows.append(row)
        back = place.edit(-kinds["loco"][:, 0], settings.strengths[-1])
        pictures.append(_pictures(place, strongest, back))
        report(len(rows))
    stacked = {name: np.stack([row[name].numpy() for row in rows]) for name in rows[0]}
    return Edited(stacked, np.stack(pictures))


def _pictures(place: Place, edits: Mapping[str, Tensor], back: Tensor) -> np.ndarray:
    """uint8 [len(SHOWN), N, H, W, C]: the images, and the images with edits."""
    changes = [torch.zeros_like(back), back, *(edits[kind] for kind in KINDS)]
    images = [(place.image + change).view(place.x.shape) for change in changes]
    return np.stack([to_uint8(image).numpy() for image in images])
