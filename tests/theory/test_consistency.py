"""Consistency functions and their loss: boundary, schedule, a set of one image, a gradient."""

import math

import pytest
import torch

from depthbias.diffusion.schedules import SIGMA_MIN, edm_sigmas
from depthbias.theory.consistency import (
    HUBER,
    ConsistencySolution,
    consistency_function,
    consistency_loss,
    intervals,
    level_shares,
)


def constant(value):
    return lambda x, t: torch.full_like(x, value)


def test_at_the_lowest_level_it_is_the_identity():
    x = torch.randn(3, 1, 4, 4)
    found = consistency_function(constant(7.0), x, torch.full((3,), SIGMA_MIN), 0.5)
    assert torch.allclose(found, x, atol=1e-6)


def test_levels_double_at_equal_distances():
    assert intervals(0) == 10 and intervals(0.999) == 160
    assert [intervals(k / 5 + 0.01) for k in range(5)] == [10, 20, 40, 80, 160]


def test_pairs_are_drawn_by_the_normal_law_of_log_levels():
    levels = edm_sigmas(21).flip(0)
    shares = level_shares(levels)
    law = torch.distributions.Normal(-1.1, 2.0)
    mass = law.cdf(levels.log()).diff()
    assert torch.allclose(shares, mass / mass.sum(), atol=1e-12)


def exact(y, sigma_data):
    """The network whose consistency function is y everywhere, as that of a set of one image."""

    def network(scaled, t):
        s = (4 * t).exp().view(-1, 1, 1, 1)
        x = scaled * (s.square() + sigma_data**2).sqrt()
        above = s - SIGMA_MIN
        skip = sigma_data**2 / (above.square() + sigma_data**2)
        out = sigma_data * above / (s.square() + sigma_data**2).sqrt()
        return (y - skip * x) / out.clamp_min(1e-9)

    return network


def test_the_solution_of_one_image_has_no_loss():
    y = torch.rand(1, 1, 4, 4) - 0.5
    images = y.expand(64, 1, 4, 4)
    generator = torch.Generator().manual_seed(0)
    none = consistency_loss(exact(y, 0.4), images, 0.4, 20, generator)
    some = consistency_loss(constant(0.0), images, 0.4, 20, generator)
    assert 0 < 20 * float(none) < float(some)  # not 0, as it is x at the lowest level


def test_the_loss_is_that_of_its_definition_and_the_target_has_no_gradient():
    """By hand for a network that is one number, whose gradient flows through the upper level."""
    images, weight = torch.zeros(1, 1, 1, 1), torch.tensor(0.3, requires_grad=True)
    network = lambda x, t: weight * torch.ones_like(x)  # noqa: E731
    loss = consistency_loss(network, images, 0.5, 1, torch.Generator().manual_seed(1))
    generator = torch.Generator().manual_seed(1)
    torch.multinomial(torch.ones(1), 1, replacement=True, generator=generator)
    noise = torch.randn(1, 1, 1, 1, generator=generator)
    low, high = SIGMA_MIN, 80.0
    above = high - low
    top = 0.25 / (above**2 + 0.25) * high * noise.item()
    top += 0.5 * above / math.sqrt(high**2 + 0.25) * 0.3
    gap, c = top - low * noise.item(), HUBER
    assert loss.item() == pytest.approx((math.sqrt(gap**2 + c**2) - c) / above, rel=1e-4)
    loss.backward()
    slope = 0.5 * above / math.sqrt(high**2 + 0.25) * gap / math.sqrt(gap**2 + c**2) / above
    assert weight.grad.item() == pytest.approx(slope, rel=1e-4)


class Zero(torch.nn.Module):
    def forward(self, x, t, return_dict=False):
        return (torch.zeros_like(x),)


def test_a_solution_is_clipped_and_takes_one_level_or_one_an_image():
    solution = ConsistencySolution(Zero(), 0.5)
    x = torch.full((2, 1, 2, 2), 5.0)
    assert solution(x, SIGMA_MIN).max() == 1
    each = solution(x, torch.tensor([1.0, 2.0]))
    assert torch.equal(each[1:], solution(x[1:], 2.0)) and not torch.equal(each[:1], each[1:])
