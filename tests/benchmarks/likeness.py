"""How like real fields simulated ones are: variation inside a field, and how far crops lie apart.

    FIELDLINE_REAL_DATA=... python -m tests.benchmarks.likeness OUT.json [real default hard ground]

Inside: root mean square NDVI between an inner pixel (two pixels from the edge) and its field's own
curve, median over pixels; Magdeburg, the coast and Bavaria beside a simulated county. Apart: macro
F1 of the nearest centroid on half-monthly means of ten bands, February to August, each sample left
out in turn; 301 official fields of Bavaria beside the simulated county's parcels. A county of
`hard` is `workflows/config/hard.yaml`'s with fewer parcels and dates. `ground` takes seconds: the
same figures of the default and the hard county's ground in memory, before sky, mask and survey.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray
from scipy import ndimage

from fieldline.crops.recognise.label_tables import LabelledSeries, code_map, read_frame
from fieldline.crops.recognise.pixels import ring_curves
from fieldline.crops.recognise.planted import core_curve
from fieldline.crops.segment.stack import days_of_catalog
from fieldline.crops.settings import FieldsSettings
from fieldline.pipeline.imagery.grid import grid_around
from fieldline.pipeline.imagery.observe import run_observe
from fieldline.pipeline.imagery.scenes import run_scenes
from fieldline.pipeline.imagery.settings import (
    S2_BANDS,
    GridSettings,
    MaskSettings,
    ObserveSettings,
    SceneSettings,
)
from fieldline.pipeline.records.settings import Season
from fieldline.pipeline.records.tables import read_table
from fieldline.workflows.config.load import load_config
from fieldline.workflows.simulate import appearance, render
from fieldline.workflows.simulate.run import (
    build_tile,
    pace_of,
    places,
    simulate_county,
    world_of,
)
from fieldline.workflows.simulate.settings import SeasonSpan, SimulateSettings
from tests.benchmarks.rings import COUNTIES, ROOT

INNER = 2
"""Whole pixels from the edge from which a pixel is an inner one."""
FROM, UNTIL = (2, 1), (8, 31)
PARCELS = 200
"""Parcels of a simulated county: minutes on a busy core, and a dozen of each crop."""
GROUND_PARCELS, GROUND_MU = 200, 12.0
"""Fields of the ground alone, and their median size: smaller ones have hardly an inner pixel."""
LEAST = 3
"""Samples of a crop from which it is judged."""
SEASON = {"2023": SeasonSpan(start=dt.date(2022, 10, 1), end=dt.date(2023, 9, 30))}


def inner_rms(rings: gpd.GeoDataFrame, catalog: Path, scenes: SceneSettings,
              season: Season) -> NDArray[np.float64]:  # fmt: skip
    """Return the distance of every inner pixel from its field's curve, RMS NDVI."""
    grid = grid_around(tuple(rings.total_bounds), str(rings.crs), GridSettings())
    days = [d for d in days_of_catalog(catalog, scenes.bands) if season.start <= d.date]
    days = [day for day in days if day.date <= season.as_of]
    found = [np.zeros(0)]
    for ring in ring_curves(rings, grid, days, scenes, FieldsSettings(), season):
        inside = (ring.coverage > 0) & np.isfinite(ring.curves).all(axis=2)
        inner = inside & (ring.depth >= INNER)
        if inner.any():
            away = ring.curves[inner] - core_curve(ring, inside)
            found.append(np.sqrt((away**2).mean(axis=1)))
    return np.concatenate(found)


def real_rms(county: str) -> NDArray[np.float64]:
    """Return `inner_rms` of a real county."""
    config = load_config([ROOT / f"workflows/config/{COUNTIES[county]}.yaml"], {})
    own = config.county[county]
    (name, season), *_ = own.seasons.items()
    (catalog,) = config.input_paths(county, name, "catalog")
    rings = pd.concat(
        [gpd.read_file(path) for path in config.input_paths(county, name, "parcels")],
        ignore_index=True,
    ).to_crs(str(own.grid.crs))
    return inner_rms(rings, catalog, own.scenes, season)


