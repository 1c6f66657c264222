"""A U-Net without its deepest stages, against a network built without them and against hooks."""

import pytest
import torch
from torch import nn

from depthbias.diffusion.architectures import get_architecture
from depthbias.diffusion.stage_cut import Zeros, first_stages
from depthbias.system.errors import UserError

ROUNDING = 5e-6  # zeros of another memory layout may be convolved by another kernel


def built(name, channels=1, size=8, width=0.5, seed=0):
    torch.manual_seed(seed)
    return get_architecture(name).build(channels, size, width).eval()


def inputs(size=8, channels=1):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(3, channels, size, size, generator=generator), torch.tensor([5.0, 300, 900])


@torch.no_grad()
def output(network, x, t):
    return network(x, t, return_dict=False)[0]


def apart(one, other):
    return float((one - other).abs().max())


@pytest.mark.parametrize("name", ["depth2", "depth3", "depth4"])
def test_a_cut_is_zero_handed_up_by_the_next_stage(name):
    """The same by a hook on the whole network, which computes all of it."""
    unet, (x, t) = built(name), inputs()
    whole, stages = output(unet, x, t), get_architecture(name).stages
    for kept in range(1, stages):
        cut = get_architecture(name).first_stages(unet, kept)
        block = unet.up_blocks[stages - kept - 1]
        hook = block.register_forward_hook(lambda module, given, out: torch.zeros_like(out))
        expected = output(unet, x, t)
        hook.remove()
        assert apart(output(cut, x, t), expected) < ROUNDING
        assert apart(expected, whole) > 100 * ROUNDING
    assert torch.equal(output(unet, x, t), whole)  # the network itself is as it was


def test_a_cut_is_the_network_built_without_that_stage():
    """Of constant width and with the same attention stage, the weights of one fit the other."""
    unet, small, (x, t) = built("depth3-const"), built("depth2-const", seed=9), inputs()
    assert get_architecture("depth3-const").attention == get_architecture("depth2-const").attention
    kept = {"down_blocks": unet.down_blocks[:2], "up_blocks": unet.up_blocks[1:]}
    for name, blocks in kept.items():
        for mine, theirs in zip(getattr(small, name), blocks, strict=True):
            weights = theirs.state_dict()
            mine.load_state_dict({key: weights[key] for key in mine.state_dict()})
    for name in ("conv_in", "time_embedding", "conv_norm_out", "conv_out"):
        getattr(small, name).load_state_dict(getattr(unet, name).state_dict())
    assert apart(output(small, x, t), output(first_stages(unet, 2), x, t)) > 100 * ROUNDING
    small.mid_block = Zeros(32)  # nothing comes from below
    assert apart(output(small, x, t), output(first_stages(unet, 2), x, t)) < ROUNDING


def test_a_stage_without_weights_can_be_cut_off_without_a_difference():
    unet, (x, t) = built("depth3"), inputs()
    for parameter in unet.up_blocks[0].parameters():
        nn.init.zeros_(parameter)
    assert apart(output(first_stages(unet, 2), x, t), output(unet, x, t)) < ROUNDING
    assert apart(output(first_stages(unet, 1), x, t), output(unet, x, t)) > 100 * ROUNDING


def test_a_cut_shares_the_weights_and_has_fewer():
    unet = built("depth4", channels=3, size=16, width=1.0)
    cut = first_stages(unet, 2)
    own = {id(parameter) for parameter in cut.parameters()}
    assert own < {id(parameter) for parameter in unet.parameters()}
    x, t = inputs(16, 3)
    assert output(cut, x, t).shape == x.shape


@pytest.mark.parametrize("stages", [0, 3, 4])
def test_only_some_of_the_stages_can_be_kept(stages):
    with pytest.raises(ValueError, match="of 3 stages: keep 1 to 2"):
        first_stages(built("depth3"), stages)


def test_a_network_without_stages_says_so():
    with pytest.raises(UserError, match="dit-small has one resolution throughout"):
        get_architecture("dit-small").first_stages(built("dit-small"), 1)
