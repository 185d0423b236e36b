"""How every polygon of a tile looks on a day: from growth, weather and cover to reflectance.

Owns the state of fields between and within seasons (stubble, weeds, tillage, canopy, flowers,
standing dead leaves, paddy water, flood damage); optics owns the spectra, render the pixels.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fieldline.pipeline.imagery.settings import S2_BANDS
from fieldline.workflows.simulate import land, optics
from fieldline.workflows.simulate.cultivars import Cultivar
from fieldline.workflows.simulate.growth import EXTINCTION, TAU, FieldGrowth
from fieldline.workflows.simulate.weather import Hazard, Weather

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_EPOCH = dt.date(1970, 1, 1)
_TILLAGE_DAYS = 10
_WEED_DAYS = 45.0
_RESIDUE_DAYS = 60.0
_FLOOD_LEFT = 0.45
_CUT_DAYS, _REGROWTH_DAYS, _LEY_LAI = 45.0, 12.0, (1.4, 4.0)
"""Ley: days between cuts, days in which most of it grows again, leaf area in winter and summer."""
#: Vegetation near NIR plateau differs between fields by variety and row direction.
_VARIETY_SD = 0.025


@dataclass(frozen=True)
class FieldTraits:
    """What belongs to a field and its farmer, whatever the season; shape (fields,)."""

    quality: Floats
    """Soil quality: a factor on leaf area and on yield."""
    vigour: Floats
    """Factor on leaf area alone (variety, row distance)."""
    pigment: Floats
    """Relative chlorophyll (nitrogen)."""
    dryness: Floats
    """Soil brightness of the field as PROSAIL soil dryness."""
    weeds: Floats
    """Largest leaf area of weeds on idle land."""
    cell: Ints
    """Weather cell."""
    floodplain: npt.NDArray[np.bool_]
    """Whether the field lies near the river."""
    ley: npt.NDArray[np.bool_]
    """Whether it lies under grass, whatever crop the seasons give it."""


def draw_traits(
    centres: Floats, river_m: Floats, side: float, cells: int, rng: np.random.Generator,
    variety: float = 1.0,
) -> FieldTraits:  # fmt: skip
    """Draw the fields' lasting traits; weather cells are west-east strips of the tile.

    `variety` is a factor on how much fields differ in vigour, pigment and soil.
    """
    count = len(centres)
    return FieldTraits(
        np.exp(rng.normal(0, 0.10, count)),
        np.exp(rng.normal(0, 0.07 * variety, count)),
        np.exp(rng.normal(0, 0.08 * variety, count)),
        np.clip(rng.normal(0.42, 0.12 * variety, count), 0.1, 0.78),
        np.clip(rng.gamma(2.0, 0.16, count), 0.02, 1.2),
        np.minimum((centres[:, 0] / side * cells).astype(np.int64), cells - 1),
        river_m < 220.0,
        np.zeros(count, dtype=bool),
    )


@dataclass(frozen=True)
class Seasons:
    """Crops and growth of every field over all seasons."""

    cultivars: tuple[Cultivar, ...]
    crop: Ints
    """Position in `cultivars`, shape (seasons, fields)."""
    growth: tuple[FieldGrowth, ...]


def _latest(seasons: Seasons, day: float) -> tuple[Ints, Floats, Floats, Floats]:
    """Return, per field, its current or last crop: season, days since sowing, length, next sowing.

    The crop counts from its tillage on; before the first sowing the first season stands with a
    negative age.
    """
    sow = np.array([g.sow_day for g in seasons.growth])
    begun = day >= sow - _TILLAGE_DAYS
    # The last that has begun: a season without a second crop leaves a gap in the order.
    which = np.where(begun.any(axis=0), len(sow) - 1 - np.argmax(begun[::-1], axis=0), 0)
    picked = (which, np.arange(sow.shape[1]))
    length = np.array([g.length for g in seasons.growth])[picked]
    return which, day - sow[picked], length, sow[picked]


def _cover(seasons: Seasons, which: Ints, tau: Floats) -> tuple[Floats, Floats]:
    """Return green cover now and its largest value so far."""
    fields = np.arange(len(which))
    curves = np.stack([g.cover for g in seasons.growth])[which, fields]
    place = np.clip(tau, 0, 1) * (len(TAU) - 1)
    low = np.minimum(place.astype(np.int64), len(TAU) - 2)
    share = place - low
    now = curves[fields, low] * (1 - share) + curves[fields, low + 1] * share
    peak = np.maximum.accumulate(curves, axis=1)[fields, low + 1]
    return now, np.maximum(peak, now)


def _season_warmth(day: dt.date) -> float:
    """Return how fast weeds grow: 0 in midwinter, 1 in summer."""
    return float(0.5 - 0.5 * np.cos(2 * np.pi * (day.timetuple().tm_yday - 20) / 365))


def wetness(weather: Weather, day: dt.date) -> Floats:
    """Return recent soil wetness per cell, 0 to 1, from the rain of the last ten days."""
    last = weather.index(day)
    rain = weather.precip[:, max(last - 10, 0) : last]
    fade = 0.8 ** np.arange(rain.shape[1])[::-1]
    return np.asarray(np.minimum((rain * fade).sum(axis=1) / 30, 1.0))


def flooded(hazards: tuple[Hazard, ...], traits: FieldTraits, day: dt.date) -> Floats:
    """Return the share of each field that stands under water on a day."""
    share = np.zeros(len(traits.cell))
    for hazard in hazards:
        age = (day - hazard.start).days
        if hazard.kind == "flood" and 0 <= age <= 14:
            share[(traits.cell == hazard.cell) & traits.floodplain] = 0.7 * (1 - age / 15)
    return share


def damage(hazards: tuple[Hazard, ...], traits: FieldTraits, day: dt.date, sown: Floats) -> Floats:
    """Return the share of leaf area left after floods that hit the standing crop."""
    left = np.ones(len(traits.cell))
    for hazard in hazards:
        after = (hazard.start - _EPOCH).days
        hit = (traits.cell == hazard.cell) & traits.floodplain & (sown < after)
        if hazard.kind == "flood" and day > hazard.start:
            left[hit] *= _FLOOD_LEFT
    return left


def field_reflectance(
    seasons: Seasons, traits: FieldTraits, weather: Weather, day: dt.date, zenith: float
) -> tuple[Floats, Floats]:
    """Return the fields' reflectance and its change per unit of relative leaf area.

    Returns:
        Two arrays of shape (fields, bands): the reflectance, and the difference that 20 % more
        leaf area makes, which render uses for the texture inside a field.
    """
    number = float((day - _EPOCH).days)
    which, age, length, sown = _latest(seasons, number)
    crop = seasons.crop[which, np.arange(len(which))]
    tau = age / length
    now, peak = _cover(seasons, which, tau)
    standing = (age >= 0) & (age <= length)
    wet = wetness(weather, day)[traits.cell]
    dry = np.clip(traits.dryness * (1 - 0.6 * wet), 0, 0.8)
    hurt = damage(weather.hazards, traits, day, sown)
    weeds = _weeds(age, length, traits, day)
    reflectance, change = np.zeros((2, len(which), len(S2_BANDS)))
    for position, cultivar in enumerate(seasons.cultivars):
        mine = np.flatnonzero(crop == position)
        if len(mine) == 0:
            continue
        state = _State(
            tau[mine], age[mine] - length[mine], standing[mine], now[mine] * hurt[mine], peak[mine],
            weeds[mine], dry[mine], (traits.vigour * traits.quality)[mine], traits.pigment[mine],
        )  # fmt: skip
        reflectance[mine] = _crop_reflectance(cultivar, state, zenith, 1.0)
        change[mine] = _crop_reflectance(cultivar, state, zenith, 1.2) - reflectance[mine]
    _grow_ley(reflectance, change, traits, (number, dry, zenith))
    under = flooded(weather.hazards, traits, day)[:, None]
    return reflectance * (1 - under) + optics.surface("water") * under, change


def _grow_ley(
    reflectance: Floats, change: Floats, traits: FieldTraits, when: tuple[float, Floats, float]
) -> None:
    """Put grass on the fields under ley: green all year, cut every few weeks, each in its turn."""
    mine = np.flatnonzero(traits.ley)
    if not len(mine):
        return
    day, dry, zenith = when
    warmth = _season_warmth(_EPOCH + dt.timedelta(days=int(day)))
    since = (day + 7.0 * mine) % _CUT_DAYS
    grown = 0.45 + 0.55 * (1 - np.exp(-since / _REGROWTH_DAYS))
    lai = (_LEY_LAI[0] + (_LEY_LAI[1] - _LEY_LAI[0]) * warmth) * grown * traits.vigour[mine]
    for more, into in ((1.0, reflectance), (1.2, change)):
        into[mine] = optics.canopies(
            optics.GRASS, lai * more, traits.pigment[mine], dry[mine], zenith
        )
    change[mine] -= reflectance[mine]


@dataclass(frozen=True)
class _State:
    """Fields of one crop on one day; shape (n,) each."""

    tau: Floats
    after_harvest: Floats
    standing: npt.NDArray[np.bool_]
    cover: Floats
    peak: Floats
    weeds: Floats
    dryness: Floats
    vigour: Floats
    pigment: Floats


def _weeds(age: Floats, length: Floats, traits: FieldTraits, day: dt.date) -> Floats:
    idle = np.where(age > length, age - length, np.where(age < -_TILLAGE_DAYS, 90.0, 0.0))
    grown = (1 - np.exp(-idle / _WEED_DAYS)) * (0.15 + 0.85 * _season_warmth(day))
    return np.asarray(traits.weeds * grown)


def leaf_area(cultivar: Cultivar, cover: Floats) -> Floats:
    """Return green leaf area from green cover: LAI = -ln(1 - cover) / k, scaled to the crop."""
    closed = -np.log(1 - 0.96) / EXTINCTION
    area = -np.log(1 - np.clip(cover, 0, 0.975)) / EXTINCTION
    return np.asarray(area * cultivar.lai_max / closed)


def _crop_reflectance(cultivar: Cultivar, state: _State, zenith: float, more: float) -> Floats:
    leaf = optics.Leaf.of(cultivar)
    green = leaf_area(cultivar, state.cover) * state.vigour * more
    relative = state.cover / np.maximum(state.peak, 0.05)
    pigment = state.pigment * np.where(state.standing, 0.35 + 0.65 * np.clip(relative, 0, 1), 1.0)
    lai = np.where(state.standing, green, state.weeds * more)
    canopy = np.where(
        state.standing[:, None],
        optics.canopies(leaf, lai, pigment, state.dryness, zenith),
        optics.canopies(optics.GRASS, lai, state.pigment, state.dryness, zenith),
    )
    if cultivar.wet_paddy:
        water = np.where(state.standing & (state.tau < 0.8), 0.85, 0.0) * np.exp(-0.55 * lai)
        canopy = canopy * (1 - water[:, None]) + optics.surface("water") * water[:, None]
    dead = _dead_share(cultivar, state)[:, None]
    straw = optics.canopies(
        optics.DEAD, np.full(len(lai), 2.5), np.ones(len(lai)), state.dryness, zenith
    )
    mixed = canopy * (1 - dead) + straw * dead
    bloom = _bloom(cultivar, state)[:, None]
    return (
        mixed
        if not cultivar.flower
        else mixed * (1 - bloom) + optics.surface(cultivar.flower) * bloom
    )


def _dead_share(cultivar: Cultivar, state: _State) -> Floats:
    dying = cultivar.standing_dead * np.maximum(state.peak - state.cover, 0)
    rotting = cultivar.residue * np.exp(-np.maximum(state.after_harvest, 0) / _RESIDUE_DAYS)
    return np.where(state.standing, dying, np.where(state.after_harvest > 0, rotting, 0.0))


def _bloom(cultivar: Cultivar, state: _State) -> Floats:
    if not cultivar.flower:
        return np.zeros(len(state.tau))
    middle = (cultivar.flower_from + cultivar.flower_to) / 2
    width = (cultivar.flower_to - cultivar.flower_from) / 2
    shape = np.clip(1 - ((state.tau - middle) / width) ** 2, 0, 1)
    return np.asarray(cultivar.flower_cover * shape * state.peak * state.standing)


def cover_reflectance(
    kind: Ints, lasting: Floats, wet: float, day: dt.date, zenith: float
) -> Floats:
    """Return the reflectance of the polygons that are not fields, shape (n, bands).

    Args:
        kind: Cover of each polygon.
        lasting: One lasting standard normal draw per polygon: its own density.
        wet: Mean wetness of the county.
        day: Day of the season.
        zenith: Solar zenith angle, degrees.
    """
    warmth = _season_warmth(day)
    dryness = np.full(len(kind), 0.45 * (1 - 0.5 * wet))
    ones = np.ones(len(kind))

    def trees(low: float, high: float) -> Floats:
        return np.asarray(np.maximum(low + (high - low) * warmth**0.7 + 0.3 * lasting, 0.1))

    forest = optics.canopies(optics.TREE, trees(0.9, 5.2), ones, dryness, zenith)
    orchard = optics.canopies(optics.TREE, trees(0.4, 2.4), ones, dryness, zenith)
    tea = optics.canopies(optics.TREE, trees(2.6, 3.6), ones * 0.9, dryness, zenith)
    grass = optics.canopies(optics.GRASS, trees(0.4, 1.8), ones * 0.8, dryness, zenith)
    out = np.broadcast_to(optics.surface("water"), (len(kind), len(S2_BANDS))).copy()
    bright = (1 + 0.08 * lasting)[:, None]
    out[kind == land.VILLAGE] = (0.72 * optics.surface("roof") * bright + 0.28 * forest)[
        kind == land.VILLAGE
    ]
    out[kind == land.FOREST] = forest[kind == land.FOREST]
    out[kind == land.ORCHARD] = (0.75 * orchard + 0.25 * grass)[kind == land.ORCHARD]
    out[kind == land.TEA] = (0.85 * tea + 0.15 * grass)[kind == land.TEA]
    out[kind == land.GREENHOUSE] = (0.8 * optics.surface("film") * bright + 0.2 * grass)[
        kind == land.GREENHOUSE
    ]
    return out


def verge_reflectance(wet: float, day: dt.date, zenith: float) -> Floats:
    """Return the reflectance of roads, ridges and verges between the polygons, shape (bands,)."""
    lai = np.array([0.3 + 1.2 * _season_warmth(day)])
    grass = optics.canopies(
        optics.GRASS, lai, np.ones(1), np.array([0.5 * (1 - 0.5 * wet)]), zenith
    )
    return np.asarray(0.45 * optics.surface("asphalt") + 0.55 * grass[0])