def centroid_f1(values: NDArray[np.float64], crop: NDArray[Any]) -> float:
    """Return the macro F1 of the nearest centroid, each sample left out of its own.

    Args:
        values: (samples, features), each scaled by its standard deviation here.
        crop: Crop of each sample.
    """
    names, place = np.unique(crop, return_inverse=True)
    scaled = (values - values.mean(axis=0)) / np.maximum(values.std(axis=0), 1e-9)
    count = np.bincount(place).astype(float)
    total = np.stack([scaled[place == at].sum(axis=0) for at in range(len(names))])
    told = np.empty(len(crop), dtype=int)
    for at, row in enumerate(scaled):
        sums, number = total.copy(), count.copy()
        sums[place[at]] -= row
        number[place[at]] -= 1
        told[at] = np.argmin(((sums / number[:, None] - row) ** 2).sum(axis=1))
    hit = np.array([((told == n) & (place == n)).sum() for n in range(len(names))])
    both = count + np.bincount(told, minlength=len(names))
    return float((2 * hit / both).mean())


def half_months(frame: pd.DataFrame, bands: list[str]) -> pd.DataFrame:
    """Return (samples, half months x bands) means of a long table, gaps filled along the season."""
    moment = pd.to_datetime(frame["date"])
    kept = frame[[FROM <= (d.month, d.day) <= UNTIL for d in moment]].copy()
    moment = pd.to_datetime(kept["date"])
    kept["half"] = moment.dt.month * 2 + (moment.dt.day > 15)
    wide = kept.pivot_table(index="sample_id", columns="half", values=bands, aggfunc="mean")
    filled = [wide[band].interpolate(axis=1, limit_direction="both") for band in bands]
    return pd.concat(filled, axis=1, keys=bands).dropna()


def real_f1(data: Path) -> dict[str, Any]:
    """Return the figure of the official fields of Bavaria."""
    folder = data / "bavaria_crop_fields_2018"
    table = LabelledSeries(folder / "s2_field_means_halfmonth.parquet", "bavaria_halfmonth")
    frame, bands = read_frame(table)
    codes = code_map("codes_bavaria_iacs.csv")
    frame["crop"] = [codes.get(code, "") or None for code in frame["crop"]]
    return _f1(frame.dropna(subset=["crop"]), bands)


def _f1(frame: pd.DataFrame, bands: list[str]) -> dict[str, Any]:
    wide = half_months(frame, bands)
    crop = frame.groupby("sample_id")["crop"].first().reindex(wide.index)
    kept = crop.groupby(crop).transform("size") >= LEAST
    names = crop[kept].to_numpy(str)
    return {"samples": int(kept.sum()), "crops": len(np.unique(names)),
            "macro_f1": centroid_f1(wide[kept].to_numpy(), names)}  # fmt: skip


def simulated(name: str, folder: Path) -> dict[str, Any]:
    """Return both figures of a simulated county."""
    asked = {}
    if name != "default":
        text = (ROOT / f"workflows/config/{name}.yaml").read_text(encoding="utf-8")
        asked = yaml.safe_load(text)["simulate"]
    few = {"parcels": PARCELS, "dates_per_season": 30, "seasons": SEASON, "yield_years": 2,
           "growth_runs": 1, "loan_history": {"loans": 0}, "processes": 1}  # fmt: skip
    settings = SimulateSettings.model_validate(asked | few)
    simulate_county(settings, county="SIM", out=folder / "SIM")
    span, place = SEASON["2023"], folder / "SIM"
    season = Season(start=span.start, end=span.end, as_of=span.end)
    scenes = SceneSettings(mask=MaskSettings())
    catalog = place / "stac" / "catalog.json"
    drawn = gpd.read_file(place / "parcels_2023.gpkg")
    truth = read_table(place / "truth" / "2023.parquet").set_index("parcel_id")
    honest = truth[(truth["land_use"] == "cropland") & ~truth["overdrawn"] & ~truth["same_parcel"]]
    drawn = drawn[drawn["parcel_id"].isin(honest.index)].reset_index(drop=True)
    metric = drawn.to_crs(drawn.estimate_utm_crs())
    drawn.to_parquet(folder / "parcels.parquet")
    run_scenes(
        catalog=catalog, parcels=folder / "parcels.parquet", season=season, scenes=scenes,
        out=folder / "scenes.parquet", outcomes=folder / "scenes_outcomes.parquet",
        simulated=True,
    )  # fmt: skip
    run_observe(
        scenes=folder / "scenes.parquet", parcels=folder / "parcels.parquet", grid=GridSettings(),
        scene_settings=scenes, settings=ObserveSettings(), out=folder / "observations.parquet",
        outcomes=folder / "observe_outcomes.parquet",
    )  # fmt: skip
    rows = read_table(folder / "observations.parquet")
    rows = rows[rows["valid_fraction"] >= 1 / 2]
    rows = rows.rename(columns={f"{band}_mean": band for band in S2_BANDS}).assign(
        sample_id=rows["parcel_id"], date=rows["datetime"].dt.tz_localize(None),
        crop=honest["crop"].reindex(rows["parcel_id"]).to_numpy(),
    )  # fmt: skip
    return {**_rms(inner_rms(metric, catalog, scenes, season)), **_f1(rows, list(S2_BANDS))}


