"""The table of a line's movements and the two commands over it."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fieldline.lending.decision.account import Moved
from fieldline.lending.movements import read_movements
from fieldline.pipeline.records.errors import UserError
from fieldline.workflows.cli import app

HEADER = "on,draw,repay,annual_rate,booked_on,currency\n"
TERMS = ("--limit", "10000", "--rate", "0.09", "--signed-on", "2024-01-01")


def saved(folder: Path, *rows: str) -> Path:
    path = folder / "moved.csv"
    path.write_text(HEADER + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    return path


def test_each_row_is_a_draw_a_repayment_or_a_rate(tmp_path: Path) -> None:
    path = saved(tmp_path, "2024-01-01,3600,,,,", "2024-01-11,,909.50,,2024-01-31,CNY",
                 "2024-01-25,,,0.06,,")  # fmt: skip
    moved, rates = read_movements(path, "CNY")
    assert moved == [
        Moved(dt.date(2024, 1, 1), Decimal(3600)),
        Moved(dt.date(2024, 1, 11), repay=Decimal("909.5"), booked_on=dt.date(2024, 1, 31)),
    ]
    assert rates == ((dt.date(2024, 1, 25), Decimal("0.06")),)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("2024-01-02,5,,,,USD", "row 2, currency 'USD': An amount is in another currency"),
        ("2024-01-02,,,,,", "row 2, draw"),
        ("2024-01-02,5,5,,,", "row 2, draw"),
        ("2024-01-02,five,,,,", "row 2, draw 'five'"),
        ("soon,5,,,,", "row 2, on 'soon'"),
        ("2024-01-02,,-5,,,", "row 2, repay '-5'"),
        ("2024-01-02,,,9,,", "row 2, annual_rate"),
    ],
)
def test_a_row_that_cannot_be_read_stops_the_statement(tmp_path: Path, row: str, said: str) -> None:
    with pytest.raises(UserError) as error:
        read_movements(saved(tmp_path, "2024-01-01,3600,,,,", row), "CNY")
    assert f"moved.csv, {said}" in str(error.value)


def test_a_statement_by_command_is_the_account_by_hand(tmp_path: Path) -> None:
    path = saved(tmp_path, "2024-01-01,3600,,,,", "2024-01-21,,118,,,",
                 "2024-01-11,,909,,2024-01-31,", "2024-01-25,,,0.06,,")  # fmt: skip
    found = CliRunner().invoke(
        app, ["line", "statement", str(path), *TERMS, "--until", "2024-01-31"]
    )
    assert found.exit_code == 0, found.output
    # 3600 x .09 x 10 / 360; 2700 x the same; 2588.75 x (.09 x 4 + .06 x 6) / 360 = 5.1775.
    assert found.output.splitlines()[1:] == [
        "2024-01-01,,3600,0,0,0,3600,6400,0,CNY",
        "2024-01-11,2024-01-31,0,909,9,0,2700,7300,4.07,CNY",
        "2024-01-21,,0,118,6.75,0,2588.75,7411.25,0,CNY",
        "2024-01-31,,0,0,0,5.18,2588.75,7411.25,0,CNY",
    ]


def test_a_statement_that_is_refused_prints_no_table(tmp_path: Path) -> None:
    for path, said in (
        (saved(tmp_path, "2024-01-01,3600,,,,", "2024-01-02,9000,,,,"), "above its limit of 10000"),
        (tmp_path / "none.csv", "none.csv does not exist: correct the path of the table"),
    ):
        found = CliRunner().invoke(
            app, ["line", "statement", str(path), *TERMS, "--until", "2024-01-31"]
        )
        assert found.stdout == ""
        assert said in str(found.exception)


def test_a_quote_by_command_and_what_it_refuses() -> None:
    days = ["--drawn-on", "2024-10-08", "--repaid-on", "2024-12-01"]
    quoted = ["line", "quote", *TERMS[:4], "--amount", "1000", *days]
    found = CliRunner().invoke(app, quoted)
    assert found.output.startswith("interest  13.5 CNY: 54 nights at 0.09 a year, actual/360\n")
    for changes, said in (
        (["--amount", "10001"], "10001 is above the limit of 10000: draw less"),
        (["--basis", "30/360"], "'30/360' is no day basis"),
        (["--rate", ""], "neither an offer nor a limit and a rate"),
        (["--rate", "nine"], "--rate 'nine' is no number"),
        (["--rate", "nan"], "--rate 'nan' is no number"),
        (["--amount", "inf"], "--amount 'inf' is no number"),
        (["--limit", "1.005"], "1.005 is no amount of CNY"),
        (["--drawn-on", "tomorrow"], "--drawn-on 'tomorrow' is no day"),
    ):
        refused = CliRunner().invoke(app, [*quoted, *changes])
        assert isinstance(refused.exception, UserError)
        assert said in str(refused.exception)
