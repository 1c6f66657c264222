"""The held-out loss of the log: closed forms, and that it leaves the training alone."""

import math
from dataclasses import replace

import pytest
import torch

from depthbias.diffusion.heldout_loss import HeldoutLoss
from depthbias.diffusion.noise import initial_noise
from depthbias.diffusion.objectives import alpha_bars, ddpm_loss, edm_loss, level_weights
from depthbias.diffusion.trainer import Trainer, TrainingOptions
from depthbias.system.compute import Precision

CPU = torch.device("cpu")
OPTIONS = TrainingOptions(
    architecture="depth2",
    width=0.25,
    seed=0,
    objective="ddpm",
    budget=96,
    batch_size=16,
    learning_rate=2e-3,
    warmup=0,
    weight_decay=0.01,
    clip=1.0,
    ema_halflife=32,
    precision="fp32",
    log_every=32,
)


def draw(count, size=8, seed=0):
    return torch.randn(count, 1, size, size, generator=torch.Generator().manual_seed(seed))


def heldout(count, objective="ddpm", sigma_data=0.5, weights=None, seed=0):
    weights = torch.full((count,), 1 / count) if weights is None else weights
    rows = range(7, 7 + count)
    return HeldoutLoss(draw(count, seed=seed), rows, weights, objective, sigma_data)


def test_of_nothing_predicted_it_is_the_square_of_the_noise():
    weights = torch.tensor([0.5, 0.25, 0.125, 0.125])
    loss = heldout(4, weights=weights)
    squares = initial_noise(0, range(7, 11), (1, 8, 8)).square().mean((1, 2, 3))
    found = loss(lambda x, t: torch.zeros_like(x))
    assert float(found) == pytest.approx(float(weights @ squares), rel=1e-6)


def test_of_noise_found_exactly_it_is_zero():
    """F returns the e that is in x_t = sqrt(abar) x + sqrt(1 - abar) e."""
    loss, bars = heldout(300), alpha_bars().float()
    told = iter(loss.images.split(256))

    def network(x, t):
        bar = bars[t].view(-1, 1, 1, 1)
        return (x - bar.sqrt() * next(told)) / (1 - bar).sqrt()

    assert float(loss(network)) < 1e-6


def test_levels_are_the_quantiles_of_the_objective():
    loss = heldout(200)
    assert loss.times.sort().values.tolist() == list(range(2, 1000, 5))
    logs = loss.sigmas.double().log().sort().values
    expected = torch.special.ndtri((torch.arange(200).double() + 0.5) / 200) * 1.2 - 1.2
    torch.testing.assert_close(logs, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("objective", ["ddpm", "edm"])
def test_it_is_near_the_training_loss_on_the_same_images(objective):
    """A bounded function of its inputs in place of a network; 4,000 images of 8x8 pixels."""

    def network(x, t):
        return torch.tanh(0.8 * x + 0.1 * torch.cos(t.float() / 9).view(-1, 1, 1, 1))

    count, generator = 4000, torch.Generator().manual_seed(5)
    images, loss = 0.5 * draw(count), heldout(count, objective)
    loss.images = images
    drawn = [
        edm_loss(network, images, 0.5, generator)
        if objective == "edm"
        else ddpm_loss(network, images, alpha_bars().float(), generator)
        for _ in range(8)
    ]
    spread = torch.stack(drawn).std()
    assert abs(float(loss(network)) - float(torch.stack(drawn).mean())) < 4 * float(spread)
    assert float(spread) < 0.03 * float(torch.stack(drawn).mean())


def test_edm_weights_make_the_wiener_loss_one():
    """Data N(0, sd^2) pixel by pixel: the least loss is s^2 sd^2 / (s^2 + sd^2), weighted 1."""
    sigmas, sd = [0.05, 0.1, 0.4, 1, 3, 20.0], 0.7
    least = [s**2 * sd**2 / (s**2 + sd**2) for s in sigmas]
    assert level_weights(sigmas, sd) @ least == pytest.approx(1, rel=1e-12)


def test_edm_weights_are_the_integral_of_the_objective():
    """Loss s^2 (a noisy image given back): E w(s) s^2 = 1 + E (s / sd)^2, ln s ~ N(-1.2, 1.2^2)."""
    logs = torch.linspace(-1.2 - 8 * 1.2, -1.2 + 8 * 1.2, 400).double()
    sigmas = logs.exp().numpy()
    expected = 1 + math.exp(2 * -1.2 + 2 * 1.2**2) / 0.6**2
    assert level_weights(sigmas, 0.6) @ sigmas**2 == pytest.approx(expected, rel=1e-6)


def trained(held_out, **changes):
    images = (127.5 + 60 * draw(40)).clamp(0, 255).to(torch.uint8).movedim(1, 3)
    trainer = Trainer(replace(OPTIONS, **changes), images, CPU, Precision("fp32", ""))
    if held_out:
        trainer.hold_out(draw(20, seed=3), range(20), torch.full((20,), 0.05))
    while trainer.seen < trainer.options.budget:
        trainer.step()
        if trainer.seen % 32 == 0:
            trainer.log()
    return trainer


@pytest.mark.parametrize("architecture", ["depth2", "dit-small"])
def test_the_log_has_the_loss_of_the_averaged_weights(architecture):
    trainer = trained(
        True, architecture=architecture, width=0.25 if "dit" not in architecture else 0.5
    )
    network = trainer.averaged()
    with torch.no_grad():
        own = trainer.heldout(lambda x, t: network(x, t, return_dict=False)[0])
    assert trainer.rows[-1]["heldout_loss"] == pytest.approx(float(own), rel=1e-5)
    assert len({row["heldout_loss"] for row in trainer.rows}) == 3


def test_training_is_the_same_with_and_without():
    one, other = trained(True), trained(False)
    assert [row["loss"] for row in one.rows] == [row["loss"] for row in other.rows]
    assert all(torch.equal(one.average[name], other.average[name]) for name in one.average)
    assert not any("heldout_loss" in row for row in other.rows)
