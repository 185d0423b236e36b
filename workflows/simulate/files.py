"""What is written of a tile: the papers of every season and the truth behind them.

Owns the shapes of a world and its tiles and the files that grow tile by tile; scenes and the order
of work are `run`'s.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyogrio
import shapely
from pyproj import Transformer

from fieldline.pipeline.records.tables import BatchWriter, Column, TableSchema
from fieldline.workflows.simulate import (
    appearance,
    archive,
    future,
    land,
    papers,
    people,
    render,
    rings,
)
from fieldline.workflows.simulate.consents import consents_table
from fieldline.workflows.simulate.cultivars import Cultivar
from fieldline.workflows.simulate.future import Future
from fieldline.workflows.simulate.growth import GrowthTable
from fieldline.workflows.simulate.markets import price_book
from fieldline.workflows.simulate.perennials import harvest
from fieldline.workflows.simulate.settings import SeasonSpan, SimulateSettings
from fieldline.workflows.simulate.tenure import Tenure, documents_table
from fieldline.workflows.simulate.weather import Weather

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LATE_LIMIT = 1.3
"""Most that a field is sown early or late, in spreads of the sowing window."""

TRUTH = TableSchema(
    "truth",
    (
        Column("parcel_id", pa.string(), "Parcel"),
        Column("crop", pa.string(), "What grows there, code of data/crops.csv"),
        Column("planted_area_m2", pa.float64(), "Own crop inside the ring", "m2", minimum=0),
        Column("ring_area_m2", pa.float64(), "Area of the ring", "m2", minimum=0),
        Column("yield_t_ha", pa.float64(), "Market yield", "t/ha", nullable=True, minimum=0),
        Column("harvest_date", pa.date32(), "Harvest; may follow the season's end", nullable=True),
        Column(
            "income_minor",
            pa.int64(),
            "Planted area x yield x price x (1 - landlord's share) - cash cost - rent",
            "minor",
        ),
        Column("currency", pa.string(), "ISO 4217 code"),
        Column("overdrawn", pa.bool_(), "Ring reaches beyond the field by intent"),
        Column("wrong_crop", pa.bool_(), "Declared crop is not the planted one"),
        Column("same_parcel", pa.bool_(), "Claims a field that belongs to another claimant"),
        Column(
            "land_use",
            pa.string(),
            "`cropland`, `greenhouse`, `orchard`, `tea`, `forest` or `village`",
        ),
    ),
    key=("parcel_id",),
)


@dataclass(frozen=True)
class World:
    """What all tiles share."""

    settings: SimulateSettings
    county: str
    cultivars: tuple[Cultivar, ...]
    weather: Weather
    growth: GrowthTable
    prices: pd.DataFrame
    future: Future
    second: GrowthTable | None = None
    """Runs of the crop that follows winter cereals; None where none does."""

    @property
    def spans(self) -> list[SeasonSpan]:
        """Seasons in order."""
        return list(self.settings.seasons.values())


@dataclass(frozen=True)
class Tile:
    """One tile of the county, ready to be written."""

    name: str
    grid: archive.Grid
    land: land.Land
    people: people.People
    traits: appearance.FieldTraits
    seasons: appearance.Seasons
    stands: appearance.Seasons
    """The same with second crops: what the satellite sees."""
    claims: list[rings.Claim]
    tenure: Tenure
    next_crop: Ints
    """Crop of each field in the season after the last, position in the cultivars."""
    ids: list[str]
    rng: np.random.Generator


def lonlat(tile: Tile, shapes: list[shapely.Geometry]) -> npt.NDArray[np.object_]:
    """Move shapes from the tile's own metres to longitude and latitude."""
    edge = tile.grid.size * render.PIXEL_M
    west, south = tile.grid.west, tile.grid.north - edge
    turn = Transformer.from_crs(tile.grid.epsg, 4326, always_xy=True)

    def move(points: Floats) -> Floats:
        return np.column_stack(turn.transform(points[:, 0] + west, points[:, 1] + south))

    return np.asarray(shapely.transform(np.array(shapes, dtype=object), move))


