"""The bad-parcel file through the whole chain: each row its code, each good farmer an answer."""

from __future__ import annotations

import json
from collections import Counter

import geopandas as gpd
import pandas as pd
import pytest
import shapely
import yaml

from fieldline.pipeline.records.outcomes import OK, outcome_codes
from fieldline.pipeline.records.tables import read_table
from tests.pipeline.parcels.bad_parcels import Row, bad_parcels, write_geojson
from tests.workflows.conftest import ChainRun, tiny_config

SEASON = "2023"
REPLACED = 6


@pytest.fixture(scope="module")
def mixed(
    tiny_run: ChainRun, tmp_path_factory: pytest.TempPathFactory
) -> tuple[ChainRun, list[Row]]:
    """The tiny county's first season with bad rows among its parcels, finished."""
    folder = tmp_path_factory.mktemp("bad")
    county = tiny_run.simulated / "SIM001"
    drawn = gpd.read_file(county / f"parcels_{SEASON}.gpkg").to_crs("EPSG:4326")
    west, south, east, _ = drawn.total_bounds
    free = (float(west), float(south) - 0.03)
    rows = bad_parcels(
        list(drawn.geometry[:REPLACED]), free=free, outside=(float(east) + 0.3, float(south))
    )
    rows += [good_row(feature) for feature in drawn[REPLACED:].itertuples()]
    write_geojson(rows, folder / "parcels.geojson")
    strip = shapely.box(free[0] - 0.001, free[1] - 0.001, float(east), float(south))
    boundary = gpd.read_file(county / "boundary.geojson").to_crs("EPSG:4326").union_all()
    whole = gpd.GeoSeries([boundary.union(strip)], crs="EPSG:4326")
    whole.to_file(folder / "boundary.geojson")
    run = tiny_config(folder, "results", tiny_run.simulated)
    document = yaml.safe_load(run.config.read_text(encoding="utf-8"))
    inputs = document["county"]["SIM001"]["inputs"]
    inputs["parcels"] = [str(folder / "parcels.geojson")]
    inputs["boundary"] = str(folder / "boundary.geojson")
    run.config.write_text(yaml.safe_dump(document | {"seasons": [SEASON]}), encoding="utf-8")
    result = run.fieldline("run")
    assert result.returncode == 0, result.stdout + result.stderr
    return run, rows


def good_row(feature: object) -> Row:
    """Return a simulated parcel as a row of the file."""
    names = ("parcel_id", "farmer_id", "name", "phone", "id_number", "village", "declared_crop")
    values = {name: getattr(feature, name) for name in (*names, "declared_area_mu")}
    values = {k: None if pd.isna(v) else v for k, v in values.items()}
    geometry = shapely.geometry.mapping(feature.geometry)  # type: ignore[attr-defined]
    return Row(expected=OK, geometry=json.loads(json.dumps(geometry)), **values)


def test_check_names_each_row_before_a_run(mixed: tuple[ChainRun, list[Row]]) -> None:
    run, rows = mixed
    file = str(run.config.parent / "parcels.geojson")
    result = run.fieldline("parcels", "check", file, "--county", "SIM001", "--json")
    assert result.returncode == 3, result.stderr
    found = json.loads(result.stdout)
    bad = [i for i, row in enumerate(rows) if row.expected != OK]
    assert [found[i]["outcome"] for i in bad] == [rows[i].expected for i in bad]
    assert all(found[i]["remedy"] for i in bad)


def test_every_row_is_counted_once_in_the_run(mixed: tuple[ChainRun, list[Row]]) -> None:
    run, rows = mixed
    outcomes = read_table(run.results / SEASON / "SIM001" / "outcomes.parquet")
    intake = outcomes[outcomes["stage"] == "intake"]
    assert len(intake) == len(rows)
    planted = Counter(row.expected for row in rows if row.expected != OK)
    counted = Counter(intake["outcome"])
    assert {code: counted[code] for code in planted if code != "overlap"} == {
        code: number for code, number in planted.items() if code != "overlap"
    }


def test_good_parcels_pass_and_their_farmers_are_answered(
    mixed: tuple[ChainRun, list[Row]],
) -> None:
    run, rows = mixed
    folder = run.results / SEASON / "SIM001"
    evidence = read_table(folder / "evidence.parquet")
    stops = {code for code, entry in outcome_codes().items() if entry.effect == "stop"}
    passing = {str(row.parcel_id) for row in rows if row.expected not in stops and row.parcel_id}
    refused = {str(row.parcel_id) for row in rows if row.expected in stops}
    assert passing - refused <= set(evidence["parcel_id"])
    offers = pd.read_csv(folder / "offers.csv")
    farmers = read_table(folder / "farmers.parquet")
    assert sorted(offers["farmer_id"]) == sorted(farmers["farmer_id"])
    assert not offers["farmer_id"].duplicated().any()


def test_a_farmer_whose_every_row_was_refused_is_told_why(
    mixed: tuple[ChainRun, list[Row]],
) -> None:
    run, _ = mixed
    folder = run.results / SEASON / "SIM001"
    farmers = read_table(folder / "farmers.parquet")
    lost = set(farmers.loc[farmers["parcels_accepted"] == 0, "farmer_id"])
    decisions = read_table(folder / "decisions.parquet").set_index("farmer_id")
    for farmer in lost:
        assert decisions.loc[farmer, "access"] in ("review", "decline")
        assert len(decisions.loc[farmer, "reasons"]) >= 1
