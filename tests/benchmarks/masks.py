"""Seven Swiss wheat fields: what masks and tests of the series leave of clouds in their NDVI.

    FIELDLINE_REAL_DATA=... python -m tests.benchmarks.masks OUT.json [PICTURE.svg]

A dip is a clear date whose NDVI lies 0.05 or more under both of its neighbours within 30 days; the
roughness of a series is what its NDVI moves beyond one rise and one fall. `before` are the classes
of the first masks (snow clear, no dilation, every clear date kept). Contains modified Copernicus
Sentinel data of 2022.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
import tempfile
from pathlib import Path

import geopandas as gpd
import numpy as np

from fieldline.crops.growth.curves import Points
from fieldline.crops.growth.outliers import believable
from fieldline.crops.growth.seasons import clear_points, outlier_rules
from fieldline.crops.series import clear_series
from fieldline.crops.settings import GrowSettings
from fieldline.pipeline.imagery.observe import run_observe
from fieldline.pipeline.imagery.scenes import run_scenes
from fieldline.pipeline.imagery.settings import (
    S2_BANDS,
    ClearSettings,
    GridSettings,
    MaskSettings,
    ObserveSettings,
    SceneSettings,
)
from fieldline.pipeline.records.settings import Season
from fieldline.pipeline.records.tables import read_table, write_text

SEASON = Season(start=dt.date(2022, 1, 1), end=dt.date(2022, 12, 31), as_of=dt.date(2022, 12, 31))
BANDS = tuple(band for band in S2_BANDS if band != "B08")
FIRST = MaskSettings(clear=(4, 5, 6, 7, 11), dilation_m=0)
DIP, REACH_DAYS = 0.05, 30
WIDE, HIGH, LEFT, TOP = 330, 110, 40, 34
NO_HAZE_TEST = 9.0


def observed(archive: Path, mask: MaskSettings, folder: Path, max_haze: float) -> Points:
    """Return the clear NDVI of all fields under a mask."""
    parcels = folder / "parcels.parquet"
    gpd.read_file(archive / "parcels.geojson").to_parquet(parcels)
    scenes = SceneSettings(bands=BANDS, mask=mask)
    run_scenes(
        catalog=archive / "catalog.json", parcels=parcels, season=SEASON, scenes=scenes,
        out=folder / "scenes.parquet", outcomes=folder / "so.parquet",
    )  # fmt: skip
    run_observe(
        scenes=folder / "scenes.parquet", parcels=parcels, grid=GridSettings(),
        scene_settings=scenes, settings=ObserveSettings(),
        out=folder / "observations.parquet", outcomes=folder / "oo.parquet",
    )  # fmt: skip
    least = ClearSettings().min_valid_fraction
    return clear_points(
        clear_series(read_table(folder / "observations.parquet"), SEASON, least), max_haze
    )


def judged(points: Points) -> dict[str, float]:
    """Return dates, dips and roughness of all fields together."""
    dips, rough = 0, 0.0
    for number in range(points.count):
        here = points.parcel == number
        day, value = points.day[here], points.values[here]
        near = (np.diff(day)[:-1] <= REACH_DAYS) & (np.diff(day)[1:] <= REACH_DAYS)
        dips += int((near & (value[1:-1] <= np.minimum(value[:-2], value[2:]) - DIP)).sum())
        rough += float(np.abs(np.diff(value)).sum() - 2 * value.max() + value[0] + value[-1])
    return {"dates": len(points.day), "dips": dips, "roughness": round(rough, 3)}


def picture(before: Points, after: Points) -> str:
    """Return an SVG: one panel a field, dates that are left out in red."""
    rows = -(-before.count // 2)
    size = f'width="{2 * (WIDE + LEFT)}" height="{rows * (HIGH + TOP) + 10}"'
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" '
             'font-size="11"><rect width="100%" height="100%" fill="white"/>']  # fmt: skip
    for number in range(before.count):
        x, y = (number % 2) * (WIDE + LEFT) + LEFT, (number // 2) * (HIGH + TOP) + TOP
        parts.append(f'<text x="{x}" y="{y - 8}">field {number + 1}, NDVI March to July</text>'
                     f'<path d="M{x} {y}v{HIGH}h{WIDE - 20}" fill="none" stroke="#999"/>'
                     f'<text x="{x - 22}" y="{y + 8}">0.9</text>'
                     f'<text x="{x - 22}" y="{y + HIGH}">0.2</text>')  # fmt: skip
        kept = {*after.day[after.parcel == number].tolist()}
        for points, colour in ((before, "#d33"), (after, "#2a6")):
            here = points.parcel == number
            places = [
                (x + (d - 60) / 155 * (WIDE - 20), y + (0.9 - v) / 0.7 * HIGH)
                for d, v in zip(points.day[here], points.values[here], strict=True)
            ]
            line = " ".join(f"{a:.1f},{b:.1f}" for a, b in places)
            parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}"/>')
            parts += [
                f'<circle cx="{a:.1f}" cy="{b:.1f}" r="2.6" fill="{colour}"/>'
                for (a, b), d in zip(places, points.day[here], strict=True)
                if points is after or int(d) not in kept
            ]
    return "\n".join([*parts, "</svg>"]) + "\n"


def main(out: Path, drawing: Path | None = None) -> None:
    """Write the figures, and the picture."""
    archive = Path(os.environ["FIELDLINE_REAL_DATA"]) / "stac" / "switzerland_2022"
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        before = observed(archive, FIRST, Path(first), NO_HAZE_TEST)
        masked = observed(archive, MaskSettings(), Path(second), NO_HAZE_TEST)
        series = clear_series(read_table(Path(second) / "observations.parquet"), SEASON,
                              ClearSettings().min_valid_fraction)  # fmt: skip
    unhazed = clear_points(series, ClearSettings().max_haze)
    after = unhazed.only(believable(unhazed, outlier_rules(GrowSettings())))
    steps = {"before": before, "masks": masked, "masks_and_haze": unhazed, "as_grown": after}
    figures = {name: judged(points) for name, points in steps.items()}
    write_text(out, json.dumps(figures, indent=1) + "\n")
    print(json.dumps(figures))
    if drawing is not None:
        write_text(drawing, picture(before, after))


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:3]))
