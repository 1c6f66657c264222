"""Make tiny pipelines with random weights, and bypass the mid block of each by the script.

python tiny_pipelines.py FOLDER: in a process of its own, as transformers may lie beside the
environment. Writes FOLDER/text.csv, image.csv, a figure of each, and FOLDER/errors.json.
"""

import json
import runpy
import sys
from pathlib import Path

import depthbias  # isort: split

import torch
from diffusers import (
    AutoencoderKL,
    PNDMScheduler,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from PIL import Image
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPProcessor,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTokenizer,
)

from depthbias.system.errors import UserError

ROOT = Path(__file__).parents[2]
WIDTH = 16
START, END = "<|startoftext|>", "<|endoftext|>"
LAYERS = {"num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": WIDTH}


def tokenizer():
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = [*letters, *(f"{letter}</w>" for letter in letters), START, END]
    vocabulary = {word: place for place, word in enumerate(words)}
    return CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=16), vocabulary


def text_options(vocabulary):
    ids = {"bos_token_id": vocabulary[START], "eos_token_id": vocabulary[END]}
    ids["pad_token_id"] = vocabulary[END]
    sizes = {"vocab_size": len(vocabulary), "hidden_size": WIDTH, "max_position_embeddings": 16}
    return {**sizes, **LAYERS, **ids, "projection_dim": WIDTH}


def unet(middle):
    return UNet2DConditionModel(
        sample_size=8,
        in_channels=4,
        out_channels=4,
        block_out_channels=(8, 16),
        layers_per_block=1,
        norm_num_groups=4,
        cross_attention_dim=WIDTH,
        attention_head_dim=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        mid_block_type="UNetMidBlock2DCrossAttn" if middle else None,
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    )


def pipeline(kind, middle=True):
    torch.manual_seed(0)
    words, vocabulary = tokenizer()
    coder = AutoencoderKL(
        block_out_channels=(8, 16),
        norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
    )
    return kind(
        vae=coder,
        text_encoder=CLIPTextModel(CLIPTextConfig(**text_options(vocabulary))),
        tokenizer=words,
        unet=unet(middle),
        scheduler=PNDMScheduler(steps_offset=1, skip_prk_steps=True),  # as Stable Diffusion 1.5
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def clip(folder):
    torch.manual_seed(1)
    words, vocabulary = tokenizer()
    sight = {"hidden_size": WIDTH, **LAYERS, "image_size": 16, "patch_size": 8}
    config = CLIPConfig(
        text_config=text_options(vocabulary),
        vision_config=sight | {"projection_dim": WIDTH},
        projection_dim=WIDTH,
    )
    CLIPModel(config).save_pretrained(folder)
    side = {"size": {"shortest_edge": 16}, "crop_size": {"height": 16, "width": 16}}
    CLIPProcessor(CLIPImageProcessor(**side), words).save_pretrained(folder)


def call(*words):
    """Run the script; the message of its error, or ""."""
    sys.argv = ["bypass_pipeline", *map(str, words)]
    script = runpy.run_path(str(ROOT / "scripts/bypass_pipeline.py"))
    try:
        script["main"]()
    except UserError as error:
        return str(error)
    return ""


def main(folder):
    kinds = {"text": StableDiffusionPipeline, "image": StableDiffusionImg2ImgPipeline}
    for name, kind in kinds.items():
        pipeline(kind).save_pretrained(folder / name)
    pipeline(StableDiffusionPipeline, middle=False).save_pretrained(folder / "plain")
    clip(folder / "clip")
    Image.effect_noise((16, 16), 60).convert("RGB").save(folder / "start.png")
    common = ["--clip", folder / "clip", "--seeds", 0, 1, "--steps", 6, "--prompts", "a", "bee"]
    common += ["--percentages", 0, 100, "--guidance", 2]
    errors = {}
    for name, more in (
        ("text", []),
        ("image", ["--image", folder / "start.png", "--strength", 0.5]),
        ("plain", []),
        ("nowhere", []),
    ):
        outputs = ["--output", folder / f"{name}.csv", "--figure", folder / f"{name}.png"]
        errors[name] = call("--pipeline", folder / name, *common, *more, *outputs)
    words = ["--pipeline", folder / "text", *common, "--percentages", 0, 120, *outputs]
    errors["percentage"] = call(*words)
    errors["clip"] = call(*words, "--percentages", 0, 100, "--clip", folder / "none")
    errors["strength"] = call(
        *["--pipeline", folder / "image", *common, "--image", folder / "start.png"],
        *["--strength", 0.1, *outputs],
    )
    (folder / "errors.json").write_text(json.dumps(errors))


if __name__ == "__main__":
    assert depthbias
    main(Path(sys.argv[1]))
