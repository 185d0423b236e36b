"""Planted: the share of a drawn ring that carries its own crop, from the curves of its pixels.

Owns the rule that takes land away from a ring; which pixels there are is `pixels`, what a lost
share means for an offer is evidence. The one idea: land is lost only where something else reaches
in from outside. A pixel goes where land just beyond it explains it better than the ring's own core
does, so a wet corner or a pond inside a field costs nothing, and a road, a wood or a neighbour's
field under the ring costs what it covers.

Source: Roberts et al. (1998) Mapping chaparral with multiple endmember spectral mixture models,
Remote Sens. Environ. 65 (two-endmember models, best of several); the growing from outside is ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import cKDTree

from fieldline.crops.recognise.pixels import RingPixels
from fieldline.crops.recognise.ring_cut import other_land
from fieldline.crops.series import Floats
from fieldline.crops.settings import FieldsSettings

Mask = npt.NDArray[np.bool_]

_TINY = 1e-9
_AROUND = np.ones((3, 3), dtype=bool)
_BLOCK = np.ones((2, 2), dtype=bool)
"""Other land narrower than this is an edge that the sensor mixed, not land."""
_CANDIDATES = 24
"""Nearest pixels of other land that each pixel is compared with."""
_HALF = 0.5
_REACH = 4.5
"""How far other land explains a pixel, pixels: land a field away says nothing about this edge."""


@dataclass(frozen=True)
class Planted:
    """Planted share of one ring and how it was found."""

    share: float | None
    """None where it could not be found."""
    method: str
    """`unmixed`: pixels were held against the ring's own core and the land around it; `whole`: too
    small for that and judged as one; `bare`: the core never turned green, each pixel was asked for
    itself; `green`: unmixed, and the core stayed green over the whole season; `uneven`: unmixed,
    and the core differs in itself as houses and gardens do and no field does; `early`: nothing has
    grown yet, and the season is not over; `alone`: too little land was seen around the ring;
    `none`: too few clear dates."""


def planted(ring: RingPixels, settings: FieldsSettings, *, over: bool) -> Planted:
    """Return the planted share of a ring.

    Args:
        ring: Pixel curves of the ring and of the land around it.
        settings: Cycle thresholds, noise and reach.
        over: Whether the season was over on the as-of date: only then is land that is not yet
            green idle, and land that was never bare permanent.
    """
    seen = np.isfinite(ring.curves).all(axis=2)
    inside = (ring.coverage > 0) & seen
    if ring.seen_bins < settings.min_bins or not inside.any():
        return Planted(None, "none")
    weight = np.where(inside, ring.coverage, 0.0)
    core = core_curve(ring, inside)
    if core.max() < settings.min_peak:
        if not over:
            return Planted(None, "early")
        cycles = shows_cycle(ring.curves[inside], settings)
        return Planted(float((weight[inside] * cycles).sum() / weight.sum()), "bare")
    cycle = bool(shows_cycle(core[None], settings)[0])
    if weight.sum() < settings.min_core_pixels:
        return Planted(1.0, "whole")
    own = own_share(ring, core, inside, settings, crop=cycle)
    if own is None:
        return Planted(None, "alone")
    kept = np.where(own >= weight * (1.0 - settings.edge_tolerance), weight, own)
    share = float(np.where(inside, kept, 0.0).sum() / weight.sum())
    if over and is_uneven(ring, core, inside, settings):
        return Planted(share, "uneven")
    return Planted(share, "unmixed" if cycle or not over else "green")


def shows_cycle(curves: Floats, settings: FieldsSettings) -> Floats:
    """Tell per curve (rows, bins) whether it rises from bare land to a crop (1) or not (0)."""
    peak, low = curves.max(axis=1), curves.min(axis=1)
    found = (peak >= settings.min_peak) & (peak - low >= settings.min_amplitude)
    return np.asarray(found & (low <= settings.max_bare), dtype=np.float64)


def core_curve(ring: RingPixels, inside: Mask) -> Floats:
    """Return the median curve of the ring's innermost pixels (the fullest where none is whole)."""
    return np.asarray(np.median(ring.curves[_innermost(ring, inside)], axis=0))


def _innermost(ring: RingPixels, inside: Mask) -> Mask:
    depth = np.where(inside, ring.depth, 0.0)
    if depth.max() >= 1:
        return np.asarray(inside & (depth >= max(1.0, depth.max() / 2)))
    return np.asarray(inside & (ring.coverage >= ring.coverage[inside].max()))


def is_uneven(ring: RingPixels, core: Floats, inside: Mask, settings: FieldsSettings) -> bool:
    """Whether a ring's own land is no one thing: its inner pixels differ and its year is flat.

    Houses, gardens, yards and loose woods differ from pixel to pixel and change little together; a
    field, however patchy, greens up and ripens as one.
    """
    distance = _rms(ring.curves[_innermost(ring, inside)] - core)
    return bool(
        distance.size >= settings.min_inner_pixels
        and np.median(distance) > settings.uneven_noise
        and core.max() - core.min() < settings.uneven_amplitude
    )


def ring_noise(ring: RingPixels, core: Floats, inside: Mask, settings: FieldsSettings) -> float:
    """Return the distance (RMS NDVI) up to which a pixel is the ring's own crop.

    Fields differ in themselves: it is measured on the ring's own innermost pixels, where there are
    enough of them, between `noise` and `noise_most`.
    """
    distance = _rms(ring.curves[_innermost(ring, inside)] - core)
    if distance.size < settings.min_inner_pixels:
        return settings.noise
    own = settings.inner_noise * float(np.median(distance))
    return float(np.clip(own, settings.noise, settings.noise_most))