class Papers:
    """Appends the papers of tile after tile to the county's files."""

    def __init__(self, world: World, folder: Path) -> None:
        self._world, self._folder = world, folder
        (folder / "truth").mkdir(parents=True)
        self._truth = {
            name: BatchWriter(TRUTH, folder / "truth" / f"{name}.parquet")
            for name in (*world.settings.seasons, future.NAME)
        }

    def add(self, tile: Tile) -> None:
        """Write the tile's papers of every season."""
        shapes = lonlat(tile, [claim.ring for claim in tile.claims])
        for order, (name, span) in enumerate(self._world.settings.seasons.items()):
            self._season(tile, order, name, span, shapes)
        self._after(tile)
        farmers = tile.people.farmers["farmer_id"]
        signers = sorted({str(farmers.iloc[claim.farmer]) for claim in tile.claims})
        own = np.random.default_rng([self._world.settings.seed, 401, int(tile.name[1:])])
        self._append(consents_table(signers, self._world.spans[0].end, own), "consents.csv")

    def _after(self, tile: Tile) -> None:
        """Write the truth of the season after the last, which no paper knows."""
        ahead, world = self._world.future, self._world
        rng = np.random.default_rng([ahead.settings.seed, 100, int(tile.name[1:])])
        growth = ahead.growth.fields(
            0, tile.next_crop, tile.traits.cell,
            np.clip(rng.normal(0, 1 / 1.5, len(tile.next_crop)), -LATE_LIMIT, LATE_LIMIT),
            tile.people.farmers["skill"].to_numpy()[tile.people.owner],
        )  # fmt: skip
        yields = papers.realise(growth, tile.traits, ahead.weather.hazards, rng)
        ground = papers.Ground(
            tile.land, tile.people, tile.traits, tile.next_crop, growth, yields, tile.tenure,
            harvest(tile.land, ahead.settings, ahead.span, int(tile.name[1:])),
        )  # fmt: skip
        told = [
            world.cultivars[tile.next_crop[c.field]].code if c.field >= 0 else ""
            for c in tile.claims
        ]
        self._truth[future.NAME].write(papers.truth_table(
            tile.claims, tile.ids, ground, world.cultivars, price_book(ahead.prices), told,
            world.settings, ahead.span,
        ))  # fmt: skip

    def _season(
        self, tile: Tile, order: int, name: str, span: SeasonSpan, shapes: npt.NDArray[np.object_]
    ) -> None:
        world, rng = self._world, tile.rng
        yields = papers.realise(tile.seasons.growth[order], tile.traits, world.weather.hazards, rng)
        ground = papers.Ground(
            tile.land, tile.people, tile.traits, tile.seasons.crop[order],
            tile.seasons.growth[order], yields, tile.tenure,
            harvest(tile.land, world.settings, span, int(tile.name[1:])),
        )  # fmt: skip
        declared = papers.declare(
            tile.claims, ground, world.cultivars, world.settings.lies.wrong_crop, rng
        )
        truth = papers.truth_table(
            tile.claims, tile.ids, ground, world.cultivars, price_book(world.prices), declared,
            world.settings, span,
        )  # fmt: skip
        self._truth[name].write(truth)
        drawn = papers.parcels_table(
            tile.claims, tile.ids, ground, declared, shapes, world.settings, rng
        )
        _append_layer(drawn, self._folder / f"parcels_{name}.gpkg", span.end)
        number = round(world.settings.survey_share * len(tile.claims))
        survey = papers.survey_table(truth, declared, span, number, rng)
        slips = np.random.default_rng([world.settings.seed, 500, int(tile.name[1:]), order])
        survey = papers.mistaken(survey, world.settings.lies.survey_wrong, slips)
        self._append(survey, f"survey_{name}.csv")
        registry = papers.registry_table(
            tile.claims, truth, ground, span, world.settings, world.cultivars, rng
        )
        self._append(registry, f"registry_{name}.csv")
        applied = papers.applications_table(tile.claims, tile.people, span, world.settings, rng)
        self._append(applied, f"applications_{name}.csv")
        own = np.random.default_rng([world.settings.seed, 400, int(tile.name[1:]), order])
        self._append(
            documents_table(tile.claims, tile.ids, tile.people, tile.tenure, applied, declared,
                            span, world.settings, own),
            f"documents_{name}.csv",
        )  # fmt: skip
        self._append(
            papers.frauds_table(tile.claims, truth, tile.people), f"truth/frauds_{name}.csv"
        )

    def _append(self, frame: pd.DataFrame, name: str) -> None:
        path = self._folder / name
        frame.to_csv(path, mode="a", header=not path.exists(), index=False, lineterminator="\n")

    def close(self) -> None:
        """Finish the truth files."""
        for writer in self._truth.values():
            writer.__exit__(None, None, None)


def _append_layer(frame: gpd.GeoDataFrame, path: Path, day: dt.date) -> None:
    """Append to a GeoPackage whose time stamp is the season's end, not the clock."""
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": f"{day.isoformat()}T00:00:00.000Z"})
    try:
        pyogrio.write_dataframe(frame, path, layer="parcels", driver="GPKG", append=path.exists())
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": None})
