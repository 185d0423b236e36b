"""Applicants in a county's intake: their land beside the files' own, their records in the vault."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from fieldline.pipeline.parcels.intake import read_parcels, run_intake
from fieldline.pipeline.parcels.settings import IntakeSettings
from fieldline.pipeline.records.privacy import pseudonymiser
from fieldline.pipeline.records.settings import PrivacySettings
from fieldline.pipeline.records.tables import read_table
from fieldline.pipeline.vault.erasure import erase
from fieldline.pipeline.vault.opening import open_vault
from fieldline.pipeline.vault.persons import Person, add_person, persons_of
from fieldline.pipeline.vault.verify import verify_vault
from tests.pipeline.parcels.bad_parcels import square

DEMO = PrivacySettings(demo_key=True)
hide = pseudonymiser(DEMO)


def drawn(path: Path, *rows: tuple[str, str, float]) -> Path:
    """Write outlines of (parcel, farmer, longitude)."""
    rings = [shapely.Polygon(square(lon, 48.1)) for _, _, lon in rows]
    table = {"parcel_id": [r[0] for r in rows], "farmer_id": [r[1] for r in rows]}
    gpd.GeoDataFrame(table, geometry=rings, crs="EPSG:4326").to_file(path, driver="GeoJSON")
    return path


def intake(source: Path, folder: Path, vault: Path, *applied: Path) -> None:
    (folder / "outcomes").mkdir(parents=True, exist_ok=True)
    run_intake(
        sources=[source], county="X1", season="2024", columns={}, crs=None,
        settings=IntakeSettings(), privacy=DEMO, parcels=folder / "parcels.parquet",
        farmers=folder / "farmers.parquet", vault=vault,
        outcomes=folder / "outcomes/intake.parquet", applied=list(applied),
    )  # fmt: skip


@pytest.fixture
def county(tmp_path: Path) -> Path:
    # The second row of one id is refused, and its outcome must not be lost.
    return drawn(tmp_path / "county.geojson", ("P1", "1", 11.0), ("P2", "2", 11.01),
                 ("P2", "2", 11.02))  # fmt: skip


@pytest.fixture
def applicant(tmp_path: Path) -> Path:
    source = drawn(tmp_path / "drawn.geojson", ("A7", "7", 11.03), ("A8", "7", 11.04))
    intake(source, tmp_path / "applicant", tmp_path / "scratch.sqlite")
    return tmp_path / "applicant/parcels.parquet"


def test_an_applicants_land_stands_beside_the_files_and_every_row_has_its_outcome(
    tmp_path: Path, county: Path, applicant: Path
) -> None:
    folder, vault = tmp_path / "run", tmp_path / "vault.sqlite"
    intake(county, folder, vault, applicant)
    parcels = read_parcels(folder / "parcels.parquet")
    assert sorted(parcels["parcel_id"]) == ["A7", "A8", "P1", "P2"]
    assert set(parcels["collection"]) == {"X1_2024"}
    told = read_table(folder / "outcomes/intake.parquet")
    assert sorted(told["outcome"]) == ["duplicate_id", "ok", "ok", "ok", "ok"]
    farmers = read_table(folder / "farmers.parquet").set_index("farmer_id")
    assert farmers["parcels_declared"].to_dict() == {hide("1"): 1, hide("2"): 2, hide("7"): 2}


def test_land_that_the_countys_file_holds_by_now_counts_once(
    tmp_path: Path, applicant: Path
) -> None:
    county = drawn(tmp_path / "county.geojson", ("P1", "1", 11.0), ("A7", "7", 11.03),
                   ("A8", "7", 11.04))  # fmt: skip
    folder = tmp_path / "run"
    intake(county, folder, tmp_path / "vault.sqlite", applicant)
    assert sorted(read_parcels(folder / "parcels.parquet")["parcel_id"]) == ["A7", "A8", "P1"]
    farmers = read_table(folder / "farmers.parquet").set_index("farmer_id")
    assert farmers["parcels_declared"].to_dict() == {hide("1"): 1, hide("7"): 2}
    assert len(read_table(folder / "outcomes/intake.parquet")) == 3


def test_an_applicants_record_stays_in_the_vault_until_the_applicant_is_gone(
    tmp_path: Path, county: Path, applicant: Path
) -> None:
    path = tmp_path / "vault.sqlite"
    intake(county, tmp_path / "run", path)

    def known() -> dict[str, str]:
        with open_vault(path, DEMO) as vault:
            assert verify_vault(vault).problems == ()
            return {p.farmer_id: p.farmer_ref for p in persons_of(vault, "X1", "2024")}

    with open_vault(path, DEMO) as vault:
        assert add_person(vault, "X1", "2024", Person(hide("7"), "7"))
        assert not add_person(vault, "X1", "2024", Person(hide("7"), "another"))
    both = {hide("1"): "1", hide("2"): "2"}
    assert known() == both | {hide("7"): "7"}
    intake(county, tmp_path / "run", path, applicant)
    assert known() == both | {hide("7"): "7"}
    intake(county, tmp_path / "run", path)
    assert known() == both


def test_an_erased_applicant_is_refused_with_the_code_and_leaves_no_land(
    tmp_path: Path, county: Path, applicant: Path
) -> None:
    path, folder = tmp_path / "vault.sqlite", tmp_path / "run"
    intake(county, folder, path)
    with open_vault(path, DEMO) as vault:
        add_person(vault, "X1", "2024", Person(hide("7"), "7"))
        erase(vault, hide("7"), "letter of 2 May")
        assert not add_person(vault, "X1", "2024", Person(hide("7"), "7"))
    intake(county, folder, path, applicant)
    assert sorted(read_parcels(folder / "parcels.parquet")["parcel_id"]) == ["P1", "P2"]
    told: pd.DataFrame = read_table(folder / "outcomes/intake.parquet")
    assert told[told["farmer_id"] == hide("7")]["outcome"].tolist() == ["farmer_erased"] * 2
    assert hide("7") not in set(read_table(folder / "farmers.parquet")["farmer_id"])
