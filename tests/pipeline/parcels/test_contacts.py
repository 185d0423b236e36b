"""Marks of contacts: equal where farmers gave the same, and nothing of what they gave."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from fieldline.pipeline.parcels.contacts import contact_marks, letters_and_digits, phone_digits
from fieldline.pipeline.parcels.intake import run_intake
from fieldline.pipeline.parcels.settings import IntakeSettings
from fieldline.pipeline.records.settings import PrivacySettings
from fieldline.pipeline.records.tables import read_table

DEMO = PrivacySettings(demo_key=True)


@pytest.mark.parametrize(
    "written",
    ["13912345678", "139 1234 5678", "+86 139-1234-5678", "0086 13912345678",
     "１３９１２３４５６７８"],
)  # fmt: skip
def test_one_number_however_it_is_dialled(written: str) -> None:
    assert phone_digits(written) == "3912345678"


@pytest.mark.parametrize("filler", ["", "000-0000-0000", "11111111111", "8012", "无"])
def test_fillers_are_no_contact(filler: str) -> None:
    assert phone_digits(filler) == ""


def test_accounts_and_addresses_are_compared_without_marks_and_case() -> None:
    assert letters_and_digits("DE89 3704 0044") == letters_and_digits("de89-37040044")
    assert letters_and_digits("王庄 3组 12号") == "王庄3组12号"
    assert letters_and_digits("王庄") == letters_and_digits("000000") == ""


def test_equal_contacts_of_two_farmers_have_one_mark_and_kinds_have_their_own() -> None:
    frame = pd.DataFrame({
        "pseudonym": ["Fa", "Fb", "Fb", ""],
        "phone": ["139 1234 5678", "13912345678", None, "13912345678"],
        "bank_account": ["13912345678", None, "x", "y"],
    })  # fmt: skip
    marks = contact_marks(frame, DEMO)
    assert marks[["farmer_id", "kind"]].values.tolist() == [
        ["Fa", "bank_account"], ["Fa", "phone"], ["Fb", "phone"],
    ]  # fmt: skip
    assert marks["mark"].iloc[1] == marks["mark"].iloc[2] != marks["mark"].iloc[0]
    other = contact_marks(frame.assign(pseudonym=["Fa", "", "", ""]), DEMO)
    assert other["mark"].tolist() == marks["mark"].tolist()[:2]


def test_intake_hands_on_marks_and_no_contact_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = {"phone": "139-8765-4321", "银行账号": "6222 0200 1111 2222", "住址": "李庄2组15号"}
    square = shapely.box(115.9, 33.2, 115.901, 33.201)
    rows = gpd.GeoDataFrame(
        {"parcel_id": ["a", "b"], "farmer_id": ["ann", "bob"],
         **{name: [text, text] for name, text in secret.items()}},
        geometry=[square, shapely.affinity.translate(square, 0.01)], crs="EPSG:4326",
    )  # fmt: skip
    rows.to_file(tmp_path / "parcels.gpkg")
    out = {name: tmp_path / f"{name}.parquet" for name in ("parcels", "farmers", "contacts")}
    run_intake(
        sources=[tmp_path / "parcels.gpkg"], county="X", season="2024", columns={}, crs=None,
        settings=IntakeSettings(), privacy=DEMO, vault=tmp_path / "vault.sqlite",
        outcomes=tmp_path / "outcomes.parquet", **out,
    )  # fmt: skip
    marks = read_table(out["contacts"])
    assert len(marks) == 6
    assert marks.groupby("kind")["mark"].nunique().to_dict() == dict.fromkeys(
        ("address", "bank_account", "phone"), 1
    )
    for path in (*out.values(), tmp_path / "outcomes.parquet", tmp_path / "vault.sqlite"):
        content = path.read_bytes()
        for text in ("87654321", "8765-4321", "62220200", "6222 0200", "李庄"):
            assert text.encode() not in content, (path.name, text)
