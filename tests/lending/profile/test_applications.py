"""Applications in words: what the applicant reads of a value that cannot be used."""

from __future__ import annotations

import pandas as pd
import pytest

from fieldline.lending.inputs import APPLICATIONS
from fieldline.lending.profile.applications import (
    Application,
    applications_of,
    in_short,
    in_words,
)
from fieldline.lending.settings import PolicySettings
from fieldline.pipeline.inputs.schema import Problem
from fieldline.pipeline.records.outcomes import outcome_codes
from fieldline.pipeline.records.reference import table_rows

POLICY = PolicySettings(household_size_default=3)


@pytest.mark.parametrize(
    ("problem", "english", "chinese"),
    [
        (
            Problem(3, "annual_debt_service", "input_too_many_decimals", "12.000"),
            "the yearly debt service is 12.000 and has more decimals than the currency",
            "年还款额“12.000”的小数位多于该货币",
        ),
        (
            Problem(1, "household_size", "input_not_a_number", "three"),
            "the household size is three and should be a number",
            "家庭人口“three”不是数字",
        ),
        (
            Problem(1, "household_size", "input_missing"),
            "the household size is not stated",
            "未填写家庭人口",
        ),
        (
            Problem(2, "prior_late", "input_inconsistent", "2 of 1"),
            "the number of loans paid late is 2 of 1 and contradicts another value",
            "逾期笔数“2 of 1”与其他内容矛盾",
        ),
        (
            Problem(2, "requested_amount", "input_contradicted"),
            "two applications of the same day differ in the amount asked for",
            "同一天的两份申请中申请金额不一致",
        ),
        (
            Problem(2, "household_id", "input_damaged_id"),
            "the household number was damaged by a spreadsheet",
            "户编号被电子表格损坏",
        ),
        (
            Problem(2, "", "input_extra_cells"),
            "a value holds a mark that separates values",
            "填写内容含有分隔符",
        ),
        (
            Problem(2, "applied_on", "input_not_a_date", "{0} = [<class x>] value=1\n2"),
            "the date of the application is {0} = [<class x>] value=1\n2 and should be a date",
            "申请日期“{0} = [<class x>] value=1\n2”不是日期",
        ),
    ],
)
def test_a_problem_is_told_in_words(problem: Problem, english: str, chinese: str) -> None:
    assert in_words(in_short(problem)) == (english, chinese)


def test_what_an_earlier_version_wrote_is_shown_as_it_was() -> None:
    assert in_words("x=-1") == ("x=-1", "x=-1")
    assert in_words("annual_debt_service=missing") == ("annual_debt_service=missing",) * 2


def test_every_column_and_every_code_of_an_application_has_words() -> None:
    texts = {row["name"] for row in table_rows("application_texts.csv")}
    assert {column.name for column in APPLICATIONS.columns} <= texts
    kinds = {
        "input_missing", "input_not_a_number", "input_ambiguous_number", "input_not_whole",
        "input_out_of_range", "input_too_many_decimals", "input_other_currency",
        "input_not_a_date", "input_ambiguous_date", "input_damaged_id", "input_extra_cells",
        "input_inconsistent", "input_contradicted",
    }  # fmt: skip
    assert texts - {column.name for column in APPLICATIONS.columns} == kinds
    assert kinds <= set(outcome_codes())


def test_a_farmer_without_an_application_is_unknown_and_one_that_is_unusable_keeps_its_home() -> (
    None
):
    row = {
        "household_id": "H1", "household_size": 4.0, "requested_amount": pd.NA,
        "annual_debt_service": 100, "off_farm_income": 0, "prior_loans": 2.0, "prior_late": 1.0,
        "problem": "",
    }  # fmt: skip
    bad = {**row, "household_size": None, "annual_debt_service": pd.NA, "problem": "x=y"}
    table = pd.DataFrame([row, bad], index=["F1", "F2"])
    found = applications_of(["F1", "F2", "F3"], table, POLICY)
    assert found == {
        "F1": Application("H1", 4, None, 100, 0, 2, 1, known=True),
        "F2": Application("H1", 3, known=True, problem="x=y"),
        "F3": Application("F3", 3),
    }
    assert applications_of(["F3"], None, POLICY) == {"F3": found["F3"]}
