"""Training a network on images that stay on the device, never waiting for it between log points."""

import copy
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call

from depthbias.data.pixels import to_float
from depthbias.diffusion.architectures import get_architecture
from depthbias.diffusion.heldout_loss import HeldoutLoss
from depthbias.diffusion.objectives import (
    Objective,
    alpha_bars,
    ddpm_loss,
    edm_loss,
    measure_sigma_data,
)
from depthbias.diffusion.optimizers import make_optimizers
from depthbias.system.compute import Precision
from depthbias.system.errors import UserError
from depthbias.system.files import write_text

# Tensor cores want channels last; on a CPU that was 1 to 9 % slower (8x8 to 32x32, measured).
LAYOUTS = {"cuda": torch.channels_last}
EMA_RAMP = 0.05  # the half-life is at most this share of the images seen (arXiv 2206.00364, F.2)


@dataclass(frozen=True)
class TrainingOptions:
    """What is chosen for a run; budget, warmup, ema_halflife and log_every count images seen."""

    architecture: str
    width: float
    seed: int
    objective: Objective
    budget: int
    batch_size: int
    learning_rate: float
    warmup: int
    weight_decay: float
    clip: float
    ema_halflife: int
    precision: str
    log_every: int
    snapshots: list[int] = field(default_factory=list)
    optimizer: str = "adamw"

    @classmethod
    def chosen(cls, values: Mapping[str, Any]) -> "TrainingOptions":
        """Those that a mapping holds beside others; KeyError for one that is missing."""
        return cls(**{option.name: values[option.name] for option in fields(cls)})

    def __post_init__(self) -> None:
        """UserError for a number out of range."""
        for name in ("budget", "batch_size", "learning_rate", "clip", "log_every"):
            if not getattr(self, name) > 0:
                raise UserError(f"{name} {getattr(self, name)}: must be above 0")
        for option in fields(self):
            value = getattr(self, option.name)
            if not isinstance(value, str | list) and not (math.isfinite(value) and value >= 0):
                raise UserError(f"{option.name} {value}: must be finite and not negative")


def learning_rate(options: TrainingOptions, seen: float) -> float:
    """The rate at `seen` images: linear from 0 during the warm-up, then a half cosine to 0."""
    if seen < options.warmup:
        return options.learning_rate * seen / options.warmup
    done = (seen - options.warmup) / max(1, options.budget - options.warmup)
    return options.learning_rate * 0.5 * (1 + math.cos(math.pi * done))


