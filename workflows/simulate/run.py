"""Make the county: tile by tile, season by season, date by date, into one folder.

Owns the order of work and the output folder; every other module owns one part of the world. Nothing
is kept that grows with the number of dates, and the folder appears only when it is complete.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from pyproj import Transformer

from fieldline.workflows.simulate import (
    appearance,
    archive,
    atmosphere,
    land,
    optics,
    people,
    perennials,
    render,
    rings,
    second_crop,
)
from fieldline.workflows.simulate.cultivars import planted
from fieldline.workflows.simulate.files import LATE_LIMIT, Papers, Tile, World, lonlat
from fieldline.workflows.simulate.future import look_ahead
from fieldline.workflows.simulate.growth import SOW_SPREAD, FieldGrowth, grow
from fieldline.workflows.simulate.loans import loan_history
from fieldline.workflows.simulate.markets import prices
from fieldline.workflows.simulate.settings import SimulateSettings
from fieldline.workflows.simulate.tenure import let
from fieldline.workflows.simulate.weather import (
    cell_name,
    generate_weather,
    hazards_table,
    weather_table,
)

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: The wetland reserve: width of its banks and the share of the tile's width that it takes.
_WETLAND_M, _WETLAND_SHARE = 30.0, 0.2
_UTC_HOUR = 2.9
#: A tile is widened until it holds its fields; tiles stand apart so that none can meet another.
_TILE_MARGIN, _TILE_STEP = 1.15, 1.5
_SAME_DAY = dt.timedelta(seconds=14)
_PAIR_SHARES = (0.62, 0.45)


def tile_parcels(settings: SimulateSettings) -> list[int]:
    """Return the number of parcels of each tile, as even as possible."""
    edge = settings.land.tile_pixels * render.PIXEL_M
    per_tile = settings.parcels
    while _TILE_MARGIN * land.side_length(_fields_wanted(per_tile, settings), settings.land) > edge:
        per_tile = per_tile * 9 // 10
    tiles = -(-settings.parcels // per_tile)
    return [settings.parcels // tiles + (i < settings.parcels % tiles) for i in range(tiles)]


def _fields_wanted(parcels: int, settings: SimulateSettings) -> int:
    return round(parcels / settings.land.participation) + 1


def _lay_out(
    parcels: int, settings: SimulateSettings, rng: np.random.Generator
) -> tuple[float, land.Land]:
    """Lay out a tile, wider until it holds enough fields."""
    wanted = _fields_wanted(parcels, settings)
    side = land.side_length(wanted, settings.land)
    while True:
        made = land.lay_out(side, settings.land, rng)
        if len(made.fields) >= wanted and (made.kind == land.VILLAGE).any():
            return side, made
        side = np.ceil(side * 1.06 / 20) * 20


def build_tile(
    world: World, number: int, parcels: int, before: tuple[int, int], place: Floats
) -> Tile:
    """Build one tile: land, people, crops, growth and claims.

    Args:
        world: What all tiles share.
        number: Position of the tile; it seeds the tile's generator.
        parcels: Claims to draw.
        before: Farmers and parcels of earlier tiles.
        place: Easting and northing of the tile's lower left corner.
    """
    settings = world.settings
    rng = np.random.default_rng([settings.seed, 100, number])
    side, ground = _lay_out(parcels, settings, rng)
    growing = settings.land.permanent > 0
    settlers = people.settle(ground, before[0], rng, settings.households, growing=growing)
    fields = ground.polygons[ground.fields]
    centres = shapely.get_coordinates(shapely.centroid(fields))
    river = shapely.union_all(ground.polygons[ground.kind == land.WATER])
    cells = settings.sky.weather_cells
    traits = appearance.draw_traits(
        centres, shapely.distance(fields, river), side, cells, rng, settings.land.variety
    )
    ahead = deepcopy(rng)
    shares = settings.crop_shares
    crop = people.plant(ground, world.cultivars, len(world.spans), rng, shares)
    next_crop = people.plant(ground, world.cultivars, len(world.spans) + 1, ahead, shares)[-1]
    skill = settlers.farmers["skill"].to_numpy()[settlers.owner]
    growth = tuple(
        _grown(
            world, order, crop[order], traits.cell,
            np.clip(rng.normal(0, 1 / 1.5, len(fields)), -LATE_LIMIT, LATE_LIMIT), skill,
        )
        for order in range(len(world.spans))
    )  # fmt: skip
    claims = rings.claims(ground, settlers, parcels, (settings.land, settings.lies), rng)
    seasons = appearance.Seasons(world.cultivars, crop, growth)
    # A generator of its own: what stands beside the papers moves none of them.
    own = np.random.default_rng([settings.seed, 400, number])
    stands = second_crop.standing(seasons, world.second, settings, (traits.cell, skill), own)
    drawn = [claim.field for claim in claims]
    idle = np.isin(np.arange(len(fields)), drawn, invert=True)
    traits = replace(traits, ley=idle & (own.random(len(fields)) < settings.land.ley))
    tenure = let(settlers, settings.tenure, np.random.default_rng([settings.seed, 300, number]))
    zone = int((settings.land.centre_lon + 180) // 6) + 1
    epsg = (32600 if settings.land.centre_lat >= 0 else 32700) + zone
    size = round(side / render.PIXEL_M)
    return Tile(
        f"T{number + 1:03d}",
        archive.Grid(epsg, float(place[0]), float(place[1] + side), size),
        ground, settlers, traits, seasons, stands, claims, tenure, next_crop,
        [f"{world.county}-P{before[1] + i + 1:07d}" for i in range(len(claims))], rng,
    )  # fmt: skip


def _grown(
    world: World, order: int, crop: Ints, cell: Ints, late: Floats, skill: Floats
) -> FieldGrowth:
    """Return the growth of a season; more variety sows the early earlier and the late later."""
    grown = world.growth.fields(order, crop, cell, late, skill)
    spread = np.array([cultivar.sow_sd_days for cultivar in world.cultivars])[crop]
    shift = np.round((world.settings.land.variety - 1) * late * SOW_SPREAD * spread)
    return replace(grown, sow_day=grown.sow_day + shift)


def write_scenes(world: World, tile: Tile, folder: Path) -> list[Path]:
    """Write every date of a tile; one date is in memory at a time."""
    rng = np.random.default_rng([world.settings.seed, 200, int(tile.name[1:])])
    canvas = render.prepare(tile.land, tile.grid.size, rng, world.settings.land.texture)
    if world.settings.land.uneven_days:
        own = np.random.default_rng([world.settings.seed, 410, int(tile.name[1:])])
        canvas = replace(canvas, ahead=render.patches(tile.grid.size, own))
    lasting = rng.normal(size=len(tile.land.polygons))
    items, snowy = list[Path](), _snowy(world.settings)
    for shot in _shots(world.settings, tile, rng):
        snow = shot.taken.date() in snowy
        image, classes = _scene(world, tile, canvas, lasting, shot, rng, snow=snow)
        items.append(archive.write_item(folder, tile.grid, shot, image, classes))
    return items


def _snowy(settings: SimulateSettings) -> frozenset[dt.date]:
    """Return the acquisition days with snow, the same for all tiles."""
    found = frozenset[dt.date]()
    for span in settings.seasons.values():
        days = list(archive.plan_dates(span.start, span.end, settings.dates_per_season))
        rng = np.random.default_rng([settings.seed, 9, span.start.year])
        found |= atmosphere.snow_days(days, settings.sky.snow_dates, rng)
    return found


def _shots(
    settings: SimulateSettings, tile: Tile, rng: np.random.Generator
) -> Iterator[archive.Acquisition]:
    """Plan the acquisitions: some days come as two items with overlapping swaths."""
    for span in settings.seasons.values():
        days = list(archive.plan_dates(span.start, span.end, settings.dates_per_season))
        offsets = np.random.default_rng([settings.seed, 7, span.start.year]).random(len(days))
        pairs = set(
            rng.choice(
                len(days), min(settings.sky.same_day_pairs, len(days)), replace=False
            ).tolist()
        )
        for order, day in enumerate(days):
            taken = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
            taken += dt.timedelta(hours=_UTC_HOUR, seconds=int(rng.integers(0, 600)))
            offset = bool(offsets[order] < settings.sky.offset_share)
            whole = (0, tile.grid.size)
            if order in pairs:
                west, east = (round(s * tile.grid.size) for s in _PAIR_SHARES)
                yield archive.Acquisition(tile.name, taken, offset, (0, west))
                yield archive.Acquisition(
                    tile.name, taken + _SAME_DAY, offset, (east, tile.grid.size)
                )
            else:
                yield archive.Acquisition(tile.name, taken, offset, whole)


def _scene(
    world: World, tile: Tile, canvas: render.Canvas, lasting: Floats, shot: archive.Acquisition,
    rng: np.random.Generator, *, snow: bool = False,
) -> tuple[Floats, npt.NDArray[np.uint8]]:  # fmt: skip
    day, sky_settings = shot.taken.date(), world.settings.sky
    sun = optics.sun_position(day.timetuple().tm_yday, world.settings.land.centre_lat)
    wet = float(appearance.wetness(world.weather, day).mean())
    looks = appearance.cover_reflectance(tile.land.kind, lasting, wet, day, sun[0])
    fields, change = appearance.field_reflectance(
        tile.stands, tile.traits, world.weather, day, sun[0]
    )
    looks[tile.land.fields] = fields
    verge = appearance.verge_reflectance(wet, day, sun[0])
    surface = render.surface_image(canvas, looks, change, verge, pace_of(world, tile, day, sun[0]))
    cover = atmosphere.snow_cover(canvas.size, rng) if snow else None
    if cover is not None:
        surface = atmosphere.under_snow(surface, cover)
    share = atmosphere.cloud_share(sky_settings.cloudiness, wet, rng)
    sky = atmosphere.draw_sky(canvas.size, share, sun, rng)
    seen = atmosphere.observe_through(surface, sky, sky_settings, rng)
    classes = atmosphere.classify(surface, sky, sky_settings, cover)
    return render.coarsen(seen), classes


def pace_of(world: World, tile: Tile, day: dt.date, zenith: float) -> tuple[Floats, Floats] | None:
    """Return the fields as they were and will be, where their patches keep a pace of their own."""
    days = dt.timedelta(days=world.settings.land.uneven_days)
    if not days:
        return None
    first, last = (end.astype(object) for end in world.weather.days[[0, -1]])
    before, after = (
        appearance.field_reflectance(tile.stands, tile.traits, world.weather, when, zenith)[0]
        for when in (max(day - days, first), min(day + days, last))
    )
    return before, after


def simulate_county(settings: SimulateSettings, *, county: str, out: Path) -> None:
    """Simulate a county and write it below `out`, which appears only when it is complete.

    Args:
        settings: Size, place, seasons, weather and lies.
        county: County code, part of every parcel id.
        out: Folder to create; an older one is replaced.

    Raises:
        UserError: A setting names an unknown crop.
    """
    world, county_yields = world_of(settings, county)
    temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        _write_county(world, county_yields, temporary)
        shutil.rmtree(out, ignore_errors=True)
        temporary.rename(out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def world_of(settings: SimulateSettings, county: str) -> tuple[World, pd.DataFrame]:
    """Return what all tiles of a county share, and its yield statistics.

    Raises:
        UserError: A setting names an unknown crop.
    """
    cultivars = planted(settings.crops)
    planted(tuple(settings.crop_shares))
    weather = generate_weather(settings)
    growth, county_yields = grow(settings, weather)
    known = prices(settings)
    ahead = look_ahead(settings, known)
    second = second_crop.grow_second(settings, weather)
    if perennials.sold(settings):
        county_yields = pd.concat([county_yields, perennials.statistics(settings)])
    return World(settings, county, cultivars, weather, growth, known, ahead, second), county_yields


def _write_county(world: World, county_yields: pd.DataFrame, folder: Path) -> None:
    sheets, grids, items = Papers(world, folder), list[archive.Grid](), list[Path]()
    cells, wards, before = list[pd.DataFrame](), list[gpd.GeoDataFrame](), (0, 0)
    for number, (parcels, place) in enumerate(places(world.settings)):
        tile = build_tile(world, number, parcels, before, place)
        sheets.add(tile)
        items += write_scenes(world, tile, folder / "stac")
        grids.append(tile.grid)
        cells.append(_cells(world, tile))
        wards.append(_protected(tile, world))
        before = (before[0] + len(tile.people.farmers), before[1] + parcels)
    sheets.close()
    first, last = world.spans[0].start, world.spans[-1].end
    days = (f"{first}T00:00:00Z", f"{last}T23:59:59Z")
    archive.write_catalog(folder / "stac", world.county, grids, sorted(items), days)
    _csv(weather_table(world.weather, first, last), folder / "weather.csv")
    _csv(
        pd.concat(cells).groupby("cell_id", as_index=False).mean().round(6),
        folder / "weather_cells.csv",
    )
    _csv(world.prices, folder / "prices.csv")
    _csv(county_yields, folder / "county_yields.csv")
    _csv(loan_history(world.settings), folder / "loan_history.csv")
    _csv(hazards_table(world.weather), folder / "truth" / "hazards.csv")
    _geojson(pd.concat(wards, ignore_index=True), folder / "protected.geojson")
    _geojson(_boundary(world.county, grids), folder / "boundary.geojson")


def places(settings: SimulateSettings) -> Iterator[tuple[int, Floats]]:
    """Yield parcels and lower left corner of each tile, rows of a near-square from the centre."""
    counts = tile_parcels(settings)
    zone = int((settings.land.centre_lon + 180) // 6) + 1
    epsg = (32600 if settings.land.centre_lat >= 0 else 32700) + zone
    turn = Transformer.from_crs(4326, epsg, always_xy=True)
    centre = np.array(turn.transform(settings.land.centre_lon, settings.land.centre_lat))
    origin = np.round(centre / 100) * 100
    across = int(np.ceil(np.sqrt(len(counts))))
    step = _TILE_STEP * settings.land.tile_pixels * render.PIXEL_M
    for number, parcels in enumerate(counts):
        yield parcels, origin + step * np.array([number % across, number // across])


def _cells(world: World, tile: Tile) -> pd.DataFrame:
    """Return the centre of each weather strip of a tile."""
    cells, edge = world.settings.sky.weather_cells, tile.grid.size * render.PIXEL_M
    points = [shapely.Point((c + 0.5) / cells * edge, edge / 2) for c in range(cells)]
    places = shapely.get_coordinates(lonlat(tile, list(points)))
    names = [cell_name(c) for c in range(cells)]
    return pd.DataFrame({"cell_id": names, "lon": places[:, 0], "lat": places[:, 1]})


def _protected(tile: Tile, world: World) -> gpd.GeoDataFrame:
    """Return a stretch of the river's banks and the largest forest of a tile as protected."""
    shapes = tile.land.polygons
    edge = tile.grid.size * render.PIXEL_M
    stretch = shapely.box(0, 0, _WETLAND_SHARE * edge, edge)
    river = shapely.union_all(shapes[tile.land.kind == land.WATER])
    banks = shapely.intersection(shapely.buffer(river, _WETLAND_M), stretch)
    woods = max(shapes[tile.land.kind == land.FOREST], key=lambda s: s.area)
    kinds = [("wetland", "River bank"), ("forest", "Shelter forest")]
    return gpd.GeoDataFrame(
        {
            "name": [f"{title} {tile.name}" for _, title in kinds],
            "kind": [kind for kind, _ in kinds],
            "valid_from": [
                world.spans[0].start.replace(year=world.spans[0].start.year - 5).isoformat()
            ]
            * 2,
            "valid_to": [None, None],
            "source": ["simulated"] * 2,
        },
        geometry=list(lonlat(tile, [banks, woods])),
        crs="EPSG:4326",
    )


def _corners(grid: archive.Grid) -> tuple[float, float, float, float]:
    west, south, east, north = grid.bbox
    return west, south, east, north


def _boundary(county: str, grids: list[archive.Grid]) -> gpd.GeoDataFrame:
    area = shapely.union_all([shapely.box(*_corners(grid)) for grid in grids]).envelope.buffer(0.01)
    return gpd.GeoDataFrame({"county": [county]}, geometry=[area], crs="EPSG:4326")


def _geojson(frame: gpd.GeoDataFrame, path: Path) -> None:
    path.write_text(frame.to_json(drop_id=True) + "\n", encoding="utf-8")


def _csv(frame: pd.DataFrame, path: Path) -> None:
    frame.to_csv(path, index=False, lineterminator="\n")
