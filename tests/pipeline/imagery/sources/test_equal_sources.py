"""The same county through every source: equal observations.

One ground, three dates on both sides of processing baseline 04.00, as `.SAFE` folders, as their
zips, as a static STAC archive of COGs and from a STAC API on loopback.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fieldline.pipeline.records.tables import read_table
from tests.pipeline.imagery.pulling import QUICK, observe, told
from tests.pipeline.imagery.pulling import choose as choose_scenes
from tests.pipeline.imagery.tiny_archive import AS_DRAWN, TinyScene, scene_settings, write_archive
from tests.pipeline.imagery.tiny_safe import SIZES, TinyProduct, write_safe, zipped
from tests.services.stac_api import StacApi, serving

COLLECTION = "sentinel-2-l2a"
EDGE = 60
SCENES = scene_settings("B02", "B04", collection=COLLECTION, mask=AS_DRAWN)
DATES = ((dt.date(2021, 5, 10), "03.01"), (dt.date(2021, 6, 10), "04.00"),
         (dt.date(2021, 7, 10), "05.10"))  # fmt: skip


def products() -> list[TinyProduct]:
    """Return three dates of random ground under random clouds."""
    made = []
    for number, (day, baseline) in enumerate(DATES):
        random = np.random.default_rng(number)
        shift = 1000 if baseline >= "04.00" else 0
        bands: dict[str, Any] = {
            "B02": random.integers(1, 4000, (EDGE, EDGE)) + shift,
            "B04": random.integers(1, 6000, (EDGE, EDGE)) + shift,
            "SCL": random.choice([4, 5, 9], (EDGE // 2, EDGE // 2)),
        }
        made.append(TinyProduct(bands, day, baseline, -shift if shift else None))
    return made


def as_items(folder: Path) -> Path:
    """Write the products as a STAC archive that states the same as their metadata."""
    scenes = [
        TinyScene(
            product.name, product.bands, day=product.day, band_resolution=SIZES,
            radiometry={"nodata": 0, "scale": 1e-4, "offset": (product.offset or 0) / 10000},
            properties={"s2:processing_baseline": product.baseline},
        )
        for product in products()
    ]  # fmt: skip
    return write_archive(folder, scenes, COLLECTION)


def as_products(folder: Path) -> Path:
    for product in products():
        write_safe(folder, product)
    return folder


def as_zips(folder: Path) -> Path:
    for product in products():
        zipped(write_safe(folder, product))
    return folder


def observed(folder: Path, remote: str | None, catalog: Path | None) -> pd.DataFrame:
    results = choose_scenes(folder, remote, catalog, scenes=SCENES, pull=QUICK)
    assert {code for code, _ in told(results / "chosen.parquet").values()} == {"ok"}
    return read_table(observe(folder) / "observations.parquet")


@pytest.mark.parametrize("layout", [as_products, as_zips], ids=lambda layout: layout.__name__)
def test_products_give_what_the_archive_gives(
    tmp_path: Path, layout: Callable[[Path], Path]
) -> None:
    archive = observed(tmp_path / "archive", None, as_items(tmp_path / "items"))
    products = observed(tmp_path / "products", None, layout(tmp_path / "in"))
    assert len(archive) == 6
    _assert_equal(archive, products)


def test_an_api_gives_what_the_archive_gives(tmp_path: Path) -> None:
    catalog = as_items(tmp_path / "items")
    archive = observed(tmp_path / "archive", None, catalog)
    with serving(StacApi(catalog.parent, COLLECTION)) as api:
        remote = observed(tmp_path / "api", api.root, None)
    _assert_equal(archive, remote)


def _assert_equal(left: pd.DataFrame, right: pd.DataFrame) -> None:
    exact = ["parcel_id", "scene_id", "baseline", "valid_fraction", "effective_pixels"]
    pd.testing.assert_frame_equal(left[exact], right[exact])
    days = [frame["datetime"].dt.date.tolist() for frame in (left, right)]
    assert days[0] == days[1]
    for column in ("offset", "B02_mean", "B02_std", "B04_mean", "B04_std"):
        np.testing.assert_allclose(left[column], right[column], rtol=0, atol=1e-6)
