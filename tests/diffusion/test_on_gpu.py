"""The same on a GPU as on the CPU: sampled images, and a training that learns."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from depthbias.diffusion.network_denoiser import NetworkDenoiser
from depthbias.diffusion.samplers import sample
from depthbias.diffusion.schedules import noise_levels
from depthbias.diffusion.unet import build_unet
from depthbias.system.compute import choose_device, fast_layout

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]


@pytest.mark.parametrize("name", ["ddim", "dpmpp"])
def test_samples_are_those_of_the_cpu_but_for_a_level(name):
    images = {}
    for device in (torch.device("cpu"), choose_device(exact=True)):
        torch.manual_seed(0)
        model = build_unet("depth2", channels=1, size=8, width=0.25).eval()
        model.to(device=device, memory_format=fast_layout(8, device))
        images[device.type] = sample(
            NetworkDenoiser(model, "ddpm", clip=True),
            name,
            noise_levels("ddpm", 5),
            noise_seed=0,
            indices=range(16),
            shape=(1, 8, 8),
            device=device,
        ).astype(int)
    assert images["cpu"].std() > 1
    assert np.abs(images["cpu"] - images["cuda"]).max() <= 1


def test_a_unet_learns_digits_in_bf16():
    device = torch.device("cuda")
    torch.manual_seed(0)
    model = build_unet("depth2", channels=1, size=8, width=0.25).to(device)
    clean = torch.as_tensor(load_digits().images[:256, None] / 8 - 1, dtype=torch.float32)
    clean, optimizer = clean.to(device), torch.optim.AdamW(model.parameters(), lr=2e-3)
    losses = []
    for _ in range(60):
        noise, times = torch.randn_like(clean), torch.full((len(clean),), 300, device=device)
        with torch.autocast("cuda", torch.bfloat16):
            found = model(0.7 * clean + 0.7 * noise, times).sample
        loss = torch.nn.functional.mse_loss(found.float(), noise)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]
