"""`fieldline init` on a scene archive: bands, mask, radiometry, dates, the docs' commands."""

from __future__ import annotations

import datetime as dt
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fieldline.pipeline.parcels.readers import read_parcel_file
from tests.pipeline.imagery.tiny_archive import outlines, pixel_box
from tests.pipeline.imagery.tiny_safe import TinyProduct, write_safe
from tests.workflows.conftest import ROOT
from tests.workflows.outlines import (
    DAYS,
    EDGES,
    PLAIN,
    SCALED,
    archive,
    geojson,
    init,
    loaded,
)


def test_a_catalog_gives_bands_mask_and_dates(tmp_path: Path) -> None:
    assets = {"red": SCALED, "nir": SCALED, "scl": {}}
    catalog = archive(tmp_path / "scenes", DAYS, assets, published="2024-09-01T00:00:00Z")
    init(tmp_path / "county", geojson(tmp_path / "outlines.geojson", PLAIN), catalog)
    config = loaded(tmp_path / "county")
    county = config.county["county"]
    assert county.scenes.collection == "scenes"
    assert county.scenes.bands == ("B04", "B08")
    assert county.scenes.mask.kind == "scl"
    season = county.seasons["2024"]
    assert (season.start, season.end) == (dt.date(2024, 3, 1), dt.date(2024, 7, 1))
    assert season.as_of == dt.date(2024, 9, 1)
    assert str(county.inputs.catalog).endswith("scenes/catalog.json")


def test_options_override_the_guessed_season_and_currency(tmp_path: Path) -> None:
    catalog = archive(tmp_path / "scenes", DAYS, {"B04": SCALED, "B8A": SCALED, "clm": {}})
    season = {"name": "early", "start": "2024-03-05", "end": "2024-05-31", "as_of": None}
    source = geojson(tmp_path / "outlines.geojson", PLAIN)
    said = init(tmp_path / "county", source, catalog, season=season, currency="EUR")
    county = loaded(tmp_path / "county").county["county"]
    found = county.seasons["early"]
    assert (found.start, found.end) == (dt.date(2024, 3, 5), dt.date(2024, 5, 31))
    assert found.as_of == dt.date(2024, 5, 12)
    assert county.currency == "EUR"
    assert said[-2].endswith("filled in: lending.policy.")
    text = (tmp_path / "county" / "county.yaml").read_text(encoding="utf-8")
    assert "#     currency: EUR\n#     max_limit:\n" in text
    assert (county.scenes.mask.asset, county.scenes.mask.clear) == ("clm", (0,))
    assert any("3 dates, fewer than the 5 clear ones" in line for line in said)


def test_a_silent_scale_is_left_to_a_person(tmp_path: Path) -> None:
    catalog = archive(tmp_path / "scenes", DAYS, {"B04": {}, "B08": {}})
    said = init(tmp_path / "county", geojson(tmp_path / "outlines.geojson", PLAIN), catalog)
    county = loaded(tmp_path / "county").county["county"]
    assert county.scenes.default_scale is None
    text = (tmp_path / "county" / "county.yaml").read_text(encoding="utf-8")
    assert "# default_scale: 0.0001" in text
    assert said[-2].endswith("filled in: scenes.default_scale.")


def test_the_three_commands_of_the_docs_are_those_that_init_prints(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "run-a-county.md").read_text(encoding="utf-8")
    first, check, *keys, run = page.split("```bash\n", 1)[1].split("\n```", 1)[0].splitlines()
    geojson(tmp_path / "outlines.geojson", PLAIN)
    archive(tmp_path / "archive", DAYS, {"B04": SCALED, "B08": SCALED})

    def typed(line: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "fieldline.workflows.cli", *shlex.split(line)[1:]]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)

    said = typed(first)
    assert said.returncode == 0, said.stderr
    for line in (check, *keys, run):
        assert f"  {line}\n" in said.stdout
    totals = [line.split() for line in typed(check).stdout.splitlines()]
    assert ["ok", str(len(EDGES)), "ok"] in totals


@pytest.mark.realdata
def test_real_outlines_and_scenes_give_a_valid_county(real_data: Path, tmp_path: Path) -> None:
    place = real_data / "stac" / "magdeburg_2021"
    init(tmp_path / "magdeburg", place / "parcels.geojson", str(place), currency="EUR")
    config = loaded(tmp_path / "magdeburg")
    county = config.county["magdeburg"]
    assert county.scenes.collection == "sentinel-2-l3a"
    assert county.scenes.bands == ("B02", "B03", "B04", "B08")
    assert county.scenes.mask.kind == "none"
    season = county.seasons["2021"]
    # Monthly composites of 15 March to 15 October; the last takes in pixels up to 6 November.
    assert (season.start, season.end) == (dt.date(2021, 3, 1), dt.date(2021, 10, 15))
    assert season.as_of == dt.date(2021, 11, 6)
    assert county.inputs.parcel_columns == {
        "parcel_id": "parcel_id",
        "farmer_id": "farmer_id",
        "declared_area_ha": "area_ha",
    }
    read = read_parcel_file(county.inputs.parcels[0], county.inputs.parcel_columns)
    assert read.frame["declared_area_m2"].iloc[0] == pytest.approx(98_417)


def test_a_folder_of_products_gives_bands_mask_and_dates(tmp_path: Path) -> None:
    pixels = {band: np.full((edge, edge), 500) for band, edge in (("B04", 20), ("B08", 20))}
    product = TinyProduct({**pixels, "SCL": np.full((10, 10), 4)})
    write_safe(tmp_path / "products", product)
    frame = outlines({"p": pixel_box(2, 2, 15, 15)}).assign(declared_crop="maize")
    frame.to_file(tmp_path / "outlines.geojson")
    init(tmp_path / "county", tmp_path / "outlines.geojson", str(tmp_path / "products"))
    county = loaded(tmp_path / "county").county["county"]
    assert county.scenes.collection == "sentinel-2-l2a"
    assert county.scenes.bands == ("B04", "B08")
    assert county.scenes.mask.kind == "scl"
    assert county.inputs.catalog == tmp_path / "products"
