"""The bypass of the mid block: exact at both ends, linear between, and gone afterwards."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from depthbias.diffusion.network_denoiser import NetworkDenoiser
from depthbias.diffusion.unet import build_unet
from depthbias.estimates.measurements import rows_of
from depthbias.estimates.runs import Run
from depthbias.estimates.tidy import of, tidy
from depthbias.measures.quality_rows import Images, reference
from depthbias.system.errors import UserError
from depthbias.theory.bypass import SCHEDULES, bypass, mid_block_of
from depthbias.theory.bypass_rows import (
    TRENDS,
    Judge,
    Plan,
    Training,
    measures_of,
    sampled,
    with_percentages,
)
from depthbias.theory.schedule_names import SCHEDULE_TITLES
from depthbias.vision.classifier import Classifier


class Same(nn.Module):
    """The identity as a mid block."""

    def forward(self, hidden, *_, **__):
        return hidden


@pytest.fixture(scope="module")
def unet():
    torch.manual_seed(0)
    return build_unet("depth2", channels=1, size=8, width=0.25).eval()


def conditional():
    """A tiny U-Net of the kind that text-to-image pipelines have."""
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    torch.manual_seed(1)
    return UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(4, 8),
        layers_per_block=1,
        norm_num_groups=2,
        cross_attention_dim=8,
        attention_head_dim=2,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    ).eval()


@torch.no_grad()
def outputs(network, calls=1):
    x = torch.randn(2, network.config.in_channels, 8, 8, generator=torch.manual_seed(2))
    more = {}
    if "cross_attention_dim" in network.config:
        more["encoder_hidden_states"] = torch.randn(2, 3, 8, generator=torch.manual_seed(3))
    return [network(x, torch.tensor([9.0]), **more).sample for _ in range(calls)]


@pytest.mark.parametrize("kind", ["unconditional", "conditional"])
def test_nothing_is_bit_equal_and_everything_is_an_identity(kind, unet):
    network = unet if kind == "unconditional" else conditional()
    [plain] = outputs(network)
    with bypass(network, [0], 1):
        assert torch.equal(outputs(network)[0], plain)
    identity = copy.deepcopy(network)
    identity.mid_block = Same()
    with bypass(network, [100], 1):
        [found] = outputs(network)
    assert torch.equal(found, outputs(identity)[0])
    assert not torch.equal(found, plain)


def test_between_it_is_the_mean_of_the_block_and_its_input(unet):
    seen = {}
    handle = unet.mid_block.register_forward_hook(
        lambda block, given, output: seen.update(hidden=given[0], mid=output)
    )
    handle_after = None
    try:
        with bypass(unet, [25], 1):
            handle_after = unet.mid_block.register_forward_hook(
                lambda block, given, output: seen.update(mixed=output)
            )
            outputs(unet)
    finally:
        handle.remove()
        handle_after.remove()
    torch.testing.assert_close(seen["mixed"], 0.75 * seen["mid"] + 0.25 * seen["hidden"])


def test_each_call_has_its_percentage_and_a_new_batch_begins_anew(unet):
    with bypass(unet, [100], 3):
        first, *rest = outputs(unet, 6)
    [plain] = outputs(unet)
    assert [torch.equal(x, plain) for x in (first, *rest)] == [False, True, True] * 2


@pytest.mark.parametrize("fails", [False, True])
def test_the_model_is_as_before_also_after_an_exception(unet, fails):
    before = {name: tensor.clone() for name, tensor in unet.state_dict().items()}
    hooks, modules = dict(unet.mid_block._forward_hooks), [*unet.modules()]
    try:
        with bypass(unet, [50, 100], 2):
            outputs(unet, 2)
            if fails:
                raise KeyError("of the caller")
    except KeyError:
        assert fails
    assert dict(unet.mid_block._forward_hooks) == hooks and [*unet.modules()] == modules
    assert all(torch.equal(before[name], tensor) for name, tensor in unet.state_dict().items())


@pytest.mark.parametrize(
    ("percentages", "steps", "words"),
    [
        ([101], 2, "101 % of the mid block: a percentage is 0 to 100"),
        ([-1], 2, "-1 % of the mid block: a percentage is 0 to 100"),
        ([float("nan")], 2, "a percentage is 0 to 100"),
        ([10, 10, 10], 2, "a schedule of 3 percentages for 2 steps"),
    ],
)
def test_impossible_schedules_are_refused_in_one_line(unet, percentages, steps, words):
    with pytest.raises(UserError, match=words) as error, bypass(unet, percentages, steps):
        pytest.fail("the block was entered")
    assert "\n" not in str(error.value) and not unet.mid_block._forward_hooks


def test_a_sampler_that_calls_more_often_is_refused(unet):
    with pytest.raises(UserError, match="called 3 times, no multiple of 2"), bypass(unet, [50], 2):
        outputs(unet, 3)


def test_what_has_no_mid_block_is_refused_in_one_line():
    class Pipeline:
        transformer = nn.Linear(1, 1)

    with pytest.raises(UserError, match="Pipeline: has no mid block"):
        mid_block_of(Pipeline())
    network = conditional()
    network.mid_block = None
    with pytest.raises(UserError, match="UNet2DConditionModel: has no mid block"):
        mid_block_of(network)


def test_a_pipeline_stands_for_its_unet(unet):
    class Pipeline:
        pass

    pipeline = Pipeline()
    pipeline.unet = unet
    assert mid_block_of(pipeline) is unet.mid_block


def test_schedules_cover_their_part_of_the_steps():
    assert SCHEDULES.keys() == SCHEDULE_TITLES.keys()
    assert SCHEDULES["all"](40, 6) == [40] * 6
    assert SCHEDULES["early"](40, 6) == [40, 40]
    assert SCHEDULES["middle"](40, 6) == [0, 0, 40, 40]
    assert SCHEDULES["late"](40, 6) == [0, 0, 0, 0, 40, 40]
    assert SCHEDULES["progressive"](60, 9) == pytest.approx([60, 40, 20])
    thirds = [SCHEDULES[name](1, 20) for name in ("early", "middle", "late")]
    total = np.zeros(20)
    for third in thirds:
        total[: len(third)] += third
    assert total.tolist() == [1] * 20


@pytest.fixture(scope="module")
def measured(unet):
    """Rows of two seeds of one untrained model, bypassed in two ways."""
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (24, 8, 8, 1), dtype=np.uint8)
    vectors, labels = pixels.reshape(24, -1), np.arange(24) % 2
    device = torch.device("cpu")
    real = reference("pixels", "euclidean", Images(vectors, labels), ("six", "nine"), [3], device)
    torch.manual_seed(0)
    judge = Judge(Classifier(1, 8, 2).eval(), "classifier", real, device)
    training = Training(vectors[:12], np.array([0.5, 0.5]))
    plan = Plan(["all", "late"], [0, 100], "ddim", 3, 6, 0, 4)
    meta = {"objective": "edm", "channels": 1, "size": 8}
    found = []
    for seed in ("0", "1"):
        denoiser = NetworkDenoiser(unet, "edm", 0.5, clip=True)
        run = Run("s", "50-50", "depth2", seed, "ddim-3")
        found += measures_of(denoiser, meta, run, training, judge, plan)
    images = sampled(denoiser, meta, plan, [100, 100, 100])
    return tidy(with_percentages(rows_of(found, TRENDS))), images, vectors


def test_rows_compare_with_zero_percent_image_by_image(measured):
    rows, images, vectors = measured
    assert sorted(rows["k"].unique()) == [0, 100]
    for schedule in ("all", "late"):
        for metric in ("perceptual", "flips"):
            assert (of(rows, f"bypass_{metric}:{schedule}", k=0)["value"] == 0).all()
    assert (of(rows, "bypass_perceptual:all", k=100)["value"] > 0).all()
    flat = images.reshape(len(images), -1).astype(float)
    apart = np.linalg.norm(flat[:, None] - vectors[None, :12], axis=2).min(axis=1)
    nearest = of(rows, "bypass_nearest:all", k=100)
    one = nearest[nearest["seed"] == "0"].iloc[0]
    assert one["value"] == pytest.approx(apart.mean()) and one["n"] == 6
    zero = of(rows, "bypass_nearest:all", k=0)
    change = of(rows, "bypass_nearest_change:all", k=100)
    expected = one["value"] - zero[zero["seed"] == "0"]["value"].iloc[0]
    assert change[change["seed"] == "0"]["value"].iloc[0] == pytest.approx(expected)
    assert of(rows, "bypass_nearest_change", k=0).empty


def test_rows_have_shares_quality_and_means_over_seeds(measured):
    rows, _, _ = measured
    shares = of(rows, "bypass_share:all", k=0)
    assert set(shares["class"]) == {"six", "nine"} and set(shares["seed"]) == {"0", "1", "all"}
    assert shares[shares["seed"] == "0"]["value"].sum() == pytest.approx(1)
    precision = of(rows, "bypass_precision:late", class_name="")
    assert len(precision) == 6 and precision["value"].between(0, 1).all()
    assert not rows.duplicated(["seed", "metric", "class", "k"]).any()
