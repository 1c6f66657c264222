"""Networks that treat ranges of noise levels apart: with a decoder, or a whole network, a stage."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from depthbias.diffusion.trainer import Trainer

if TYPE_CHECKING:
    from diffusers.models.unets.unet_2d import UNet2DModel


class Encoder(nn.Module):
    """The way down of a U-Net."""

    def __init__(self, unet: "UNet2DModel") -> None:
        super().__init__()
        self.time_proj, self.time_embedding = unet.time_proj, unet.time_embedding
        self.conv_in, self.down_blocks = unet.conv_in, unet.down_blocks

    def forward(self, x: Tensor, t: Tensor) -> tuple[Tensor, ...]:
        """The output of every layer, the last of which is the deepest: x [N, C, H, W], t [N]."""
        time = self.time_embedding(self.time_proj(t).to(x.dtype))
        hidden = self.conv_in(x)
        outputs: tuple[Tensor, ...] = (hidden,)
        for block in self.down_blocks:
            hidden, own = block(hidden_states=hidden, temb=time)
            outputs += own
        return outputs


class Decoder(nn.Module):
    """The way up of a U-Net, which may be wider or narrower than the way down before it."""

    def __init__(self, unet: "UNet2DModel", encoder: "UNet2DModel") -> None:
        super().__init__()
        self.time_proj, self.time_embedding = unet.time_proj, unet.time_embedding
        self.mid_block: Any = unet.mid_block
        self.up_blocks: Any = unet.up_blocks
        self.conv_norm_out, self.conv_act = unet.conv_norm_out, unet.conv_act
        self.conv_out = unet.conv_out
        pairs = zip(skip_channels(encoder), skip_channels(unet), strict=True)
        self.fit = nn.ModuleList(
            nn.Identity() if there == here else nn.Conv2d(there, here, 1) for there, here in pairs
        )

    def forward(self, outputs: Sequence[Tensor], t: Tensor) -> Tensor:
        """What a U-Net gives: [N, C, H, W]; outputs: of `Encoder`."""
        time = self.time_embedding(self.time_proj(t).to(outputs[0].dtype))
        skips = [fit(output) for fit, output in zip(self.fit, outputs, strict=True)]
        hidden = self.mid_block(skips[-1], time)
        for block in self.up_blocks:
            count = len(block.resnets)
            hidden = block(hidden, tuple(skips[-count:]), time)
            skips = skips[:-count]
        out: Tensor = self.conv_out(self.conv_act(self.conv_norm_out(hidden)))
        return out


def skip_channels(unet: "UNet2DModel") -> list[int]:
    """Channels of the output of every layer of the way down, the input's convolution first."""
    widths, layers = unet.config["block_out_channels"], unet.config["layers_per_block"]
    found = [widths[0]]
    for stage, width in enumerate(widths):
        found += [width] * (layers + (stage < len(widths) - 1))
    return found


class Staged(nn.Module):
    """A network that calls one of its parts for each image, by the time t = ln(s)/4.

    ends: noise levels at which all stages but the last end, rising.
    """

    def __init__(self, ends: Sequence[float]) -> None:
        super().__init__()
        times = torch.tensor(ends, dtype=torch.float64).log() / 4
        self.register_buffer("ends", times, persistent=False)

    def stages_of(self, t: Tensor) -> Iterator[tuple[int, Tensor]]:
        """(stage, places of the images in it); t: [N]."""
        stage = torch.bucketize(t.double(), self.ends, right=True)  # type: ignore[arg-type]
        for number in stage.unique().tolist():
            yield number, (stage == number).nonzero().flatten()

    def part(self, number: int, x: Tensor, t: Tensor, shared: Any) -> Tensor:
        raise NotImplementedError

    def share(self, x: Tensor, t: Tensor) -> Any:
        return None

    def forward(self, x: Tensor, t: Tensor, return_dict: bool = False) -> tuple[Tensor]:
        t = t.expand(len(x))
        shared, output = self.share(x, t), torch.empty_like(x)
        for number, places in self.stages_of(t):
            output[places] = self.part(number, x[places], t[places], _rows(shared, places))
        return (output,)


def _rows(shared: Sequence[Tensor] | None, places: Tensor) -> list[Tensor] | None:
    return None if shared is None else [one[places] for one in shared]


class MultiStage(Staged):
    """One encoder, and a decoder for each stage."""

    def __init__(
        self, encoder: "UNet2DModel", decoders: Sequence["UNet2DModel"], ends: Sequence[float]
    ) -> None:
        super().__init__(ends)
        self.decoders = nn.ModuleList(Decoder(unet, encoder) for unet in decoders)
        self.encoder = Encoder(encoder)

    def share(self, x: Tensor, t: Tensor) -> tuple[Tensor, ...]:
        outputs: tuple[Tensor, ...] = self.encoder(x, t)
        return outputs

    def part(self, number: int, x: Tensor, t: Tensor, shared: Any) -> Tensor:
        output: Tensor = self.decoders[number](shared, t)
        return output


class Separate(Staged):
    """A network for each stage."""

    def __init__(self, networks: Sequence[nn.Module], ends: Sequence[float]) -> None:
        super().__init__(ends)
        self.networks = nn.ModuleList(networks)

    def part(self, number: int, x: Tensor, t: Tensor, shared: Any) -> Tensor:
        output: Tensor = self.networks[number](x, t, return_dict=False)[0]
        return output


class NetworkTrainer(Trainer):
    """Trains a network that is no named architecture, by `edm`."""

    def __init__(self, network: nn.Module, *arguments: Any) -> None:
        self._given = network
        super().__init__(*arguments)

    def _build(self, channels: int, size: int) -> nn.Module:
        return self._given


def flops(network: nn.Module, shape: Sequence[int], sigma: float) -> int:
    """Multiplications and additions of one image [C, H, W] at a noise level, forwards."""
    counter = FlopCounterMode(display=False)
    time = torch.tensor([sigma], dtype=torch.float32).log() / 4
    with torch.no_grad(), counter:
        network(torch.zeros(1, *shape), time, return_dict=False)
    total: int = counter.get_total_flops()
    return total


def ranges(ends: Sequence[float], levels: Sequence[float]) -> list[list[int]]:
    """Places of the levels that lie in each stage."""
    edges = [0.0, *ends, float("inf")]
    return [[i for i, s in enumerate(levels) if low <= s < high] for low, high in pairwise(edges)]
