"""Training: depthbias.diffusion.trainer against the loop of diffusers' training example."""

from collections.abc import Iterator

import numpy as np
import torch
from diffusers import DDPMScheduler, UNet2DModel
from diffusers.optimization import get_scheduler
from diffusers.training_utils import EMAModel
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from benchmarks.turns import Row, in_turns, row
from depthbias.diffusion.objectives import STEPS
from depthbias.diffusion.trainer import Trainer, TrainingOptions
from depthbias.system.compute import Precision

THEIRS = "train_unconditional.py"


class Images(Dataset[Tensor]):
    """uint8 [N, S, S, C] as the example reads images: one by one, through torchvision."""

    def __init__(self, images: np.ndarray) -> None:
        self.images = images
        half = [0.5] * images.shape[3]
        self.transform = transforms.Compose(
            [transforms.ToTensor(), transforms.Normalize(half, half)]
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Tensor:
        return self.transform(self.images[index])


class Example:
    """The example's training with its defaults: DataLoader, add_noise, AdamW, cosine, EMAModel.

    Written after examples/unconditional_image_generation/train_unconditional.py of diffusers,
    without accelerate, whose part on one device is the autocast. Learning rate, weight decay,
    norm of the gradient and the optimiser's constants are those of `options`, so that the losses of
    both can be compared.
    """

    def __init__(
        self,
        model: UNet2DModel,
        images: np.ndarray,
        options: TrainingOptions,
        device: torch.device,
        precision: Precision,
    ) -> None:
        self.model, self.options = model.to(device).train(), options
        self.device, self.precision = device, precision
        self.scheduler = DDPMScheduler(num_train_timesteps=STEPS, beta_schedule="linear")
        self.optimizer = torch.optim.AdamW(
            model.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay
        )
        self.rate = get_scheduler(
            "cosine",
            optimizer=self.optimizer,
            num_warmup_steps=options.warmup // options.batch_size,
            num_training_steps=options.budget // options.batch_size,
        )
        self.ema = EMAModel(
            model.parameters(), decay=0.9999, use_ema_warmup=True, inv_gamma=1.0, power=0.75
        )
        self.loader = DataLoader(
            Images(images), batch_size=options.batch_size, shuffle=True, drop_last=True
        )
        self.batches = self._forever()

    def _forever(self) -> Iterator[Tensor]:
        while True:
            yield from self.loader

    def train(self, steps: int) -> None:
        for _ in range(steps):
            clean = next(self.batches).to(self.device)
            noise = torch.randn_like(clean)
            times = torch.randint(0, STEPS, (len(clean),), device=self.device)
            self.step(clean, noise, times).item()  # the example logs the loss of every step

    def step(self, clean: Tensor, noise: Tensor, times: Tensor) -> Tensor:
        """One update; returns its loss."""
        noisy = self.scheduler.add_noise(clean, noise, times)
        with self.precision.autocast(self.device):
            predicted = self.model(noisy, times).sample
            loss = torch.nn.functional.mse_loss(predicted.float(), noise.float())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.options.clip)
        self.optimizer.step()
        self.rate.step()
        self.optimizer.zero_grad()
        self.ema.step(self.model.parameters())
        return loss.detach()


def options_for(unet: str, width: float, batch: int) -> TrainingOptions:
    """No warm-up and a budget without end, so that both cosines stand at the same learning rate."""
    return TrainingOptions(
        architecture=unet,
        width=width,
        seed=0,
        objective="ddpm",
        budget=10**9,
        batch_size=batch,
        learning_rate=1e-4,
        warmup=0,
        weight_decay=1e-6,
        clip=1.0,
        ema_halflife=10_000,
        precision="auto",
        log_every=10**9,
    )


def pair(
    options: TrainingOptions, images: np.ndarray, device: torch.device, precision: Precision
) -> tuple[Trainer, Example]:
    """Ours and theirs with the same initial weights."""
    ours = Trainer(options, torch.from_numpy(images), device, precision)
    model = UNet2DModel.from_config(ours.net.config)
    model.load_state_dict(ours.net.state_dict())
    return ours, Example(model, images, options, device, precision)


def check(
    options: TrainingOptions,
    images: np.ndarray,
    device: torch.device,
    precision: Precision,
    steps: int = 3,
) -> str:
    """Train both on the same minibatches, timesteps and noise and compare every loss."""
    ours, theirs = pair(options, images, device, precision)
    twin = Trainer(options, torch.from_numpy(images), device, precision)  # draws what ours draws
    for _ in range(steps):
        clean = twin._minibatch(options.batch_size)
        times = torch.randint(0, STEPS, (len(clean),), generator=twin.generator, device=device)
        noise = torch.randn(clean.shape, generator=twin.generator, device=device)
        expected = theirs.step(clean, noise, times)
        ours.step()
        tolerance = 1e-4 if precision.name == "fp32" and device.type == "cpu" else 2e-2
        torch.testing.assert_close(ours.losses[-1], expected, rtol=tolerance, atol=0)
    return f"losses of {steps} steps, rel. {tolerance:g}"


def measure(
    unet: str,
    *,
    size: int,
    channels: int,
    width: float,
    batch: int,
    steps: int,
    turns: int,
    device: torch.device,
    precision: Precision,
) -> Row:
    """Images a second of both, `steps` updates a turn."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (max(1024, 2 * batch), size, size, channels), np.uint8)
    options = options_for(unet, width, batch)
    checked = check(options, images, device, precision)
    ours, theirs = pair(options, images, device, precision)

    def train_ours() -> None:
        for _ in range(steps):
            ours.step()

    seconds = in_turns(train_ours, lambda: theirs.train(steps), turns)
    name = f"{unet}, {size}x{size}x{channels}, batch {batch}, {precision.name}"
    return row("training", name, THEIRS, steps * batch, seconds, checked)
