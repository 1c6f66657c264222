"""CLIPScore: how well an image agrees with its prompt (Hessel et al., arXiv 2104.08718)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor


def clip_scores(
    model: Any, processor: Any, images: np.ndarray, prompts: Sequence[str]
) -> np.ndarray:
    """100 max(cos(image, prompt), 0), float64 [prompts, seeds].

    model: a transformers `CLIPModel`; processor: its `CLIPProcessor`; images: uint8 [prompts,
    seeds, H, W, 3].
    """
    texts = processor.tokenizer(list(prompts), padding=True, return_tensors="pt")
    device = next(model.parameters()).device
    with torch.inference_mode():
        wanted = _unit(model.get_text_features(**texts.to(device)))
        found = []
        for row in images:
            pictures = [Image.fromarray(image) for image in row]
            pixels = processor.image_processor(pictures, return_tensors="pt")
            found.append(_unit(model.get_image_features(**pixels.to(device))))
    cosines = torch.einsum("psd,pd->ps", torch.stack(found), wanted)
    return np.asarray(100 * cosines.clamp(min=0).double().cpu().numpy())


def _unit(features: Any) -> Tensor:
    """Vectors of length 1; transformers 5 gives them as the pooled output of a record."""
    vectors: Tensor = getattr(features, "pooler_output", features)
    return vectors / vectors.norm(dim=-1, keepdim=True)
