"""Images: uint8 [N, H, W, C] on disk, float32 [N, C, H, W] in [-1, 1] in memory. One way each."""

import torch


def to_float(images: torch.Tensor) -> torch.Tensor:
    """uint8 [N, H, W, C] in 0..255 to float32 [N, C, H, W] in [-1, 1], on the same device."""
    return images.permute(0, 3, 1, 2).to(torch.float32).div_(127.5).sub_(1.0)


def to_uint8(images: torch.Tensor) -> torch.Tensor:
    """float [N, C, H, W] to uint8 [N, H, W, C], clipped to [-1, 1] and rounded to nearest."""
    scaled = images.float().add(1.0).mul_(127.5).round_().clamp_(0, 255)
    return scaled.to(torch.uint8).permute(0, 2, 3, 1).contiguous()
