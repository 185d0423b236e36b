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
from functools import cached_property
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from fieldline.crops.segment.pairs import OFFSETS, UPSCALE

STEADY_DATES = 3
"""Clear dates that a pixel keeps where one is left out, to see whether a border stands without."""
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
        return self._decoded(*(level.of_all() for level in self._seen(stack)))

    def steadiest(self, stack: Any) -> Any:
        """Return logits that no single date decides: a pair is as alike as it is without the date
        that parts it most.

        A field half harvested on the day of a scene, a tongue of wet ground, a cloud's rim or a
        band that failed part a field on one date; a border between fields is there on others too.
        A date is left out only where `STEADY_DATES` others are clear.

        Args:
            stack: As `forward` takes it.

        Returns:
            (batch, pairs, 2 x rows, 2 x columns).
        """
        levels = self._seen(stack)
        best = self._decoded(*(level.of_all() for level in levels))
        dates = stack.shape[1]
        for date in range(dates) if dates > STEADY_DATES else ():
            without = self._decoded(*(level.without(date) for level in levels))
            enough = levels[0].clear_without(date) >= STEADY_DATES
            enough = enough.repeat_interleave(UPSCALE, -1).repeat_interleave(UPSCALE, -2)
            best = torch.where(enough, torch.maximum(best, without), best)
        return best

    def _seen(self, stack: Any) -> tuple[_Dates, _Dates]:
        """Return the features of the dates at both levels."""
        shape = stack.shape[:2]
        seen = torch.isfinite(stack).all(dim=2, keepdim=True)
        filled = torch.where(seen, stack, torch.zeros_like(stack))
        flat = torch.cat([filled, seen.to(stack.dtype)], dim=2).flatten(0, 1)
        weight = seen.flatten(0, 1).to(stack.dtype)
        fine = self.fine(flat)
        coarse = self.coarse(functional.avg_pool2d(fine, 2))
        less = functional.avg_pool2d(weight, 2)
        return (
            _Dates(fine.unflatten(0, shape), weight.unflatten(0, shape)),
            _Dates(coarse.unflatten(0, shape), less.unflatten(0, shape)),
        )

    def _decoded(self, fine: Any, coarse: Any) -> Any:
        """Return logits from what the dates have in common, at both levels."""
        fine, coarse = self.merge_fine(fine), self.merge_coarse(coarse)
        deep = self.bottom(functional.avg_pool2d(coarse, 2))
        coarse = self.middle(torch.cat([coarse, _double(deep)], dim=1))
        fine = self.top(torch.cat([fine, _double(coarse)], dim=1))
        return functional.pixel_shuffle(self.head(fine), UPSCALE)


def _double(values: Any) -> Any:
    return functional.interpolate(values, scale_factor=2, mode="bilinear", align_corners=False)


class _Dates:
    """Features of some dates, of which mean, maximum and mean absolute deviation meet.

    Args:
        features: (batch, dates, channels, rows, columns).
        weight: (batch, dates, 1, rows, columns) how far a pixel was clear.
    """

    def __init__(self, features: Any, weight: Any) -> None:
        self._features, self._weight = features, weight
        self._unseen = torch.finfo(features.dtype).min / 4
        self._total, self._sum = weight.sum(dim=1), (features * weight).sum(dim=1)
        self._apart = (features - self._mean[:, None]).abs() * weight
        self._seen = torch.where(weight > 0, features, torch.full_like(features, self._unseen))
        self._most = self._seen.amax(dim=1)

    @property
    def _mean(self) -> Any:
        return self._sum / self._total.clamp(min=1e-6)

    def of_all(self) -> Any:
        """Return (batch, 3 x channels, rows, columns) over all dates."""
        total = self._total.clamp(min=1e-6)
        return torch.cat([self._mean, self._known(self._most), self._apart_sum / total], 1)

    def without(self, date: int) -> Any:
        """Return the same without a date; deviations are from the mean of all dates."""
        weight = self._weight[:, date]
        total = (self._total - weight).clamp(min=1e-6)
        mean = (self._sum - self._features[:, date] * weight) / total
        most = torch.where(self._date == date, self._second, self._most)
        apart = (self._apart_sum - self._apart[:, date]) / total
        return torch.cat([mean, self._known(most), apart], dim=1)

    def clear_without(self, date: int) -> Any:
        """Return (batch, 1, rows, columns) on how many other dates a pixel was clear."""
        clear = self._weight > 0
        return clear.sum(dim=1) - clear[:, date].to(torch.int64)

    @cached_property
    def _apart_sum(self) -> Any:
        return self._apart.sum(dim=1)

    @cached_property
    def _date(self) -> Any:
        """The date of the largest."""
        return self._seen.argmax(dim=1)

    @cached_property
    def _second(self) -> Any:
        """The largest but that one."""
        index = self._date[:, None]
        return self._seen.scatter(
            1, index, torch.full_like(self._most[:, None], self._unseen)
        ).amax(1)

    def _known(self, most: Any) -> Any:
        return torch.where(most > self._unseen / 2, most, torch.zeros_like(most))