class Trainer:
    """The state of a run: network and its moving average, optimiser, random numbers, log.

    images: uint8 [N, S, S, C]. Minibatches are cut from one random permutation of the images after
    another, so in N images seen each occurs once. Runs with the same seed see the same minibatches,
    timesteps and noise whatever the architecture.
    """

    def __init__(
        self, options: TrainingOptions, images: Tensor, device: torch.device, precision: Precision
    ) -> None:
        self.options, self.device, self.precision = options, device, precision
        self.layout = LAYOUTS.get(device.type, torch.contiguous_format)
        torch.manual_seed(options.seed)
        data_seed = int(torch.randint(2**62, ()))  # first, for networks draw more or less
        self.generator = torch.Generator(device).manual_seed(data_seed)
        net = self._build(channels=images.shape[3], size=images.shape[1])
        self.net = net.to(device).to(memory_format=self.layout)  # type: ignore[call-overload]
        self.parameters = dict(self.net.named_parameters())
        self.average = {k: p.detach().clone() for k, p in self.parameters.items()}
        self.optimizers = make_optimizers(
            options.optimizer, self.parameters.values(), options.weight_decay
        )
        self.images = images.to(device)
        self.sigma_data = measure_sigma_data(images)
        self.bars = alpha_bars().to(device, torch.float32)
        self.waiting = torch.empty(0, dtype=torch.int64, device=device)  # the rest of a permutation
        self.seen = 0
        self.losses: list[Tensor] = []  # of the steps since the last row of the log, on the device
        self.seconds = 0.0  # spent on those steps before the run was last interrupted
        self.rows: list[dict[str, float]] = []
        self.kept: dict[int, dict[str, Tensor]] = {}  # averaged weights by snapshot
        self.heldout: HeldoutLoss | None = None
        self._since = time.monotonic()

    def _build(self, channels: int, size: int) -> torch.nn.Module:
        """The network to train, freshly initialised."""
        architecture = get_architecture(self.options.architecture)
        return architecture.build(channels=channels, size=size, width=self.options.width)

    def hold_out(self, images: Tensor, rows: Sequence[int], weights: Tensor) -> None:
        """Write the loss on held-out images into the log as well; arguments as of `HeldoutLoss`."""
        images = images.to(self.device).contiguous(memory_format=self.layout)
        options = self.options.objective, self.sigma_data
        self.heldout = HeldoutLoss(images, rows, weights, *options)

    def step(self) -> None:
        """One minibatch: loss, clipped gradient, update, moving average; all without waiting."""
        options = self.options
        n = min(options.batch_size, options.budget - self.seen)
        loss = self._loss(self._minibatch(n))
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.parameters.values(), options.clip)
        for optimizer in self.optimizers:
            optimizer.param_groups[0]["lr"] = learning_rate(options, self.seen + n / 2)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.seen += n
        halflife = max(1e-8, min(options.ema_halflife, EMA_RAMP * self.seen))
        with torch.no_grad():
            averages, parameters = list(self.average.values()), list(self.parameters.values())
            torch._foreach_lerp_(averages, parameters, 1 - 0.5 ** (n / halflife))
        for due in self.options.snapshots:
            if due <= self.seen and due not in self.kept:
                self.kept[due] = {name: t.clone() for name, t in self.average.items()}
        # Adding 0 times the norm marks the step when only its gradient is not finite.
        self.losses.append(torch.add(loss.detach(), norm, alpha=0))

    def complete(self) -> torch.nn.Module:
        """Train to the budget without a log or resume points; the network with averaged weights."""
        while self.seen < self.options.budget:
            self.step()
        self.check()
        return self.averaged()

    def _minibatch(self, n: int) -> Tensor:
        while len(self.waiting) < n:
            order = torch.randperm(len(self.images), generator=self.generator, device=self.device)
            self.waiting = torch.cat([self.waiting, order])
        chosen, self.waiting = self.waiting[:n], self.waiting[n:]
        return to_float(self.images[chosen]).contiguous(memory_format=self.layout)

    def _network(self, x: Tensor, t: Tensor) -> Tensor:
        output: Tensor = self.net(x, t, return_dict=False)[0]
        return output

    def _loss(self, batch: Tensor) -> Tensor:
        with self.precision.autocast(self.device):
            if self.options.objective == "edm":
                return edm_loss(self._network, batch, self.sigma_data, self.generator)
            return ddpm_loss(self._network, batch, self.bars, self.generator)

    def check(self) -> float:
        """The mean loss since the last row; UserError with the first step that was not finite."""
        if not self.losses:
            return math.nan
        losses = torch.stack(self.losses).double().cpu()  # the one place that waits for the device
        broken = (~losses.isfinite()).nonzero()
        if len(broken):
            steps = math.ceil(self.seen / self.options.batch_size)
            step = steps - len(losses) + int(broken[0]) + 1
            raise UserError(
                f"{self.options.architecture}, seed {self.options.seed}: the loss is not finite "
                f"at step {step} ({step * self.options.batch_size:,} images): "
                "lower the learning rate, or choose fp32 precision"
            )
        return float(losses.mean())

    def _heldout_loss(self) -> dict[str, float]:
        """That of the averaged weights, as a part of a row of the log; nothing without images."""
        if self.heldout is None:
            return {}

        def network(x: Tensor, t: Tensor) -> Tensor:
            options = {"return_dict": False}
            output: Tensor = functional_call(self.net, self.average, (x, t), options)[0]
            return output

        with torch.no_grad(), self.precision.autocast(self.device):
            return {"heldout_loss": float(self.heldout(network))}

    def log(self) -> None:
        """Add a row: the mean loss since the last one, that on held-out images, the learning rate
        now, images per second."""
        loss = self.check()
        first = self.rows[-1]["images"] if self.rows else 0
        heldout_loss, now = self._heldout_loss(), time.monotonic()
        seconds = max(1e-9, self.seconds + now - self._since)
        row = {
            "images": self.seen,
            "loss": loss,
            **heldout_loss,
            "learning_rate": learning_rate(self.options, self.seen),
            "images_per_second": (self.seen - first) / seconds,
        }
        self.rows.append(row)
        self.losses, self.seconds, self._since = [], 0.0, now

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """(tensors, record) from which `restore` continues bit for bit; UserError if not finite."""
        self.check()
        tensors = {
            "generator": self.generator.get_state(),
            "waiting": self.waiting,
            "losses": torch.stack(self.losses) if self.losses else torch.empty(0),
        }
        for due, weights in self.kept.items():
            tensors |= {f"kept.{due}.{name}": weight for name, weight in weights.items()}
        for name, parameter in self.parameters.items():
            tensors[f"net.{name}"] = parameter
            tensors[f"average.{name}"] = self.average[name]
            for optimizer in self.optimizers:
                for key, value in optimizer.state.get(parameter, {}).items():
                    tensors[f"optimizer.{key}.{name}"] = value
        seconds = self.seconds + time.monotonic() - self._since
        return tensors, {"seen": self.seen, "rows": self.rows, "seconds": seconds}

    def restore(self, tensors: dict[str, Tensor], record: dict[str, Any]) -> None:
        """Continue from a state of a trainer that was made with the same arguments."""
        self.generator.set_state(tensors["generator"])
        self.waiting = tensors["waiting"].to(self.device)
        self.losses = list(tensors["losses"].to(self.device))
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(tensors[f"net.{name}"])
                self.average[name].copy_(tensors[f"average.{name}"])
        self._restore_optimizers(tensors)
        for due in self.options.snapshots:
            if due <= record["seen"]:
                self.kept[due] = {
                    name: tensors[f"kept.{due}.{name}"].to(self.device) for name in self.average
                }
        self.seen, self.rows, self.seconds = record["seen"], record["rows"], record["seconds"]
        self._since = time.monotonic()

    def _restore_optimizers(self, tensors: Mapping[str, Tensor]) -> None:
        owners = {p: one for one in self.optimizers for p in one.param_groups[0]["params"]}
        for title, value in tensors.items():
            kind, _, rest = title.partition(".")
            if kind == "optimizer":
                key, _, name = rest.partition(".")
                parameter = self.parameters[name]
                # Made like the parameter: the fused kernel needs equal strides.
                like = parameter if value.shape == parameter.shape else value
                state = torch.empty_like(like, device=self.device).copy_(value)
                owners[parameter].state[parameter][key] = state

    def snapshots(self) -> dict[str, Tensor]:
        """The averaged weights of all snapshots, named SEEN.NAME."""
        return {f"{due}.{name}": t for due, w in self.kept.items() for name, t in w.items()}

    def averaged(self) -> torch.nn.Module:
        """A copy of the network with the averaged weights."""
        net = copy.deepcopy(self.net)
        net.load_state_dict(self.average)
        return net


