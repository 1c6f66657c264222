"""Exported models as diffusers reads them, and sampled by the code of their card."""

import numpy as np
import pytest
import torch

from depthbias.data.pixels import to_uint8
from depthbias.diffusion.network_denoiser import NetworkDenoiser
from depthbias.diffusion.objectives import alpha_bars
from depthbias.diffusion.samplers import ddim
from depthbias.diffusion.schedules import noise_levels
from depthbias.diffusion.unet import build_unet
from depthbias.export.diffusers_folder import export_diffusers
from depthbias.export.model_card import ddim_steps, sampling_code
from depthbias.system.errors import UserError

META = {"architecture": "depth2", "channels": 1, "size": 8, "sigma_data": 0.75}
STEPS = 5


@pytest.fixture(scope="module")
def unet():
    torch.manual_seed(0)
    network = build_unet("depth2", channels=1, size=8, width=0.25)
    for weight in network.conv_out.parameters():  # else its output is so small that all is alike
        torch.nn.init.normal_(weight, std=0.3)
    return network.eval()


@pytest.fixture(scope="module")
def folders(unet, tmp_path_factory):
    """{objective: its exported folder}"""
    found = {name: tmp_path_factory.mktemp(name) / "exported" for name in ("ddpm", "edm")}
    for objective, folder in found.items():
        export_diffusers(unet, META | {"objective": objective}, folder)
    return found


def test_a_ddpm_export_opens_as_a_pipeline(unet, folders):
    from diffusers import DDPMPipeline, UNet2DModel

    again = UNet2DModel.from_pretrained(folders["ddpm"], subfolder="unet").eval()
    pipeline = DDPMPipeline.from_pretrained(folders["ddpm"])
    x, t = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0)), torch.tensor([3, 9])
    with torch.no_grad():
        assert torch.equal(again(x, t).sample, unet(x, t).sample)
        assert torch.equal(pipeline.unet.eval()(x, t).sample, unet(x, t).sample)
    bars = pipeline.scheduler.alphas_cumprod
    torch.testing.assert_close(bars, alpha_bars().float(), rtol=2e-5, atol=0)
    pipeline.set_progress_bar_config(disable=True)
    made = pipeline(batch_size=2, num_inference_steps=3, output_type="np").images
    assert made.shape == (2, 8, 8, 1)
    assert np.isfinite(made).all()


def test_an_edm_export_has_the_levels_and_the_scale_of_the_study(unet, folders):
    from diffusers import EDMEulerScheduler, UNet2DModel

    again = UNet2DModel.from_pretrained(folders["edm"], subfolder="unet").eval()
    assert all(torch.equal(v, again.state_dict()[k]) for k, v in unet.state_dict().items())
    scheduler = EDMEulerScheduler.from_pretrained(folders["edm"], subfolder="scheduler")
    scheduler.set_timesteps(STEPS)
    torch.testing.assert_close(scheduler.sigmas, noise_levels("edm", STEPS).float())
    assert scheduler.config.sigma_data == META["sigma_data"]
    assert not (folders["edm"] / "model_index.json").exists()


def ours(unet, objective):
    """The images of our sampler, uint8, from the noise that the code of a card draws first."""
    levels = noise_levels(objective, STEPS)
    denoiser = NetworkDenoiser(unet, objective, META["sigma_data"], clip=True)
    noise = torch.randn(8, 1, 8, 8, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        *_, made = ddim(denoiser, noise * float(1 + levels[0] ** 2) ** 0.5, levels)
    return to_uint8(made).numpy()


@pytest.mark.parametrize("objective", ["ddpm", "edm"])
def test_the_code_of_the_card_makes_the_images_of_our_sampler(unet, folders, objective):
    code = sampling_code(META | {"objective": objective}, STEPS)
    names = {"FOLDER": str(folders[objective])}
    torch.manual_seed(3)
    exec(compile(code, "card", "exec"), names)
    images, expected = names["images"], ours(unet, objective)
    assert images.dtype == np.uint8 and images.shape == expected.shape
    assert expected.std() > 20
    assert np.abs(images.astype(int) - expected).max() <= 1


def test_the_warning_of_the_card_is_true(unet, folders):
    """Without its option the pipeline makes other images."""
    code = sampling_code(META | {"objective": "ddpm"}, STEPS)
    assert "    use_clipped_model_output=True,\n" in code
    names = {"FOLDER": str(folders["ddpm"])}
    torch.manual_seed(3)
    exec(compile(code.replace("    use_clipped_model_output=True,\n", ""), "card", "exec"), names)
    assert np.abs(names["images"].astype(int) - ours(unet, "ddpm")).max() > 10


def test_the_steps_of_the_code_are_those_of_the_study():
    assert ddim_steps(["dpmpp-20", "ddim-25", "ddim-9"]) == 25
    assert ddim_steps(["heun-8"]) == 50


def test_an_export_folder_that_is_a_file(unet, tmp_path):
    (tmp_path / "file").touch()
    for objective in ("ddpm", "edm"):
        with pytest.raises(UserError, match="file"):
            export_diffusers(unet, META | {"objective": objective}, tmp_path / "file")
