from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fieldline.lending.documents.kinds import document_kinds, kind_named
from fieldline.lending.documents.table import DOCUMENTS, account_documents, read_documents
from fieldline.pipeline.inputs.read import Reading, read_input
from fieldline.pipeline.records.settings import PrivacySettings

AS_OF = dt.date(2024, 9, 30)
HEADER = (
    "document_id,kind,farmer_id,parcel_id,counterparty_id,issued_on,valid_from,valid_to,source,"
    "verified_by,verified_on,amount,crop,prior_loans,prior_late"
)
GOOD = {
    "document_id": "L1", "kind": "lease_contract", "farmer_id": "ann", "parcel_id": "a",
    "counterparty_id": "zoe", "issued_on": "2024-01-05", "valid_from": "",
    "valid_to": "2025-12-31", "source": "village", "verified_by": "officer 7",
    "verified_on": "2024-02-01", "amount": "300", "crop": "", "prior_loans": "",
    "prior_late": "",
}  # fmt: skip
KNOWN = {
    "parcel_id": lambda ids: ids.isin(["a", "b"]).to_numpy(dtype=bool),
    "farmer_id": lambda ids: np.array([name in ("ann", "bob", "zoe") for name in ids]),
}


def written(folder: Path, *rows: dict[str, str]) -> Path:
    path = folder / "documents.csv"
    lines = [",".join({**GOOD, **row}.values()) for row in rows]
    path.write_text("\n".join((HEADER, *lines)) + "\n", encoding="utf-8")
    return path


def told(folder: Path, *rows: dict[str, str]) -> list[tuple[int, str, str]]:
    table = read_input(written(folder, *rows), DOCUMENTS, Reading("CNY"))
    problems = [*table.problems, *account_documents(table, AS_OF, KNOWN)]
    return [(problem.row, problem.column, problem.code) for problem in problems]


@pytest.mark.parametrize(
    ("change", "column", "code"),
    [
        ({"kind": "love letter"}, "kind", "document_unknown_kind"),
        ({"parcel_id": ""}, "parcel_id", "input_missing"),
        ({"valid_to": ""}, "valid_to", "input_missing"),
        ({"source": ""}, "source", "input_missing"),
        ({"issued_on": "soon"}, "issued_on", "input_not_a_date"),
        ({"amount": "-5"}, "amount", "input_out_of_range"),
        ({"valid_to": "2023-01-01"}, "valid_to", "input_inconsistent"),
        ({"verified_on": "2024-01-01"}, "verified_on", "input_inconsistent"),
        ({"counterparty_id": "ann"}, "counterparty_id", "document_own_word"),
        ({"verified_by": "ann"}, "verified_by", "document_own_word"),
        ({"kind": "guarantee", "counterparty_id": "ann"}, "counterparty_id", "document_own_word"),
        ({"issued_on": "2024-10-01", "verified_on": ""}, "issued_on", "input_after_as_of"),
        ({"valid_from": "2024-10-01"}, "valid_from", "document_not_begun"),
        ({"valid_to": "2024-09-29"}, "valid_to", "document_expired"),
        ({"verified_by": ""}, "verified_by", "document_unverified"),
        ({"verified_on": "2024-10-01"}, "verified_by", "document_unverified"),
        ({"parcel_id": "elsewhere"}, "parcel_id", "input_unmatched"),
        ({"farmer_id": "nobody"}, "farmer_id", "input_unmatched"),
    ],
)
def test_each_row_that_proves_nothing_has_its_code(
    tmp_path: Path, change: dict[str, str], column: str, code: str
) -> None:
    assert told(tmp_path, {}, {"document_id": "L2", **change}) == [(2, column, code)]


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("field_photo", {"crop": "maize"}),
        ("seed_receipt", {"crop": "maize"}),
        ("village_note", {}),
        ("credit_record", {"prior_loans": "3", "prior_late": "0"}),
        ("income_proof", {}),
    ],
)
def test_a_paper_counts_to_the_greatest_age_of_its_kind_whatever_its_last_day(
    tmp_path: Path, kind: str, change: dict[str, str]
) -> None:
    age = {"field_photo": 240, "seed_receipt": 300}.get(kind, 365)
    rows = {
        days: {
            **change, "kind": kind, "document_id": f"D{days}", "verified_on": "2024-09-30",
            "issued_on": (AS_OF - dt.timedelta(days=days)).isoformat(),
        }
        for days in (age, age + 1, 15 * 365)
    }  # fmt: skip
    assert told(tmp_path, rows[age]) == []
    assert told(tmp_path, rows[age + 1]) == [(1, "issued_on", "document_too_old")]
    assert told(tmp_path, rows[15 * 365]) == [(1, "issued_on", "document_too_old")]
    path = written(tmp_path, *rows.values())
    found = read_documents(
        path, as_of=AS_OF, privacy=PrivacySettings(demo_key=True), reading=Reading("CNY")
    )
    assert len(found) == 1


def test_a_lease_ages_by_its_last_day_alone(tmp_path: Path) -> None:
    assert told(tmp_path, {"issued_on": "2009-01-05"}) == []


def test_the_last_day_of_a_lease_counts_whole(tmp_path: Path) -> None:
    assert told(tmp_path, {"valid_to": "2024-09-30"}) == []


def test_a_paper_twice_counts_once_and_two_that_differ_count_for_nothing(tmp_path: Path) -> None:
    assert told(tmp_path, {}, {}) == [(1, "document_id", "input_repeated")]
    assert told(tmp_path, {}, {"amount": "200"}) == [
        (1, "document_id", "input_contradicted"), (2, "document_id", "input_contradicted"),
    ]  # fmt: skip


def test_what_is_read_is_in_force_and_says_whether_it_proves(tmp_path: Path) -> None:
    oral = {"kind": "tenancy_statement", "verified_by": "", "verified_on": ""}
    path = written(
        tmp_path,
        {"kind": "土地流转合同", "amount": "300.50"},
        {"document_id": "L2", "valid_to": "2024-09-29"},
        {"document_id": "L3", "verified_by": ""},
        {"document_id": "S", **oral},
    )
    found = read_documents(
        path, as_of=AS_OF, privacy=PrivacySettings(demo_key=True), reading=Reading("CNY")
    )
    assert found[["kind", "verified"]].to_numpy().tolist() == [
        ["lease_contract", True], ["lease_contract", False], ["tenancy_statement", True],
    ]  # fmt: skip
    assert found["amount"].iloc[0] == 30_050
    assert "ann" not in set(found["farmer_id"])
    assert "zoe" not in set(found["counterparty_id"])


@pytest.mark.parametrize("kind", document_kinds().values(), ids=lambda kind: kind.kind)
def test_a_kind_is_found_by_all_of_its_names_and_needs_columns_of_the_table(kind: Any) -> None:
    names = {kind_named(name) for name in (kind.kind, kind.english, kind.chinese, *kind.names)}
    assert names == {kind.kind}
    columns = {column.name for column in DOCUMENTS.columns}
    assert columns.issuperset(kind.needs)
    assert kind.needs
