"""How the loans of a lender's own book ended, by hand-worked rows and by asking day by day."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fieldline.lending.risk.loan_book import LoanBook, read_loan_book, records_before
from fieldline.pipeline.inputs.read import Reading
from fieldline.pipeline.records.errors import UserError

TODAY = dt.date(2025, 6, 30)


def read(folder: Path, text: str, until: dt.date | None = dt.date(2024, 12, 31)) -> LoanBook:
    path = folder / "book.csv"
    path.write_text(text, encoding="utf-8")
    return read_loan_book(path, Reading("CNY"), today=TODAY, until=until)


def endings(book: LoanBook) -> dict[str, bool | None]:
    told = book.loans.set_index("loan_id")["defaulted"]
    return {str(name): None if pd.isna(value) else bool(value) for name, value in told.items()}


def test_default_is_told_by_the_day_of_closing(tmp_path: Path) -> None:
    # Due 1 March 2024: 30 May is the 90th day past due.
    book = read(
        tmp_path,
        "loan_id,farmer_id,disbursed_on,due_on,closed_on\n"
        "early,F1,2023-05-01,2024-03-01,2024-02-01\n"
        "day89,F1,2023-05-01,2024-03-01,2024-05-29\n"
        "day90,F1,2023-05-01,2024-03-01,2024-05-30\n"
        "never,F1,2023-05-01,2024-03-01,\n",
    )
    assert endings(book) == {"early": False, "day89": False, "day90": True, "never": True}


def test_default_is_told_by_days_past_due_where_no_closing_is_told(tmp_path: Path) -> None:
    book = read(
        tmp_path,
        "借据号,农户编号,放款日期,到期日,逾期天数\n"
        "a,F1,2023-05-01,2024-03-01,0\nb,F1,2023-05-01,2024-03-01,89\n"
        "c,F1,2023-05-01,2024-03-01,90\nd,F1,2023-05-01,2024-03-01,\n",
    )
    assert endings(book) == {"a": False, "b": False, "c": True, "d": None}


def test_default_is_told_by_a_status_in_three_languages(tmp_path: Path) -> None:
    book = read(
        tmp_path,
        "Kreditnummer;farmer_id;Auszahlungsdatum;fällig am;Kreditstatus;Status seit\n"
        "a;F1;01.05.2023;13.03.2024;getilgt;14.03.2024\n"
        "b;F1;01.05.2023;13.03.2024;abgeschrieben;\n"
        "c;F1;01.05.2023;13.03.2024;settled;13.09.2024\n"
        "d;F1;01.05.2023;13.03.2024;逾期;13.04.2024\n"
        "e;F1;01.05.2023;13.03.2024;正常;\n"
        "f;F1;01.05.2023;13.03.2024;bezahlt;\n"
        "g;F1;01.05.2023;13.03.2024;Mondphase;\n",
    )
    assert endings(book) == {"a": False, "b": True, "c": True, "d": True, "e": None, "f": None}
    assert [(p.row, p.code, p.value) for p in book.problems] == [
        (7, "loan_status_unread", "Mondphase")
    ]


def test_an_open_loan_whose_days_past_due_deny_it_says_nothing(tmp_path: Path) -> None:
    book = read(
        tmp_path,
        "loan_id,farmer_id,disbursed_on,due_on,closed_on,days_past_due\n"
        "a,F1,2023-05-01,2024-03-01,,3\nb,F1,2023-05-01,2024-03-01,2024-03-04,0\n"
        "c,F1,2023-05-01,2024-03-01,2024-02-01,120\n",
    )
    assert endings(book) == {"a": None, "b": False, "c": True}


def test_a_loan_is_mature_90_days_after_it_fell_due_and_not_a_day_earlier(tmp_path: Path) -> None:
    text = (
        "loan_id,farmer_id,disbursed_on,due_on,closed_on\n"
        "a,F1,2023-05-01,2024-10-02,2024-06-01\nb,F1,2023-05-01,2024-10-03,2024-06-01\n"
    )
    mature = read(tmp_path, text).loans.set_index("loan_id")["mature"]
    assert mature.to_dict() == {"a": True, "b": False}
    # Without the day of writing, the last day that it tells of stands for it: 1 June.
    book = read(tmp_path, text, until=None)
    assert book.until == dt.date(2024, 6, 1)
    assert not book.loans["mature"].any()


def test_rows_that_cannot_be_right_are_coded_and_the_others_go_on(tmp_path: Path) -> None:
    book = read(
        tmp_path,
        "loan_id,farmer_id,disbursed_on,due_on,closed_on,principal,status\n"
        "a,F1,2023-05-01,2024-03-01,2024-02-01,5000,paid\n"
        "a,F1,2023-05-01,2024-03-01,2024-02-01,5000,paid\n"
        "b,F1,2023-05-01,2024-03-01,2024-02-01,5000,paid\n"
        "b,F1,2023-05-01,2024-03-01,2024-02-09,5000,paid\n"
        "c,F1,2024-05-01,2024-03-01,,5000,\n"
        "d,F1,2023-05-01,2024-03-01,2035-02-01,5000,paid\n"
        "e,,2023-05-01,2024-03-01,2024-02-01,5000,paid\n"
        "f,F1,2023-05-01,2024-03-01,2024-02-01,0,paid\n"
        "g,F1,31/31/2023,2024-03-01,2024-02-01,5000,paid\n"
        ",F1,2023-05-01,2024-03-01,2024-02-01,5000,paid\n"
        "h,F1,2023-05-01,2024-03-01,2024-02-01,5000,open\n",
    )
    assert [(p.row, p.column, p.code) for p in book.problems] == [
        (1, "loan_id", "input_repeated"),
        (3, "loan_id", "input_contradicted"),
        (4, "loan_id", "input_contradicted"),
        (5, "due_on", "input_inconsistent"),
        (6, "closed_on", "loan_date_ahead"),
        (7, "farmer_id", "input_missing"),
        (8, "principal", "input_out_of_range"),
        (9, "disbursed_on", "input_not_a_date"),
        (10, "loan_id", "input_missing"),
        (11, "status", "input_inconsistent"),
    ]
    assert book.loans["loan_id"].tolist() == ["a"]


def test_a_book_without_any_loan_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"book.csv holds no loan that can be read: row 1, due_on"):
        read(tmp_path, "loan_id,farmer_id,disbursed_on,due_on\na,F1,2024-05-01,2024-03-01\n")


def random_book(rng: np.random.Generator, count: int) -> str:
    """Draw loans of a few borrowers with whichever cells filled."""
    lines = ["loan_id,farmer_id,disbursed_on,due_on,closed_on"]
    for number in range(count):
        paid = dt.date(2021, 1, 1) + dt.timedelta(days=int(rng.integers(0, 900)))
        due = paid + dt.timedelta(days=int(rng.integers(30, 366)))
        closed = due + dt.timedelta(days=int(rng.integers(-25, 150)))
        cells = (
            f"L{number}",
            f"F{rng.integers(0, 6)}",
            paid,
            due,
            "" if rng.random() < 0.1 else closed,
        )
        lines.append(",".join(map(str, cells)))
    return "\n".join(lines) + "\n"


def record_by_hand(
    loans: pd.DataFrame, borrower: str, loan: str, day: pd.Timestamp
) -> tuple[int, int]:
    """Look at each other loan of a borrower as somebody would on that day."""
    ended = late = 0
    for other in loans.to_dict("records"):
        if other["farmer_id"] != borrower or other["loan_id"] == loan:
            continue
        closed = pd.notna(other["closed_on"]) and other["closed_on"] <= day
        past_due = (day - other["due_on"]).days >= 90
        if closed or past_due:
            ended += 1
            late += bool(past_due and not closed) or bool(
                closed and other["closed_on"] > other["due_on"]
            )
    return ended, late


def test_earlier_loans_count_as_somebody_saw_them_on_the_day(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    book = read(tmp_path, random_book(rng, 150))
    days = book.loans["disbursed_on"] - pd.to_timedelta(rng.integers(0, 40, 150), unit="D")
    found = records_before(book.loans, days)
    asked = zip(book.loans.index, book.loans["farmer_id"], book.loans["loan_id"], days, strict=True)
    for row, borrower, loan, day in asked:
        assert tuple(found.loc[row]) == record_by_hand(book.loans, borrower, loan, day)
    assert found["prior_late"].sum() > 50


def test_what_a_book_says_of_later_days_changes_no_earlier_record(tmp_path: Path) -> None:
    text = (
        "loan_id,farmer_id,disbursed_on,due_on,closed_on\n"
        "a,F1,2022-05-01,2023-03-01,2023-09-01\nb,F1,2023-05-01,2024-03-01,2024-02-01\n"
    )
    later = text.replace("2023-09-01", "2023-06-15")
    day = pd.Series({0: pd.NaT, 1: pd.Timestamp("2023-05-01")})
    # On 1 May 2023 loan a was 61 days past due and open: nobody knew how it would end.
    for version in (text, later):
        assert tuple(records_before(read(tmp_path, version).loans, day).loc[1]) == (0, 0)
    june = pd.Series({0: pd.NaT, 1: pd.Timestamp("2023-06-20")})
    for version in (text, later):
        assert tuple(records_before(read(tmp_path, version).loans, june).loc[1]) == (1, 1)
