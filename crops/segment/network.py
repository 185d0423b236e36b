"""The network: same-field probabilities of pixel pairs from any number of dates.

Owns the module alone; training, tiles and polygons are elsewhere. One encoder is shared by all
dates, and dates meet by mean, maximum and mean absolute deviation at two levels, so that number and
order of dates are free and a date that was not clear is simply not counted. Importing this imports
torch: only functions that need it do.

Source: Ronneberger et al. (2015) U-Net; Garnot and Landrieu (2021) on sharing an encoder between
dates; Lee et al. (2017) Superhuman accuracy on the SNEMI3D connectomics challenge (affinities of
pixel pairs at several distances).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from fieldline.crops.segment.pairs import OFFSETS, UPSCALE

STRIDE = 4
"""Rows and columns of a tile are multiples of this."""


@dataclass(frozen=True)
class Architecture:
    """What builds the module."""

    bands: int
    """Bands of a date."""
    width: int = 16
    """Channels at full resolution."""
    complete: bool = False
    """Whether it learnt from every field of an area, and so which land is none: there it says of
    neighbours that they lie in no field together."""


def _block(wide_in: int, wide_out: int, groups: int = 4) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(wide_in, wide_out, 3, padding=1, bias=False),
        nn.GroupNorm(groups, wide_out),
        nn.SiLU(),
        nn.Conv2d(wide_out, wide_out, 3, padding=1, bias=False),
        nn.GroupNorm(groups, wide_out),
        nn.SiLU(),
    )


class PairNetwork(nn.Module):
    """Same-field logits of pixel pairs.

    Args:
        architecture: Bands and width.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.complete = architecture.complete
        bands, wide = architecture.bands, architecture.width
        self.fine = _block(bands + 1, wide)
        self.coarse = _block(wide, 2 * wide)
        self.merge_fine = nn.Conv2d(3 * wide, wide, 1)
        self.merge_coarse = nn.Conv2d(6 * wide, 2 * wide, 1)
        self.bottom = _block(2 * wide, 2 * wide)
        self.middle = _block(4 * wide, 2 * wide)
        self.top = _block(3 * wide, wide)
        self.head = nn.Conv2d(wide, len(OFFSETS) * UPSCALE**2, 3, padding=1)

    def forward(self, stack: Any) -> Any:
        """Return logits.

        Args:
            stack: (batch, dates, bands, rows, columns), scaled, NaN where a date was not clear;
                rows and columns are multiples of `STRIDE`.

        Returns:
            (batch, pairs, 2 x rows, 2 x columns).
        """
        batch, dates = stack.shape[:2]
        seen = torch.isfinite(stack).all(dim=2, keepdim=True)
        filled = torch.where(seen, stack, torch.zeros_like(stack))
        flat = torch.cat([filled, seen.to(stack.dtype)], dim=2).flatten(0, 1)
        weight = seen.flatten(0, 1).to(stack.dtype)
        fine = self.fine(flat)
        coarse = self.coarse(functional.avg_pool2d(fine, 2))
        less = functional.avg_pool2d(weight, 2)
        fine = self.merge_fine(_pool(fine, weight, batch, dates))
        coarse = self.merge_coarse(_pool(coarse, less, batch, dates))
        deep = self.bottom(functional.avg_pool2d(coarse, 2))
        coarse = self.middle(torch.cat([coarse, _double(deep)], dim=1))
        fine = self.top(torch.cat([fine, _double(coarse)], dim=1))
        return functional.pixel_shuffle(self.head(fine), UPSCALE)


def _double(values: Any) -> Any:
    return functional.interpolate(values, scale_factor=2, mode="bilinear", align_corners=False)


def _pool(features: Any, weight: Any, batch: int, dates: int) -> Any:
    """Return mean, maximum and mean absolute deviation over the dates on which a pixel was seen."""
    features = features.unflatten(0, (batch, dates))
    weight = weight.unflatten(0, (batch, dates))
    total = weight.sum(dim=1).clamp(min=1e-6)
    mean = (features * weight).sum(dim=1) / total
    unseen = torch.finfo(features.dtype).min / 4
    most = torch.where(weight > 0, features, torch.full_like(features, unseen)).amax(dim=1)
    most = torch.where(most > unseen / 2, most, torch.zeros_like(most))
    apart = ((features - mean[:, None]).abs() * weight).sum(dim=1) / total
    return torch.cat([mean, most, apart], dim=1)
