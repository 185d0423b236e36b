"""Configuration of the cut of a ring's own land from the land around it."""

from __future__ import annotations

from pydantic import Field

from fieldline.pipeline.records.settings import Section


class CutSettings(Section):
    """Where a drawn ring's own land ends (`crops.recognise.ring_cut`)."""

    least_depth: int = Field(4, ge=1)
    """Rings whose innermost pixel lies less deep than this, pixels, are not cut but unmixed alone:
    too little of them is core and too little is edge."""
    pixel: float = Field(2.0, gt=0)
    """What one pixel's curve says at most, log odds: a field's own variation lasts over many."""
    border: float = Field(3.0, gt=0)
    """Weight of a border between two pixels against what pixels say."""
    sharp: float = Field(0.5, gt=0)
    """Two neighbours lie on two sides of a border when their curves differ by about this many times
    the ring's noise."""
    outline: float = Field(0.45, gt=0, le=1)
    """The drawn outline is a border that somebody saw: a cut along it costs this share."""
    unlike: float = Field(2.0, gt=0)
    """From the third pixel inwards one is rather not the ring's own beyond this many times its
    noise, whatever lies outside."""
    continued: float = Field(0.05, ge=0, le=1)
    """Land that was cut off and grows a crop is a second crop of the same field, unless this share
    of the land just across the ring's edge is like it."""
