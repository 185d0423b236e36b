"""What becomes of every row of a lender's table at a date."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from fieldline.lending.inputs import APPLICATIONS, LOANS, REGISTRY
from fieldline.lending.rows import (
    ACCOUNTS,
    account_applications,
    account_loans,
    account_registry,
    known_on,
    standing_registry,
)
from fieldline.pipeline.inputs.read import InputTable, Reading, read_input
from fieldline.pipeline.inputs.schema import InputSchema, Problem
from fieldline.pipeline.records.outcomes import outcome_codes
from tests.lending.conftest import AS_OF


def table(folder: Path, schema: InputSchema, text: str) -> InputTable:
    path = folder / "t.csv"
    path.write_text(text, encoding="utf-8")
    return read_input(path, schema, Reading("CNY"))


def codes(problems: list[Problem]) -> dict[int, str]:
    assert len({problem.row for problem in problems}) == len(problems)
    return {problem.row: problem.code.removeprefix("input_") for problem in problems}


LAND = "parcel_id,area_m2,holder_id,crop,recorded_on\n"


def test_every_registry_row_counts_or_is_accounted_for(tmp_path: Path) -> None:
    read = table(
        tmp_path,
        REGISTRY,
        LAND
        + "a,10,F1,maize,2023-01-01\n"  # 1 counts
        + "b,10,F1,maize,2022-01-01\n"  # 2 pushed aside by 3
        + "b,20,F2,maize,2023-01-01\n"  # 3 counts
        + "b,30,F3,maize,2024-10-01\n"  # 4 known too late
        + "c,10,F1,maize,2023-01-01\n"  # 5 and 6 contradict each other
        + "c,10,F2,maize,2023-01-01\n"
        + "c,10,F2,maize,2020-01-01\n"  # 7 nobody can say
        + "d,x,F1,maize,2023-01-01\n"  # 8 cannot be read
        + "d,10,F1,maize,2022-01-01\n"  # 9 nobody can say
        + "e,10,F1,maize,2023-01-01\n"  # 10 said again by 11
        + "e,10,F1,maize,2023-01-01\n"
        + "f,10,F1,orchids?,2023-01-01\n"  # 12 counts without its crop
        + "g,x,F1,maize,2024-11-01\n",  # 13 cannot be read
    )
    assert codes(read.problems) == {
        8: "not_a_number", 12: "crop_unread", 13: "not_a_number",
    }  # fmt: skip
    assert read.bad_rows == {8, 13}
    assert codes(account_registry(read, AS_OF)) == {
        2: "repeated", 4: "after_as_of", 5: "contradicted", 6: "contradicted", 7: "unclear",
        9: "unclear", 10: "repeated",
    }  # fmt: skip
    standing = standing_registry(read, AS_OF)
    assert (standing.counting.index + 1).tolist() == [1, 3, 10, 11, 12]
    assert standing.unclear == {
        "c": Problem(6, "holder_id", "input_contradicted"),
        "d": Problem(8, "area_m2", "input_not_a_number", "x"),
    }


def test_every_application_counts_or_is_accounted_for(tmp_path: Path) -> None:
    row = "{f},{f},3,{asked},0,CNY,0,0,,{day}\n"
    header = (
        "farmer_id,household_id,household_size,requested_amount,annual_debt_service,currency,"
        "prior_loans,prior_late,guarantor_id,applied_on\n"
    )
    rows = [
        ("a", "1", "2024-08-01"), ("a", "2", "2024-09-01"), ("a", "3", "2024-10-01"),
        ("b", "1", "2024-09-01"), ("b", "", "2024-09-01"), ("c", "1", "2024-09-30 23:00"),
        ("", "1", "2024-09-01"), ("1.2E+17", "1", "2024-09-01"), ("1.2E+17", "2", "2024-09-01"),
    ]  # fmt: skip
    text = header + "".join(row.format(f=f, asked=asked, day=day) for f, asked, day in rows)
    read = table(tmp_path, APPLICATIONS, text)
    assert {p.row: p.code for p in read.problems if p.column == "farmer_id"} == {
        7: "input_missing", 8: "input_damaged_id", 9: "input_damaged_id",
    }  # fmt: skip
    assert all(not p.value for p in read.problems if p.column in ("farmer_id", "household_id"))
    assert codes(account_applications(read, AS_OF)) == {
        1: "repeated", 3: "after_as_of", 4: "contradicted", 5: "contradicted",
    }  # fmt: skip


def test_every_loan_teaches_or_is_accounted_for(tmp_path: Path, loans: pd.DataFrame) -> None:
    few = loans.head(4).astype(object)
    few.loc[3, ["due_on", "closed_on"]] = ["2024-09-01", "2024-10-01"]
    other = few.iloc[[1]].assign(defaulted=not few["defaulted"].iloc[1])
    read = table(tmp_path, LOANS, pd.concat([few, few.iloc[[0]], other]).to_csv(index=False))
    assert read.problems == []
    assert codes(account_loans(read, AS_OF)) == {
        1: "repeated", 2: "contradicted", 4: "after_as_of", 6: "contradicted",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("due", "closed", "known"),
    [
        ("2024-06-01", "2024-05-20", "2024-05-20"),
        ("2024-06-01", "2024-07-01", "2024-07-01"),
        ("2024-06-01", "2025-03-01", "2024-08-30"),
        ("2024-06-01", None, "2024-08-30"),
        (None, "2024-05-20", "2024-05-20"),
    ],
)
def test_whether_a_loan_defaulted_is_known_when_it_closed_or_was_90_days_past_due(
    due: str | None, closed: str | None, known: str
) -> None:
    loan = pd.DataFrame({"due_on": pd.to_datetime([due]), "closed_on": pd.to_datetime([closed])})
    assert known_on(loan).tolist() == [pd.Timestamp(known)]


@pytest.mark.parametrize("name", sorted(ACCOUNTS))
def test_a_table_is_declared_for_people_who_never_saw_it(name: str) -> None:
    schema, _ = ACCOUNTS[name]
    assert schema.name == name
    for column in schema.columns:
        assert len(column.description) > 3, column.name
        assert column.unit is not None or column.kind not in ("money", "count"), column.name


def test_codes_of_rows_that_still_count_let_them_go_on() -> None:
    goes_on = ("repeated", "unclear", "after_as_of", "crop_unread", "date_in_force")
    assert {outcome_codes()[f"input_{name}"].effect for name in goes_on} == {"continue"}
    assert outcome_codes()["input_inconsistent"].effect == "stop"
