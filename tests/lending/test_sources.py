"""The lender's files as offices save them: right values, people by pseudonym, one bad row alone."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fieldline.lending.inputs import APPLICATIONS, LOANS
from fieldline.lending.risk.features import of_loans
from fieldline.lending.settings import PolicySettings
from fieldline.lending.sources import (
    keep_application,
    read_applications,
    read_loans,
    read_registry,
    with_applied,
)
from fieldline.pipeline.inputs.read import Reading
from fieldline.pipeline.records.errors import UserError
from tests.lending.conftest import AS_OF, PRIVACY, pseudonym

APPLIED = (
    "farmer_id,household_id,household_size,requested_amount,annual_debt_service,currency,"
    "prior_loans,prior_late,guarantor_id,applied_on\n"
)
ONE = "F{i},户{i},3,12000,500,CNY,1,0,,{day}\n"


def applications(path: Path, currency: str = "CNY", **columns: str) -> pd.DataFrame:
    reading = Reading(currency, columns, "inputs")
    return read_applications(path, as_of=AS_OF, privacy=PRIVACY, reading=reading)


def registry(path: Path, **columns: str) -> pd.DataFrame:
    return read_registry(path, as_of=AS_OF, privacy=PRIVACY, reading=Reading("CNY", columns))


def saved(folder: Path, text: str, encoding: str = "utf-8", name: str = "a.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def three(day: str) -> str:
    return APPLIED + "".join(ONE.format(i=i, day=day) for i in range(3))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-le"])
@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_applications_are_read_in_every_encoding_and_separator(
    tmp_path: Path, encoding: str, mark: str
) -> None:
    found = applications(saved(tmp_path, three("2024-09-01").replace(",", mark), encoding))
    assert found.index.tolist() == [pseudonym(f"F{i}") for i in range(3)]
    assert found["annual_debt_service"].tolist() == [50_000] * 3
    assert found["requested_amount"].tolist() == [1_200_000] * 3
    assert found["household_id"].nunique() == 3
    assert found["problem"].tolist() == [""] * 3


@pytest.mark.parametrize(
    ("written", "counts"),
    [
        ("2024-09-30 16:20:00", True),
        ("2024-09-30T23:59:59+08:00", True),
        ("2024/9/30 9:00", True),
        ("30.09.2024", True),
        ("2024年9月30日", True),
        ("20240930", True),
        ("2024-10-01 00:00:00", False),
        ("2024/10/1", False),
    ],
)
def test_the_as_of_day_counts_whole(tmp_path: Path, written: str, counts: bool) -> None:
    assert len(applications(saved(tmp_path, three(written)))) == 3 * counts


def test_an_empty_file_is_one_sentence(tmp_path: Path) -> None:
    path = saved(tmp_path, "")
    with pytest.raises(UserError, match=r"a\.csv is empty: export it again with a header line"):
        applications(path)
    with pytest.raises(UserError, match=r"a\.csv holds no row below its header"):
        applications(saved(tmp_path, APPLIED))


CLEAN = APPLIED + "00123,H1,3,12345.50,1234.50,{c},2,1,00007,2024-04-21\n"


@pytest.mark.parametrize(
    ("currency", "text", "encoding"),
    [
        (
            "CNY",
            "农户编号\t户号\t家庭人口（人）\t申请金额（万元）\t年还款额(元/年)\t币种\t贷款次数\t逾期次数\t担保人\t申请日期\n"
            '="00123"\t H1 \t３人\t1.23455\t1234.50元\t人民币\t2笔\t1\t\'00007\t2024/4/21\n',
            "gb18030",
        ),
        (
            "EUR",
            "Kundennummer;Haushalt;Personen;Antragssumme;jährlicher Schuldendienst;Währung;"
            "Vorkredite;verspätete Kredite;Bürge;Antragsdatum\n"
            '\'00123;H1;3;12.345,50;1.234,50 €;€;2;1;="00007";21.04.2024\n',
            "cp1252",
        ),
    ],
)
def test_an_office_in_china_and_one_in_germany_give_the_rows_of_their_clean_twin(
    tmp_path: Path, currency: str, text: str, encoding: str
) -> None:
    found = applications(saved(tmp_path, text, encoding), currency)
    clean = applications(saved(tmp_path, CLEAN.replace("{c}", currency), name="b.csv"), currency)
    assert found["problem"].tolist() == [""]
    assert clean["requested_amount"].tolist() == [1_234_550]
    pd.testing.assert_frame_equal(found, clean)


def test_a_thousand_with_a_point_is_no_dozen(tmp_path: Path) -> None:
    text = APPLIED + (
        "F0,H0,3,30.000,12.000,EUR,0,0,,2024-09-01\n"
        "F1,H1,3,30000.00,12000.00,EUR,0,0,,2024-09-01\n"
        "F2,H2,three,30000,0,EUR,0,0,,2024-09-01\n"
    )
    found = applications(saved(tmp_path, text), "EUR")["problem"]
    assert found[pseudonym("F0")].endswith("_amount=input_too_many_decimals value=30.000")
    assert found[pseudonym("F1")] == ""
    assert found[pseudonym("F2")] == "household_size=input_not_a_number value=three"


def test_ids_that_a_spreadsheet_damaged_make_nobody_one_farmer(tmp_path: Path) -> None:
    rows = "".join(ONE.format(i=f"{i}", day="2024-09-01") for i in range(2))
    damaged = "".join(f"3.41122E+17,H{i},3,,0,CNY,0,0,,2024-09-01\n" for i in range(3))
    found = applications(saved(tmp_path, APPLIED + damaged + rows))
    assert sorted(found.index) == sorted(pseudonym(f"F{i}") for i in range(2))


def test_no_raw_reference_to_a_person_is_handed_on(tmp_path: Path) -> None:
    bad = "Wang-7,House-7,3,,x,CNY,0,0,Li-7,2024-09-01\n"
    good = "Wang-8,House-8,3,,0,CNY,0,0,Li-8,2024-09-01\n"
    found = applications(saved(tmp_path, APPLIED + bad + good)).reset_index()
    for column in _PEOPLE:
        assert not found[column].str.contains("Wang|House|Li").any(), column
    assert found["guarantor_id"].tolist() == [pseudonym("Li-8"), pseudonym("Li-7")]


_PEOPLE = ["farmer_id", "household_id", "guarantor_id", "problem"]


def test_a_farmers_newest_application_counts(tmp_path: Path) -> None:
    text = APPLIED + (
        "F0,H0,3,,900,CNY,0,0,,2024-05-01\n"
        "F0,H0,3,,100,CNY,0,0,,2024-09-01\n"
        "F0,H0,3,,500,CNY,0,0,,2024-07-01\n"
    )
    assert applications(saved(tmp_path, text))["annual_debt_service"].tolist() == [10_000]


@pytest.mark.parametrize(
    ("newest", "problem"),
    [
        ("F0,H0,3,,x,CNY,0,0,,2024-09-01", "annual_debt_service=input_not_a_number value=x"),
        ("F0,H0,3,,5,CNY,0,0,,soon", "applied_on=input_not_a_date value=soon"),
        ("F0,H0,3,,5,CNY,0,0,,", "applied_on=input_missing"),
        ("F0,H0,3,,5,CNY,0,0,,2024-08-01", "annual_debt_service=input_contradicted"),
    ],
)
def test_no_older_application_replaces_a_newest_that_cannot_be_used(
    tmp_path: Path, newest: str, problem: str
) -> None:
    older = "F0,H0,3,,900,CNY,0,0,,2024-08-01\n"
    for rows in (older + newest + "\n", newest + "\n" + older):
        found = applications(saved(tmp_path, APPLIED + rows))
        assert found["problem"].tolist() == [problem]


def test_the_same_application_twice_is_one(tmp_path: Path) -> None:
    row = ONE.format(i=1, day="2024-09-01")
    found = applications(saved(tmp_path, APPLIED + row + row))
    assert found["problem"].tolist() == [""]


LAND = "parcel_id,area_m2,holder_id,crop,recorded_on\n"


def test_one_area_of_a_thousand_that_is_none_stops_nobody(tmp_path: Path) -> None:
    rows = [f"P{i},{'-' if i == 500 else 2600},F{i},maize,2023-05-01\n" for i in range(1000)]
    found = registry(saved(tmp_path, LAND + "".join(rows)))
    assert len(found) == 1000
    assert np.isnan(found.loc["P500", "area_m2"])
    assert found.loc["P500", "holder_id"] == pseudonym("F500")
    assert found["area_m2"].sum() == 999 * 2600
    assert not found["unclear"].any()


@pytest.mark.parametrize("day", ["2024-10-01", "2031-01-01"])
def test_what_the_registry_records_after_the_as_of_date_changes_nothing(
    tmp_path: Path, day: str
) -> None:
    known = "P1,2600,F1,maize,2023-05-01\nP2,3000,F2,rice,2024-09-30\n"
    planted = (
        f"P1,99999,F9,rice,{day}\n"  # another area, holder and crop
        f"P2,broken,F2,rice,{day}\n"  # a later row that cannot be read
        f"P3,2600,F3,maize,{day}\n"  # land that nobody knew of
    )
    before = registry(saved(tmp_path, LAND + known))
    after = registry(saved(tmp_path, LAND + planted + known))
    pd.testing.assert_frame_equal(before, after)
    assert after.index.tolist() == ["P1", "P2"]
    assert after["area_m2"].tolist() == [2600, 3000]
    assert after.loc["P1", "holder_id"] == pseudonym("F1")


def test_the_registry_of_the_as_of_date_itself_counts(tmp_path: Path) -> None:
    rows = "P1,2600,F1,maize,2023-05-01\nP1,3000,F2,rice,2024-09-30\n"
    found = registry(saved(tmp_path, LAND + rows))
    assert found.loc["P1", "area_m2"] == 3000
    assert found.loc["P1", "holder_id"] == pseudonym("F2")


def test_a_registry_from_an_office_in_china(tmp_path: Path) -> None:
    text = "地块编码,面积（亩）,承包方编码,作物,登记日期\n" + (
        " P1 ,3.9,F1,玉米,2023/5/1\n"
        '="P2",３．９亩,\'F2,旱地,2023年5月1日\n'
        "P3,2600平方米,F3,,2023.5.1\n"
    )
    found = registry(saved(tmp_path, text, "gb18030"))
    assert found.index.tolist() == ["P1", "P2", "P3"]
    assert found["area_m2"].tolist() == pytest.approx([2600, 2600, 2600])
    assert found["crop"].fillna("").tolist() == ["maize", "", ""]
    assert found["holder_id"].tolist() == [pseudonym(f"F{i}") for i in (1, 2, 3)]
    assert set(found["recorded_on"].dt.date) == {dt.date(2023, 5, 1)}


def test_a_registry_by_the_lenders_own_names(tmp_path: Path) -> None:
    text = "a;b;c;d\nP1;3,9;F1;01.05.2023\n"
    path = saved(tmp_path, text)
    found = registry(path, parcel_id="a", area_mu="b", holder_id="c", recorded_on="d")
    assert found["area_m2"].tolist() == pytest.approx([2600])


def test_a_registry_row_of_no_day_leaves_its_parcel_to_a_person(tmp_path: Path) -> None:
    rows = "P1,2600,F1,maize,2023-05-01\nP2,2600,F2,maize,1899-12-30\nP3,2600,F3,maize,长期\n"
    found = registry(saved(tmp_path, LAND + rows))
    assert found["unclear"].to_dict() == {"P1": False, "P2": True, "P3": True}
    assert found.loc["P1", "area_m2"] == 2600


@pytest.mark.parametrize(
    ("rows", "area", "holder", "crop", "unclear"),
    [
        ("P1,2600,F1,maize,2024-09-30 09:00:00\n", 2600, "F1", "maize", False),
        ("P1,1,F1,maize,2020-01-01\nP1,2,F2,rice,2021-01-01\n", 2, "F2", "rice", False),
        ("P1,2,F2,rice,2021-01-01\nP1,3,F3,rice,2025-01-01\n", 2, "F2", "rice", False),
        ("P1,2,F2,rice,2021-01-01\nP1,2,F3,rice,2021-01-01\n", None, None, None, True),
        ("P1,2,F2,rice,2021-01-01\nP1,9,F2,rice,2021-01-01\n", None, None, None, True),
        ("P1,2,F2,rice,2021-01-01\nP1,,,rice,2021-01-01\n", 2, "F2", "rice", False),
        ("P1,2,F2,rice,2021-01-01\nP1,2,F2,maize,2021-01-01\n", 2, "F2", None, False),
        ("P1,x,F2,rice,2021-01-01\nP1,2,F2,rice,2022-01-01\n", 2, "F2", "rice", False),
        ("P1,x,F2,rice,2023-01-01\nP1,2,F2,rice,2022-01-01\n", None, None, None, True),
    ],
)
def test_which_registry_row_counts(
    tmp_path: Path, rows: str, area: float | None, holder: str | None, crop: str | None,
    unclear: bool,
) -> None:  # fmt: skip
    found = registry(saved(tmp_path, LAND + rows)).loc["P1"]
    wanted = {
        "area_m2": area, "holder_id": holder and pseudonym(holder), "crop": crop,
        "unclear": unclear,
    }  # fmt: skip
    assert {k: None if pd.isna(found[k]) else found[k] for k in wanted} == wanted


def loan_file(folder: Path, loans: pd.DataFrame, **changes: Any) -> Path:
    path = folder / "loans.csv"
    loans.assign(**changes).to_csv(path, index=False)
    return path


def loans_of(path: Path) -> pd.DataFrame:
    return read_loans(path, as_of=AS_OF, reading=Reading("CNY"))


def test_amounts_of_loans_reach_the_model_as_they_stand_in_the_file(
    tmp_path: Path, loans: pd.DataFrame
) -> None:
    money = [column.name for column in LOANS.columns if column.kind == "money"]
    given = loans.head(300).round(dict.fromkeys(money, 2)).assign(off_farm_income=1234.56)
    read = loans_of(loan_file(tmp_path, given))
    policy = PolicySettings()
    pd.testing.assert_frame_equal(of_loans(read, policy), of_loans(given, policy), check_exact=True)


def test_each_borrower_without_a_household_is_one(tmp_path: Path, loans: pd.DataFrame) -> None:
    few = loans.head(4).assign(
        household_id=[None, None, None, "H9"], farmer_id=["P1", "P1", None, "P4"]
    )
    found = loans_of(loan_file(tmp_path, few))["household_id"].tolist()
    assert found[0] == found[1]
    assert len(set(found)) == 3
    assert found[3] == "H9"


@pytest.mark.parametrize(
    "change",
    [
        {"currency": "EUR"}, {"defaulted": "maybe"}, {"defaulted": None}, {"principal": 0},
        {"due_on": "2021-12-31"}, {"closed_on": "2021-12-31"}, {"stability": 1.5},
        {"closed_on": None, "due_on": None}, {"prior_late": 9, "prior_loans": 1},
        {"debt_service": "12.000"}, {"hazard_index": 101}, {"income_q50": "inf"},
        {"closed_on": "2024-10-01", "due_on": "2024-09-01"},
    ],
)  # fmt: skip
def test_a_loan_that_cannot_be_right_teaches_nothing_alone(
    tmp_path: Path, loans: pd.DataFrame, change: dict[str, Any]
) -> None:
    few = loans.head(5).astype(object)
    for column, value in change.items():
        few.loc[2, column] = value
    found = loans_of(loan_file(tmp_path, few))
    assert found["loan_id"].tolist() == ["L00000", "L00001", "L00003", "L00004"]


def test_a_loan_still_open_is_known_when_it_is_90_days_past_due(
    tmp_path: Path, loans: pd.DataFrame
) -> None:
    due = ["2024-07-02", "2024-07-03", "2024-09-30"]
    few = loans.head(3).assign(closed_on=None, due_on=due, season=None)
    found = loans_of(loan_file(tmp_path, few))
    assert found["ended_on"].dt.date.tolist() == [dt.date(2024, 7, 2)]
    assert found["season"].tolist() == ["2024"]


def test_the_same_loan_twice_counts_once_and_a_loan_that_differs_never(
    tmp_path: Path, loans: pd.DataFrame
) -> None:
    few = loans.head(3)
    other = few.iloc[[1]].assign(defaulted=~few["defaulted"].iloc[1])
    found = loans_of(loan_file(tmp_path, pd.concat([few, few.iloc[[0]], other])))
    assert found["loan_id"].tolist() == ["L00000", "L00002"]


def test_what_a_blank_may_not_hide_is_needed() -> None:
    """Of what an application states, only a request, off-farm income and a household may lack."""
    blank = [c.name for c in APPLICATIONS.columns if not c.needed]
    assert blank == ["household_id", "requested_amount", "off_farm_income", "guarantor_id"]


def test_who_applied_one_by_one_stands_for_the_tables_row_and_the_last_of_two_counts(
    tmp_path: Path,
) -> None:
    filed = applications(saved(tmp_path, three("2024-09-01")))
    first, last = tmp_path / "first.parquet", tmp_path / "last.parquet"
    for path, asked in ((first, 500), (last, 700)):
        row = f"F1,,2,{asked},0,CNY,0,0,,2024-09-30\n"
        keep_application(
            applications(saved(tmp_path, APPLIED + row, name="one.csv")), pseudonym("F1"), path
        )
    found = with_applied(filed, [first, last])
    assert found is not None
    assert found["requested_amount"].to_dict() == {
        pseudonym("F0"): 1_200_000, pseudonym("F2"): 1_200_000, pseudonym("F1"): 70_000,
    }  # fmt: skip
    assert found.columns.tolist() == filed.columns.tolist()
    alone = with_applied(None, [first])
    assert alone is not None
    assert alone["requested_amount"].tolist() == [50_000]
    assert with_applied(filed, []) is filed
