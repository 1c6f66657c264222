"""U-Nets: published parameter counts, the other series, sizes and widths that do not fit."""

import subprocess
import sys

import pytest
import torch

from depthbias.diffusion.architectures import ARCHITECTURES, SERIES, get_architecture, trainable
from depthbias.diffusion.brought import SERIES as BROUGHT
from depthbias.diffusion.unet import UNETS, build_unet, norm_groups
from depthbias.system.errors import UserError

PUBLISHED = {
    "depth2": 1_002_883,
    "depth2-large": 15_930_883,
    "depth3": 3_692_867,
    "depth4": 3_859_203,
    "depth5": 16_887_619,
    "depth6": 27_290_691,
}
CONSTANT_WIDTH = {
    "depth2-const": 1_618_755,
    "depth3-const": 2_281_155,
    "depth4-const": 2_943_555,
    "depth5-const": 3_605_955,
    "depth6-const": 4_268_355,
}
MATCHED = {
    "depth2-matched": 3_992_323,
    "depth3-matched": 3_692_867,
    "depth4-matched": 3_859_203,
    "depth5-matched": 3_746_883,
    "depth6-matched": 3_913_219,
}


def count(unet):
    return sum(parameter.numel() for parameter in unet.parameters())


@pytest.mark.parametrize(("name", "parameters"), (PUBLISHED | CONSTANT_WIDTH | MATCHED).items())
def test_parameter_counts(name, parameters):
    with torch.device("meta"):
        unet = build_unet(name, channels=3, size=64)
    assert count(unet) == parameters
    found = get_architecture(name)
    assert len(unet.down_blocks) == len(unet.up_blocks) == found.depth == found.stages
    assert (unet.mid_block is not None) == found.has_mid_block
    assert found.parameters(3, 64, 1.0) == parameters


def test_every_architecture_is_counted_and_belongs_to_one_series():
    assert set(UNETS) == set(PUBLISHED | CONSTANT_WIDTH | MATCHED)
    assert UNETS.items() < ARCHITECTURES.items()
    by_series = {}
    for unet in UNETS.values():
        by_series.setdefault(unet.series, []).append(unet.depth)
    assert by_series == {
        "published": [2, 3, 4, 5, 6],
        "large": [2],
        "constant-width": [2, 3, 4, 5, 6],
        "parameter-matched": [2, 3, 4, 5, 6],
    }


def test_figures_have_a_title_for_every_series_and_a_place_for_it():
    series = set(SERIES) - {BROUGHT}
    assert {one.series for one in ARCHITECTURES.values()} == series
    places = {one.series: one.shown_with for one in ARCHITECTURES.values()}
    assert places == {name: name for name in series} | {
        "large": "published",
        "transformer": "published",
    }


def test_matched_counts_are_within_five_percent_and_never_narrow_inwards():
    for name, parameters in MATCHED.items():
        assert abs(parameters / PUBLISHED["depth4"] - 1) < 0.05
        assert list(get_architecture(name).channels) == sorted(get_architecture(name).channels)


@pytest.mark.parametrize("name", ["depth2", "depth3", "depth4", "depth4-const", "depth4-matched"])
def test_half_width_takes_grey_digits(name):
    torch.manual_seed(0)
    unet = build_unet(name, channels=1, size=8, width=0.5)
    x = torch.randn(3, 1, 8, 8)
    y = unet(x, torch.tensor([0, 500, 999])).sample
    assert y.shape == x.shape
    assert y.isfinite().all()
    assert unet.config.block_out_channels == tuple(c // 2 for c in get_architecture(name).channels)


def test_attention_is_at_one_stage_mirrored_on_the_way_up():
    with torch.device("meta"):
        unet = build_unet("depth5", channels=3, size=32)
    down = [block for block in unet.config.down_block_types if "Attn" in block]
    assert len(down) == 1
    assert unet.config.down_block_types.index("AttnDownBlock2D") == 3
    assert unet.config.up_block_types.index("AttnUpBlock2D") == 1


@pytest.mark.parametrize(
    ("name", "width", "groups"),
    [("depth2", 1, 32), ("depth2", 0.5, 8), ("depth2", 0.25, 4), ("depth4-const", 0.5, 32)],
)
def test_norm_groups(name, width, groups):
    widths = get_architecture(name).widths(width)
    assert norm_groups(widths) == groups
    assert all(w % groups == 0 for w in widths)


@pytest.mark.parametrize("width", [0, -1, 0.1, 0.3, float("nan")])
def test_a_width_without_whole_attention_heads_is_refused(width):
    with pytest.raises(UserError, match="multiple of 8"):
        build_unet("depth2", channels=1, size=8, width=width)


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [
        ("depth5", 8, "depth 4 or less.*a multiple of 16"),
        ("depth6", 28, "depth 3 or less.*a multiple of 32"),
        ("depth2", 7, "choose a size that is a multiple of 2"),
        ("depth3", 0, "choose a size that is a multiple of 4"),
    ],
)
def test_too_deep_for_the_image_size(name, size, message):
    with pytest.raises(UserError, match=message):
        get_architecture(name).check(size, 1.0)
    with pytest.raises(UserError, match="too deep"):
        build_unet(name, channels=1, size=size)


def test_one_pixel_at_the_bottom_is_deep_enough():
    get_architecture("depth6").check(32, 1.0)
    get_architecture("depth4").check(8, 1.0)


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(UserError, match="did you mean 'depth4'"):
        trainable("deph4")


def test_architectures_need_no_torch():
    code = "import sys, depthbias.diffusion.architectures; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_build_unet_builds_u_nets_only():
    with pytest.raises(UserError, match="unknown architecture 'dit-small'; valid: depth2, "):
        build_unet("dit-small", channels=1, size=8)
    with pytest.raises(UserError, match="0 image channels"):
        build_unet("depth2", channels=0, size=8)
