"""Models of others: what diffusers saved is read as diffusers reads it, other kinds in one line."""

import json
import pickle

import pytest
import torch

from depthbias.diffusion.brought_files import Source, find_source
from depthbias.diffusion.brought_models import describe_brought, read_model, read_schedule
from depthbias.diffusion.checkpoints import load_model, save_model
from depthbias.diffusion.loading import load_denoiser
from depthbias.diffusion.schedules import ddpm_sigmas, noise_levels
from depthbias.system.errors import UserError

RUN = {"study": "mine-models", "ratio": "natural", "architecture": "ours", "seed": "0"}


def small(**changes):
    from diffusers import UNet2DModel  # not above: it is imported after depthbias

    torch.manual_seed(0)
    options = {
        "sample_size": 8,
        "in_channels": 1,
        "out_channels": 1,
        "block_out_channels": (8, 16),
        "layers_per_block": 1,
        "down_block_types": ("DownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "UpBlock2D"),
        "norm_num_groups": 4,
    }
    return UNet2DModel(**options | changes).eval()


def saved(folder, unet=None, **scheduler):
    from diffusers import DDPMPipeline, DDPMScheduler

    DDPMPipeline(unet or small(), DDPMScheduler(**scheduler)).save_pretrained(folder)
    return folder


def brought(folder, tmp_path, size=(8, 8), channels=1):
    """The denoiser of a folder of diffusers, by way of the files that the workflow keeps."""
    model = read_model(find_source(folder), size, channels)
    paths = tmp_path / "m.safetensors", tmp_path / "m.json"
    save_model(model.network, describe_brought(model, RUN, 0.5, 10, folder), *paths)
    return load_denoiser(*paths, torch.device("cpu"))


@pytest.mark.parametrize("schedule", ["linear", "scaled_linear", "squaredcos_cap_v2"])
@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
def test_the_denoiser_is_what_diffusers_computes(tmp_path, prediction, schedule):
    steps = {"num_train_timesteps": 500} if schedule == "scaled_linear" else {}
    kinds = {"beta_schedule": schedule, "prediction_type": prediction, **steps}
    unet = small()
    denoiser, meta = brought(saved(tmp_path / "model", unet, **kinds), tmp_path)
    from diffusers import DDIMScheduler

    theirs = DDIMScheduler(clip_sample=False, **kinds)
    theirs.set_timesteps(theirs.config.num_train_timesteps)
    sigmas = ddpm_sigmas(meta.get("bars"))
    noisy = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    for t in (0, 40, 300, len(sigmas) - 1):
        sigma = float(sigmas[t])
        with torch.inference_mode():
            output = unet(noisy, t).sample
            wanted = theirs.step(output, t, noisy).pred_original_sample
            found = denoiser(noisy * (1 + sigma**2) ** 0.5, sigma)
        scale = float(wanted.abs().max())
        assert torch.allclose(found, wanted, atol=2e-4 * max(scale, 1)), (t, sigma)
    assert ("bars" in meta) == (schedule != "linear" or bool(steps))
    levels = noise_levels("ddpm", 10, meta.get("bars"))
    assert len(levels) == 11 and levels[0] == sigmas[-1] and levels[-1] == 0


def test_ddpms_own_schedule_is_kept_in_double_precision(tmp_path):
    assert read_schedule(saved(tmp_path) / "scheduler/scheduler_config.json")[1] is None


@pytest.mark.parametrize("suffix", [".safetensors", ".bin"])
def test_loose_weights_are_the_same_model(tmp_path, suffix):
    folder = saved(tmp_path / "model")
    weights = tmp_path / f"w{suffix}"
    if suffix == ".bin":
        torch.save(small().state_dict(), weights)
    else:
        weights.write_bytes((folder / "unet/diffusion_pytorch_model.safetensors").read_bytes())
    source = Source(
        folder / "unet/config.json", folder / "scheduler/scheduler_config.json", weights
    )
    found, wanted = (read_model(s, (8, 8), 1).network for s in (source, find_source(folder)))
    for name, tensor in wanted.state_dict().items():
        assert torch.equal(found.state_dict()[name], tensor), name


def test_a_folder_needs_no_model_index_and_may_hold_bin_weights(tmp_path):
    folder = saved(tmp_path)
    (folder / "model_index.json").unlink()
    (folder / "unet/diffusion_pytorch_model.safetensors").unlink()
    torch.save(small().state_dict(), folder / "unet/diffusion_pytorch_model.bin")
    (folder / "scheduler/scheduler_config.json").rename(folder / "scheduler_config.json")
    assert read_model(find_source(folder), (8, 8), 1).prediction == "epsilon"


def test_images_need_not_be_square(tmp_path):
    denoiser, meta = brought(saved(tmp_path / "m", small(sample_size=(8, 12))), tmp_path, (8, 12))
    assert meta["size"] == [8, 12]
    assert denoiser(torch.zeros(1, 1, 8, 12), 1.0).shape == (1, 1, 8, 12)


def test_a_model_without_a_sample_size_takes_that_of_the_study(tmp_path):
    meta = brought(saved(tmp_path / "m", small(sample_size=None)), tmp_path)[1]
    assert meta["size"] == 8


class Trap:
    def __reduce__(self):
        return (pytest.fail, ("the pickle was run",))


@pytest.mark.parametrize("protocol", ["torch", "pickle"])
def test_a_pickle_that_runs_code_is_not_run(tmp_path, protocol):
    folder = saved(tmp_path)
    (folder / "unet/diffusion_pytorch_model.safetensors").unlink()
    path = folder / "unet/diffusion_pytorch_model.bin"
    if protocol == "torch":
        torch.save({"conv_in.weight": Trap()}, path)
    else:
        path.write_bytes(pickle.dumps({"conv_in.weight": Trap()}))
    with pytest.raises(UserError, match="not read by diffusers") as caught:
        read_model(find_source(folder), (8, 8), 1)
    assert "\n" not in str(caught.value)


def edit(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def pipeline(**parts):
    return lambda folder: edit(folder / "model_index.json", **parts)


def unet(**parts):
    return lambda folder: edit(folder / "unet/config.json", **parts)


def scheduler(kind, **options):
    def change(folder):
        import diffusers

        getattr(diffusers, kind)(**options).save_pretrained(folder / "scheduler")

    return change


def drop(name):
    return lambda folder: (folder / name).unlink()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            pipeline(_class_name="StableDiffusionPipeline", vae=["diffusers", "AutoencoderKL"]),
            "StableDiffusionPipeline with vae: supported are unconditional",
        ),
        (
            pipeline(text_encoder=["transformers", "CLIPTextModel"]),
            "with text_encoder: supported",
        ),
        (unet(_class_name="UNet2DConditionModel"), "a UNet2DConditionModel: supported"),
        (unet(_class_name="DiTTransformer2DModel"), "a DiTTransformer2DModel: supported"),
        (unet(num_class_embeds=10), "a class-conditional model: supported"),
        (unet(class_embed_type="timestep"), "a class-conditional model: supported"),
        (unet(in_channels=4, out_channels=4), "4 channels, as of a latent model: supported"),
        (unet(out_channels=2), "1 channels in and 2 out, as of a learned variance"),
        (unet(in_channels=3, out_channels=3), "a model of 3 channels: set data.channels: 3"),
        (unet(sample_size=16), "a model of 16x16 images: set data.size: 16"),
        (unet(time_embedding_type="fourier"), "time_embedding_type fourier"),
        (unet(layers_per_block=2), "not read by diffusers"),
        (scheduler("EDMEulerScheduler"), "EDMEulerScheduler with no betas: supported"),
        (scheduler("FlowMatchEulerDiscreteScheduler"), "with no betas: supported"),
        (scheduler("DDPMScheduler", rescale_betas_zero_snr=True), "zero SNR"),
        (
            lambda folder: edit(folder / "scheduler/scheduler_config.json", _class_name="Nothing"),
            "not a scheduler's configuration",
        ),
        (drop("unet/config.json"), "has no unet/config.json"),
        (drop("scheduler/scheduler_config.json"), "has no scheduler/scheduler_config.json"),
        (
            drop("unet/diffusion_pytorch_model.safetensors"),
            "has no weights in .safetensors or .bin",
        ),
    ],
)
def test_models_of_other_kinds_are_refused_in_one_line(tmp_path, change, words):
    folder = saved(tmp_path)
    change(folder)
    with pytest.raises(UserError) as caught:
        read_model(find_source(folder), (8, 8), 1)
    message = str(caught.value)
    assert words in message and "\n" not in message, message


def test_a_folder_that_is_none_is_named(tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        find_source(tmp_path / "nothing")


def test_a_model_under_an_architectures_name_has_its_stages(tmp_path):
    folder = saved(tmp_path)
    model = read_model(find_source(folder), (8, 8), 1)
    describe_brought(model, RUN | {"architecture": "depth2"}, 0.5, 10, folder)
    with pytest.raises(UserError, match="has 2 stages, not 3"):
        describe_brought(model, RUN | {"architecture": "depth3"}, 0.5, 10, folder)


def test_changed_weights_are_noticed(tmp_path):
    brought(saved(tmp_path / "model"), tmp_path)
    edit(tmp_path / "m.json", unet={"sample_size": 8})
    with pytest.raises(UserError, match="the weights do not fit"):
        load_model(tmp_path / "m.safetensors", tmp_path / "m.json")