class Stopped(Exception):
    """The run was asked to stop and has saved its state."""


def train(
    trainer: Trainer,
    save: Callable[[], None],
    *,
    save_seconds: float = 30.0,
    stopping: Callable[[], bool] = lambda: False,
) -> Iterator[None]:
    """Train to the budget, one step an item; logs every `log_every` images and at the end.

    `save` is called every `save_seconds`, less often if it takes more than a twentieth of the time,
    and when `stopping()` turns true, after which Stopped is raised. UserError when the loss is not
    finite.
    """
    options, last, pause = trainer.options, time.monotonic(), save_seconds
    while trainer.seen < options.budget:
        before = trainer.seen
        trainer.step()
        if trainer.seen // options.log_every > before // options.log_every:
            trainer.log()
        if stopping():
            save()
            raise Stopped
        if trainer.seen < options.budget and time.monotonic() - last >= pause:
            started = time.monotonic()
            save()
            last = time.monotonic()
            pause = max(save_seconds, 20 * (last - started)) if save_seconds else 0.0
        yield
    if trainer.losses:
        trainer.log()


def write_log(path: Path, run: Mapping[str, str], rows: Sequence[Mapping[str, float]]) -> None:
    """Write the log as CSV, atomically: what the run is, then the numbers with 8 digits."""
    lines = [",".join([*run, *rows[0]])]
    lines += [",".join([*run.values(), *(f"{v:.8g}" for v in row.values())]) for row in rows]
    write_text(path, "\n".join(lines) + "\n")
