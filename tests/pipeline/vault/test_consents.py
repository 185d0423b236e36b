"""Consents: in force or not on a day, told by walking the days of each story."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldline.pipeline.inputs.read import InputTable, read_input
from fieldline.pipeline.records.outcomes import outcome_codes
from fieldline.pipeline.vault.consents import (
    CONSENTS,
    Answer,
    Request,
    Told,
    judge,
    kinds_of,
    new_consent,
    withdrawals,
)

HEADER = "farmer_id,purpose,data,recipient,given_on,expires_on,withdrawn_on\n"
BOTH = frozenset({"identity", "offer"})
DAY = dt.date(2024, 6, 15)


def table(tmp_path: Path, *rows: str, header: str = HEADER) -> InputTable:
    path = tmp_path / "consents.csv"
    path.write_text(header + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    return read_input(path, CONSENTS)


def asked(tmp_path: Path, *rows: str, on: dt.date = DAY, data: frozenset[str] = BOTH) -> Answer:
    request = Request("credit offer", "Rural Bank", data, on)
    somebody = "6,credit offer,offer,Rural Bank,2024-01-01,,"
    answers = judge(table(tmp_path, somebody, *rows), request, lambda ref: f"F-{ref}")
    return answers.get("F-7", Answer("consent_absent"))


def row(given_on: str = "2024-05-01", expires: str = "", withdrawn: str = "", **other: str) -> str:
    purpose = other.get("purpose", "credit offer")
    data, recipient = other.get("data", "identity; offer"), other.get("recipient", "Rural Bank")
    return f"7,{purpose},{data},{recipient},{given_on},{expires},{withdrawn}"


@pytest.mark.parametrize(
    ("rows", "outcome", "day"),
    [
        ([row()], "ok", "2024-05-01"),
        ([], "consent_absent", None),
        ([row(purpose="marketing")], "consent_absent", None),
        ([row(recipient="Other Bank")], "consent_absent", None),
        ([row(purpose=" Credit  OFFER", recipient="rural bank")], "ok", "2024-05-01"),
        ([row("2024-06-15")], "ok", "2024-06-15"),
        ([row("2024-06-16")], "consent_not_yet", "2024-06-16"),
        ([row(expires="2024-06-15")], "ok", "2024-05-01"),
        ([row(expires="2024-06-14")], "consent_expired", "2024-06-14"),
        ([row(withdrawn="2024-06-16")], "ok", "2024-05-01"),
        ([row(withdrawn="2024-06-15")], "consent_withdrawn", "2024-06-15"),
        ([row(withdrawn="2024-06-01", expires="2024-06-10")], "consent_withdrawn", "2024-06-01"),
        ([row(data="offer")], "consent_other_data", None),
        ([row(data="offer"), row(data="identity")], "consent_other_data", None),
        ([row(data="身份信息、授信结果")], "ok", "2024-05-01"),
        ([row(expires="2024-06-01"), row("2024-06-02")], "ok", "2024-06-02"),
        # A withdrawal ends the twin that was typed twice, and older ones; not a newer consent.
        ([row(), row(withdrawn="2024-06-01")], "consent_withdrawn", "2024-06-01"),
        ([row("2024-04-01"), row(withdrawn="2024-06-01")], "consent_withdrawn", "2024-06-01"),
        ([row(withdrawn="2024-06-01"), row("2024-06-02")], "ok", "2024-06-02"),
        ([row(), row(withdrawn="2024-06-01", purpose="marketing")], "ok", "2024-05-01"),
        # A row that cannot be read may be a withdrawal.
        ([row(), row(withdrawn="yesterday")], "consent_unclear", None),
        ([row(), row("soon")], "consent_unclear", None),
        ([row(), row(withdrawn="2024-04-01")], "consent_unclear", None),
        ([row(), row(data="everything")], "consent_unclear", None),
    ],
)
def test_a_story_has_its_outcome(
    tmp_path: Path, rows: list[str], outcome: str, day: str | None
) -> None:
    found = asked(tmp_path, *rows)
    assert found == Answer(outcome, dt.date.fromisoformat(day) if day else None)
    assert outcome == "ok" or outcome_codes()[outcome].effect == "stop"


def test_another_farmer_s_bad_row_stops_nobody_else(tmp_path: Path) -> None:
    other = "8,credit offer,identity; offer,Rural Bank,soon,,"
    assert asked(tmp_path, row(), other).outcome == "ok"


def test_less_data_needs_less_consent(tmp_path: Path) -> None:
    only = frozenset({"offer"})
    assert asked(tmp_path, row(data="offer"), data=only).outcome == "ok"
    assert asked(tmp_path, row(data="identity"), data=only).outcome == "consent_other_data"


DAYS = st.integers(0, 12)
STORY = st.lists(st.tuples(DAYS, st.none() | DAYS, st.none() | DAYS), max_size=3)


def day(number: int) -> dt.date:
    return dt.date(2024, 1, 1) + dt.timedelta(days=number)


def allowed(story: list[tuple[int, int | None, int | None]], on: int) -> bool:
    """Walk the days: each opens the consents given, then closes those that end or are withdrawn."""
    open_rows: set[int] = set()
    for today in range(on + 1):
        open_rows |= {i for i, (begin, _, _) in enumerate(story) if begin == today}
        open_rows -= {
            i for i, (_, last, _) in enumerate(story) if last is not None and last < today
        }
        if any(stop == today for _, _, stop in story):
            open_rows -= {i for i, (begin, _, _) in enumerate(story) if begin <= today}
    return bool(open_rows)


@settings(max_examples=150)
@given(STORY, DAYS)
def test_in_force_is_what_walking_the_days_finds(
    tmp_path_factory: pytest.TempPathFactory,
    story: list[tuple[int, int | None, int | None]],
    on: int,
) -> None:
    # Rows that end before they begin are refused, which is another test's.
    story = [(b, e if e is None or e >= b else None, w if w is None or w >= b else None)
             for b, e, w in story]  # fmt: skip
    text = [
        row(str(day(b)), "" if e is None else str(day(e)), "" if w is None else str(day(w)))
        for b, e, w in story
    ]
    found = asked(tmp_path_factory.mktemp("story"), *text, on=day(on))
    assert (found.outcome == "ok") == allowed(story, on)


@pytest.mark.parametrize(
    ("cell", "kinds"),
    [
        ("identity", {"identity"}), ("Offer", {"offer"}), ("identity;offer", {"identity", "offer"}),
        ("身份，额度", {"identity", "offer"}), ("offers", set()), ("", set()), (";;", set()),
    ],
)  # fmt: skip
def test_kinds_of_data_are_words_and_no_parts_of_words(cell: str, kinds: set[str]) -> None:
    assert kinds_of(cell) == kinds


def test_chinese_headers_are_read(tmp_path: Path) -> None:
    header = "农户编号,授权用途,授权内容,被授权方,授权日期,授权到期日,撤回日期\n"
    read = table(tmp_path, "7,credit offer,身份；额度,Rural Bank,2024/5/1,,", header=header)
    assert not read.problems
    assert read.frame["given_on"].iloc[0].date() == dt.date(2024, 5, 1)


def test_a_new_consent_is_one_given_since_and_in_force(tmp_path: Path) -> None:
    read = table(tmp_path, row("2024-05-01"), row("2024-06-03"), row("2024-06-20"),
                 row("2024-06-05", expires="2024-06-06"))  # fmt: skip

    def newest(since: str) -> dt.date | None:
        return new_consent(read, "F-7", dt.date.fromisoformat(since), DAY, lambda ref: f"F-{ref}")

    assert newest("2024-01-01") == dt.date(2024, 6, 3)
    assert newest("2024-06-03") == dt.date(2024, 6, 3)
    assert newest("2024-06-04") is None
    assert new_consent(read, "F-8", dt.date(2024, 1, 1), DAY, lambda ref: f"F-{ref}") is None


def told(given_on: str = "2024-05-01", **days: str) -> Told:
    return Told(
        "F-7", "credit offer", "identity; offer", "Rural Bank", dt.date.fromisoformat(given_on),
        **{name: dt.date.fromisoformat(day) for name, day in days.items()},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "further", "outcome", "day"),
    [
        ([], [told()], "ok", "2024-05-01"),
        ([], [told(expires_on="2024-06-14")], "consent_expired", "2024-06-14"),
        ([], [told(withdrawn_on="2024-06-15")], "consent_withdrawn", "2024-06-15"),
        # A withdrawal on one way ends what was given on the other until then.
        ([row(withdrawn="2024-06-01")], [told()], "consent_withdrawn", "2024-06-01"),
        ([row()], [told(withdrawn_on="2024-06-01")], "consent_withdrawn", "2024-06-01"),
        ([row(withdrawn="2024-06-01")], [told("2024-06-02")], "ok", "2024-06-02"),
        ([row("soon")], [told()], "consent_unclear", None),
    ],
)
def test_consents_of_applications_and_of_the_table_are_one_story(
    tmp_path: Path, rows: list[str], further: list[Told], outcome: str, day: str | None
) -> None:
    request = Request("Credit Offer", "rural bank", BOTH, DAY)
    held = table(tmp_path, *rows) if rows else None
    answers = judge(held, request, lambda ref: f"F-{ref}", further)
    expected = Answer(outcome, None if day is None else dt.date.fromisoformat(day))
    assert answers == {"F-7": expected}


def test_withdrawals_count_whoever_received_but_for_this_purpose_and_from_their_day_on(
    tmp_path: Path,
) -> None:
    found = withdrawals(
        table(
            tmp_path, row(withdrawn="2024-06-01"), row(withdrawn="2024-06-10", recipient="Other"),
            row(withdrawn="2024-06-16", given_on="2024-06-01"),
            row(withdrawn="2024-06-12", purpose="marketing"),
            "8,credit offer,offer,Rural Bank,2024-01-01,,", "9,credit offer,offer,Bank,soon,,",
        ),
        "credit offer", DAY, lambda ref: f"F-{ref}",
    )  # fmt: skip
    assert found == {"F-7": dt.date(2024, 6, 10), "F-9": DAY}