def own_share(
    ring: RingPixels, core: Floats, inside: Mask, settings: FieldsSettings, *, crop: bool
) -> Floats | None:
    """Return how much of each pixel, (rows, columns) in [0, 1], is the ring's own crop.

    Args:
        ring: The ring's pixels.
        core: Its core curve.
        inside: Clear pixels that it covers.
        settings: Noise and reach.
        crop: Whether its core shows a crop's cycle. Meadows are mown in parts: a border in one
            says nothing of whose it is.

    Returns:
        The shares; None where too little other land was clear to compare with.
    """
    noise = ring_noise(ring, core, inside, settings)
    beyond = _beyond(ring, settings.reach_pixels)
    if beyond.sum() < settings.min_around:
        return None
    distance = np.where(np.isfinite(ring.curves).all(axis=2), _rms(ring.curves - core), 0.0)
    own = _lost_from_outside(ring, core, (inside, beyond), (distance, noise))
    cut = crop and ring.depth[inside].max() >= settings.cut.least_depth
    if cut:
        where = inside, _innermost(ring, inside), beyond
        theirs = other_land(ring, core, where, noise, settings.cut)
        own[~theirs] = 1.0
        own[ndimage.binary_opening(theirs, _BLOCK)] = 0.0
    edge = inside & (ring.depth <= 1) & (own >= settings.edge_own)
    own[edge] = 1.0
    least = settings.cut.continued if cut else settings.min_continued
    for body in _bodies(inside & (own < _HALF)):
        whole = body if cut else _whole(ring, body, inside, noise)
        if not _reaches_out(ring, whole, noise, settings, least):
            own[body] = 1.0
    return own


def _beyond(ring: RingPixels, reach: int) -> Mask:
    """Return clear pixels outside the ring, its rim left out: they are mixed with it."""
    rim = ndimage.binary_dilation(ring.coverage > 0, _AROUND)
    near = ndimage.binary_dilation(rim, _AROUND, max(1, reach - 1))
    return np.asarray(near & ~rim & np.isfinite(ring.curves).all(axis=2))


def _lost_from_outside(
    ring: RingPixels, core: Floats, where: tuple[Mask, Mask], apart: tuple[Floats, float]
) -> Floats:
    """Take pixels away layer by layer from the edge; what is all lost explains the next layer."""
    (inside, beyond), (distance, noise) = where, apart
    own = np.ones(ring.coverage.shape)
    places = np.argwhere(beyond & (distance > 2 * noise))
    if not len(places):
        return own
    for depth in range(int(ring.depth[inside].max()) + 1):
        layer = np.argwhere(inside & (ring.depth == depth) & (distance > noise))
        if not len(layer):
            continue
        lost = _explained(ring.curves, layer, places, core, noise)
        own[tuple(layer.T)] = 1.0 - lost
        places = np.concatenate([places, layer[lost >= 1 - _HALF / 2]])
    return own


def _explained(
    curves: Floats, layer: npt.NDArray[np.int64], places: npt.NDArray[np.int64], core: Floats,
    noise: float,
) -> Floats:  # fmt: skip
    """Return the share of each pixel of a layer that nearby other land explains.

    Each pixel is a mixture of the core and one other pixel. Of those that explain it about equally
    well the one that takes the most is meant: a pure pixel of a pale meadow is no half of a road.
    """
    count = min(_CANDIDATES, len(places))
    gap, index = cKDTree(places).query(layer, k=[*range(1, count + 1)], p=np.inf)
    near = gap <= _REACH
    away = curves[places[:, 0], places[:, 1]][index] - core
    apart = curves[layer[:, 0], layer[:, 1]] - core
    along = np.einsum("nb,nkb->nk", apart, away)
    length = (away**2).sum(axis=-1)
    mixed = np.clip(along / np.maximum(length, _TINY), 0.0, 1.0)
    square = (apart**2).sum(axis=1)
    left = square[:, None] - 2 * mixed * along + mixed**2 * length
    left = np.where(near, np.sqrt(np.maximum(left, 0.0) / curves.shape[2]), np.inf)
    least = left.min(axis=1)
    equal = near & (left <= least[:, None] + noise / 2)
    taken = np.where(equal, mixed, 0.0).max(axis=1)
    size = np.sqrt(square / curves.shape[2])
    return np.where(least <= 1.5 * noise + size / 4, taken, 0.0)


def _bodies(lost: Mask) -> list[Mask]:
    labels, count = ndimage.label(lost, _AROUND)
    return [np.asarray(labels == number) for number in range(1, count + 1)]


def _whole(ring: RingPixels, body: Mask, inside: Mask, noise: float) -> Mask:
    """Return a body with all of the ring that is like it and joins it."""
    like = _rms(ring.curves - np.median(ring.curves[body], axis=0)) <= 2 * noise
    return np.asarray(ndimage.binary_propagation(body, _AROUND, mask=body | (like & inside)))


def _reaches_out(
    ring: RingPixels, body: Mask, noise: float, settings: FieldsSettings, least: float
) -> bool:
    """Whether a body of lost pixels is part of land outside; otherwise it is a second crop.

    A body of several pixels that grows a crop and that hardly goes on beyond the ring is planted
    by whoever drew the ring: two crops in one field.
    """
    middle = np.median(ring.curves[body], axis=0)
    if body.sum() < settings.min_second_pixels or not shows_cycle(middle[None], settings)[0]:
        return True
    across = _beyond(ring, 2) & ndimage.binary_dilation(body, _AROUND, 3)
    if not across.any():
        return False
    alike = _rms(ring.curves[across] - middle) <= 3 * noise
    return bool(alike.mean() >= least)


def _rms(difference: Floats) -> Floats:
    return np.asarray(np.sqrt((difference**2).mean(axis=-1)))
