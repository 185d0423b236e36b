"""Anchors in their file, and the settings by which every posting leaves one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
import sqlalchemy as sa

from fieldline.lending.decision.case import Case, policy_hash
from fieldline.lending.decision.decision import decide_case
from fieldline.lending.decision.row import decision_row
from fieldline.lending.settings import AuditSettings
from fieldline.lending.store.anchors import add_anchor, read_anchors, take_anchor
from fieldline.lending.store.database import AUDIT, open_database, reading
from fieldline.lending.store.offers import run_offers
from fieldline.lending.store.signer import Signer
from fieldline.lending.store.verify import verify
from fieldline.pipeline.records.errors import UserError

KEY = "5d1f0c7ab93e4268d70b5e1c9a36f842"
LENDER = Signer("lender", KEY.encode())


def run(folder: Path, *cases: Case, audit: AuditSettings) -> None:
    """Post these cases as the stage does."""
    rows = [decision_row(case, decide_case(case), policy_hash(case.policy)) for case in cases]
    pd.DataFrame(rows).to_parquet(folder / "decisions")
    none: dict[str, list[Any]] = {"parcel_id": [], "farmer_id": [], "village": []}
    gpd.GeoDataFrame(none, geometry=[], crs="EPSG:4326").to_parquet(folder / "parcels")
    columns: dict[str, list[Any]] = {"parcel_id": [], "farmer_id": [], "evidence_area_m2": []}
    pd.DataFrame(columns).to_parquet(folder / "evidence")
    run_offers(
        decisions=folder / "decisions", county="A", season="2024", policy=cases[0].policy,
        database=folder / "store.sqlite", offers=folder / "o", queue=folder / "q",
        outcomes=folder / "outcomes", audit=audit,
        parcels=folder / "parcels", evidence=folder / "evidence", absent={},
    )  # fmt: skip


def keep_key(file: Path) -> None:
    file.write_text(KEY)
    file.chmod(0o600)


def heads(folder: Path) -> list[str]:
    with reading(open_database(folder / "store.sqlite")) as connection:
        return list(connection.scalars(sa.select(AUDIT.c.hash).order_by(AUDIT.c.seq)))


def test_every_posting_that_writes_leaves_an_anchor(tmp_path: Path, case: Case) -> None:
    keep_key(tmp_path / "key")
    file = tmp_path / "elsewhere" / "anchors.jsonl"
    audit = AuditSettings(key_file=tmp_path / "key", anchor_file=file)
    run(tmp_path, case, audit=audit)
    run(tmp_path, case, audit=audit)
    run(tmp_path, case, case.model_copy(update={"farmer_id": "F2"}), audit=audit)
    anchors = read_anchors(file)
    assert [anchor.entries for anchor in anchors] == [2, 4]
    assert [anchor.head for anchor in anchors] == [heads(tmp_path)[1], heads(tmp_path)[3]]
    assert all(anchor.is_sealed(LENDER) for anchor in anchors)
    report = verify(open_database(tmp_path / "store.sqlite"), LENDER, anchors)
    assert (report.keyed, report.anchors, report.problems) == ("sealed", 2, ())


def test_an_anchor_that_was_changed_or_made_by_another_is_named(tmp_path: Path, case: Case) -> None:
    keep_key(tmp_path / "key")
    run(tmp_path, case, audit=AuditSettings(key_file=tmp_path / "key"))
    engine = open_database(tmp_path / "store.sqlite")
    file = tmp_path / "anchors"
    add_anchor(file, take_anchor(engine, LENDER))
    held = json.loads(file.read_text())
    file.write_text(json.dumps({**held, "entries": 1, "head": heads(tmp_path)[0]}))
    (problem,) = verify(engine, LENDER, read_anchors(file)).problems
    assert problem == f"the anchor of {held['at']} is not sealed by this key"
    assert verify(engine, Signer("anybody"), read_anchors(file)).problems == ()


def test_a_store_that_is_not_the_anchored_one_is_not_anchored_over(
    tmp_path: Path, case: Case
) -> None:
    file = tmp_path / "anchors"
    for name, farmers in (("long", 3), ("short", 1)):
        folder = tmp_path / name
        folder.mkdir()
        cases = [case.model_copy(update={"farmer_id": f"F{n}"}) for n in range(farmers)]
        if name == "long":
            run(folder, *cases, audit=AuditSettings(anchor_file=file))
            continue
        with pytest.raises(UserError, match=r"has 2 entries, and anchor file .* knew 4"):
            run(folder, *cases, audit=AuditSettings(anchor_file=file))
    assert len(read_anchors(file)) == 1


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "cannot be read"),
        ("", "holds no anchor: make one with `fieldline audit anchor`"),
        ("{}\n", "line 1 is no anchor: '{}'"),
        ('{"entries": "1", "head": "", "at": "", "by": ""}', "line 1 is no anchor"),
        ("nonsense", "line 1 is no anchor: 'nonsense'"),
    ],
)
def test_a_file_that_holds_no_anchor_is_said(
    tmp_path: Path, text: str | None, sentence: str
) -> None:
    file = tmp_path / "anchors"
    if text is not None:
        file.write_text(text)
    with pytest.raises(UserError, match=sentence):
        read_anchors(file)


def test_an_empty_store_has_no_anchor(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "store.sqlite")
    with pytest.raises(UserError, match="no entry yet"):
        take_anchor(engine, LENDER)