def ground(name: str) -> dict[str, Any]:
    """Return both figures of a simulated county's ground, without sky and mask."""
    land = {"field_median_mu": GROUND_MU}
    if name != "default":
        text = (ROOT / f"workflows/config/{name}.yaml").read_text(encoding="utf-8")
        land |= yaml.safe_load(text)["simulate"]["land"]
    settings = SimulateSettings.tiny(
        parcels=GROUND_PARCELS, crops=(), seasons=SEASON, yield_years=2, land=land
    )
    world, _ = world_of(settings, "SIM")
    (number, place), *_ = places(settings)
    tile = build_tile(world, 0, number, (0, 0), place)
    own = np.random.default_rng(1)
    canvas = render.prepare(tile.land, tile.grid.size, own, settings.land.texture)
    if settings.land.uneven_days:
        canvas = replace(canvas, ahead=render.patches(tile.grid.size, own))
    of_field = [
        np.flatnonzero(_inner(column.toarray().reshape(tile.grid.size, -1)))
        for column in canvas.weights[:, tile.land.fields].T.tocsr()
    ]
    red, nir = S2_BANDS.index("B04"), S2_BANDS.index("B08")
    curves, looks = [], []
    span = SEASON["2023"]
    for day in (span.start + dt.timedelta(days=10 * step) for step in range(36)):
        fields, change = appearance.field_reflectance(
            tile.stands, tile.traits, world.weather, day, 40.0
        )
        all_land = np.full((len(tile.land.polygons), len(S2_BANDS)), 0.1)
        all_land[tile.land.fields] = fields
        image = render.surface_image(
            canvas, all_land, change, all_land[0], pace_of(world, tile, day, 40.0)
        ).reshape(len(S2_BANDS), -1)
        curves.append((image[nir] - image[red]) / (image[nir] + image[red]))
        looks.append(pd.DataFrame(fields, columns=list(S2_BANDS)).assign(
            date=day, sample_id=np.arange(len(fields)),
            crop=np.asarray(world.cultivars, object)[tile.seasons.crop[0]].astype(str),
        ))  # fmt: skip
    curve = np.stack(curves)
    away = [np.sqrt(((curve[:, at] - np.median(curve[:, at], axis=1)[:, None]) ** 2).mean(axis=0))
            for at in of_field if len(at)]  # fmt: skip
    return {**_rms(np.concatenate(away)), **_f1(pd.concat(looks), list(S2_BANDS))}


def _inner(coverage: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which pixels lie `INNER` whole pixels inside a polygon."""
    return ndimage.binary_erosion(coverage > 1 - 1e-6, np.ones((3, 3)), iterations=INNER)


def _rms(distance: NDArray[np.float64]) -> dict[str, Any]:
    return {"inner_pixels": len(distance), "inner_rms": float(np.median(distance)),
            "beyond_.06": float((distance > 0.06).mean())}  # fmt: skip


def main(out: Path, names: list[str]) -> None:
    """Write and print the figures of real sets and simulated counties."""
    told: dict[str, Any] = {}
    if "real" in names:
        told["Bavaria, official fields"] = real_f1(Path(os.environ["FIELDLINE_REAL_DATA"]))
        told |= {county: _rms(real_rms(county)) for county in COUNTIES}
        print(told, flush=True)
    for name in [name for name in names if name not in ("real", "ground")]:
        with tempfile.TemporaryDirectory() as folder:
            told[f"simulated, {name}"] = simulated(name, Path(folder))
        print(name, told[f"simulated, {name}"], flush=True)
    for name in ("default", "hard") if "ground" in names else ():
        told[f"simulated ground, {name}"] = ground(name)
    out.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:] or ["real", "default", "hard"])
