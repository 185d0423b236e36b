"""Early warnings: the values they rest on, and that none of them flaps."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from fieldline.lending.decision.case import Case
from fieldline.lending.portfolio.codes import portfolio_codes
from fieldline.lending.portfolio.folders import RunFolder
from fieldline.lending.portfolio.settings import PortfolioSettings
from fieldline.lending.portfolio.watch import OFF, ON, Signal, Warned, watch
from fieldline.lending.portfolio.watchlist import read_watchlist, rows_of, write_watchlist
from fieldline.pipeline.records.errors import UserError
from tests.lending.portfolio.test_lines import line
from tests.lending.store.test_present import of

LEVELS = PortfolioSettings()
GRANTED = dt.date(2024, 9, 30)

GOOD = {
    "income_q10_minor": 1_200_000, "season_income_q10_minor": pd.NA, "crop_cost_minor": 0,
    "household_need_minor": 600_000, "debt_service_minor": 0, "debt_elsewhere_minor": 0,
    "evidence_area_m2": 6666.67, "hazard_index": 10.0, "currency": "CNY",
}  # fmt: skip
"""The farmer of `case` as granted: 6,000.00 are left of a poor year."""


def run(day: dt.date, **changes: Any) -> RunFolder:
    """Return a run in which the farmer's row is as granted but for the changes."""
    profiles = pd.DataFrame([{**GOOD, **changes}], index=["F1"])
    return RunFolder(as_of=day, profiles=profiles, parcels={"F1": ("a",)})


def test_levels_are_entered_and_left_apart() -> None:
    below = [Signal("warn_income", value, 0.8, 0.9)
             for value in (0.85, 0.79, 0.85, 0.89, None, 0.9, 0.85, 0.8)]  # fmt: skip
    above = [Signal("warn_hazard", value, 50, 35, above=True)
             for value in (40, 50, 40, 36, None, 35, 40, 49.9)]  # fmt: skip
    for course in (below, above):
        states, before = [], False
        for signal in course:
            before = signal.warns(before=before)
            states.append(before)
        assert states == [False, True, True, True, True, False, False, False]


@pytest.mark.parametrize(
    ("changes", "code", "value"),
    [
        # 9,000.00 - 6,000.00 of 4,000.00 x 1.09
        ({"income_q10_minor": 900_000}, "warn_cover", 300_000 / 436_000),
        ({"income_q10_minor": 900_000}, "warn_income", 0.75),
        # 8,000.00 of costs beside a line of 4,000.00: what it does not pay is paid by the harvest
        ({"crop_cost_minor": 800_000, "income_q10_minor": 800_000}, "warn_cover",
         (800_000 + 800_000 - 600_000) / (436_000 + 400_000)),
        ({"debt_service_minor": 500_000, "debt_elsewhere_minor": 200_000}, "warn_cover",
         300_000 / 436_000),
        ({"evidence_area_m2": 3333.335}, "warn_area", 0.5),
        ({"hazard_index": 62.0}, "warn_hazard", 62.0),
    ],
)  # fmt: skip
def test_each_value_is_worked_out_by_hand(
    case: Case, changes: dict[str, Any], code: str, value: float
) -> None:
    one, later = line(case, 400_000), dt.date(2025, 6, 30)
    found, outcomes = watch([one], {"A": run(later, **changes)}, [], LEVELS)
    told = {warned.code: warned for warned in found}
    if "crop_cost_minor" in changes:  # 1.20 covers it: no warning, and one that stood is left
        stood = Warned(one.offer_id, code, ON, GRANTED, GRANTED, 0.5, 1.0, 1.15)
        (told[code],) = [
            one for one in watch([one], {"A": run(later, **changes)}, [stood], LEVELS)[0]
            if one.code == code
        ]  # fmt: skip
    assert told[code].value == pytest.approx(value)
    assert (told[code].as_of, outcomes) == (later, [])


def test_a_line_as_it_was_granted_is_not_warned_of(case: Case) -> None:
    found, outcomes = watch([line(case, 400_000)], {"A": run(dt.date(2025, 6, 30))}, [], LEVELS)
    assert (found, outcomes) == ([], [])


def test_a_crop_cut_since_has_repaid_whatever_the_next_one_brings(case: Case) -> None:
    later = dt.date(2025, 6, 30)
    poor = run(later, income_q10_minor=100_000, season_income_q10_minor=1_200_000)
    poor = replace(poor, ahead=frozenset("a"))
    for day, warned in ((dt.date(2025, 6, 1), False), (GRANTED, True)):
        found, _ = watch([line(case, 400_000)], {"A": replace(poor, cut={"a": day})}, [], LEVELS)
        assert bool(found) == warned


def test_two_lines_of_a_farmer_are_covered_by_one_harvest(case: Case) -> None:
    one, two = line(case, 300_000), line(case, 290_000, product="other")
    good = run(dt.date(2025, 6, 30))
    assert watch([one], {"A": good}, [], LEVELS)[0] == []
    found, _ = watch([one, two], {"A": good}, [], LEVELS)
    assert {warned.code for warned in found} == {"warn_cover"}
    assert found[0].value == pytest.approx(600_000 / (590_000 * 1.09))


def test_runs_that_tell_nothing_new_change_nothing(case: Case) -> None:
    one, later = line(case, 400_000), dt.date(2025, 6, 30)
    bad = run(later, hazard_index=70.0)
    (stood,), _ = watch([one], {"A": bad}, [], LEVELS)
    assert watch([one], {"A": bad}, [stood], LEVELS)[0] == [stood]
    for newest, code in (
        (run(GRANTED), "portfolio_no_newer_run"), (None, "portfolio_no_newer_run"),
        (replace(bad, profiles=bad.profiles.rename({"F1": "F2"})), "portfolio_not_in_run"),
        (run(later, currency="USD"), "portfolio_not_in_run"),
    ):  # fmt: skip
        found, outcomes = watch([one], {"A": newest}, [stood], LEVELS)
        assert (found, [o.code for o in outcomes]) == ([stood], [code])
    # A run between the two others, asked about late, changes nothing of what a later one said.
    between = run(dt.date(2025, 1, 31), hazard_index=0.0)
    assert watch([one], {"A": between}, [stood], LEVELS)[0] == [stood]
    # Where the hazard is not known the warning stays; where the line has ended it goes.
    unknown, _ = watch([one], {"A": run(dt.date(2025, 7, 31), hazard_index=None)}, [stood], LEVELS)
    assert [(w.state, w.since, w.value) for w in unknown] == [(ON, later, 70.0)]
    assert watch([], {"A": bad}, [stood], LEVELS) == ([], [])


def test_a_season_of_runs_warns_once_and_leaves_once(case: Case) -> None:
    one = line(case, 400_000)
    states = []
    before: list[Warned] = []
    for month, hazard in ((4, 45.0), (5, 51.0), (6, 48.0), (7, 36.0), (8, 34.0), (9, 45.0)):
        day = dt.date(2025, month, 28)
        before, _ = watch([one], {"A": run(day, hazard_index=hazard)}, before, LEVELS)
        again, _ = watch([one], {"A": run(day, hazard_index=hazard)}, before, LEVELS)
        assert again == before
        states.append([(w.state, w.since.month) for w in before])
    assert states == [[], [(ON, 5)], [(ON, 5)], [(ON, 5)], [(OFF, 8)], [(OFF, 8)]]


def test_the_list_is_read_back_as_it_was_written(case: Case, tmp_path: Path) -> None:
    one = line(of(case, farmer_id="F1"), 400_000)
    bad = run(dt.date(2025, 6, 30), hazard_index=70.0, income_q10_minor=900_000)
    found, _ = watch([one], {"A": bad}, [], LEVELS)
    rows = rows_of(found, {one.offer_id: one})
    write_watchlist(tmp_path / "w.csv", rows)
    first = (tmp_path / "w.csv").read_bytes()
    again, _ = watch([one], {"A": bad}, read_watchlist(tmp_path / "w.csv"), LEVELS)
    write_watchlist(tmp_path / "w.csv", rows_of(again, {one.offer_id: one}))
    assert (tmp_path / "w.csv").read_bytes() == first
    words = {row["code"]: row["english"] for row in rows}
    assert words["warn_hazard"] == "The weather hazard index is 70 of 100; warned from 50 on"
    assert words["warn_income"].startswith("The poor-year income is 75% of the one")
    assert read_watchlist(tmp_path / "none.csv") == []
    (tmp_path / "w.csv").write_text(first.decode().replace(",on,", ",maybe,"))
    with pytest.raises(UserError, match=r"w\.csv, row 1, is no warning .*state 'maybe'"):
        read_watchlist(tmp_path / "w.csv")
    (tmp_path / "w.csv").write_bytes(b"offer_id\xff\xfe")
    with pytest.raises(UserError, match=r"w\.csv cannot be read"):
        read_watchlist(tmp_path / "w.csv")


def test_levels_that_would_flap_are_refused() -> None:
    with pytest.raises(ValueError, match="hazard_leave must lie on the better side"):
        PortfolioSettings(hazard_leave=50.0)
    with pytest.raises(ValueError, match="cover_leave"):
        PortfolioSettings(cover_leave=0.9)


def test_every_code_has_words_in_both_languages_and_a_remedy() -> None:
    for code in portfolio_codes().values():
        assert code.english and code.remedy  # noqa: PT018
        assert any("\u4e00" <= letter <= "\u9fff" for letter in code.chinese)
        assert ("{value}" in code.english) == (code.kind == "warning")
        assert ("{value}" in code.chinese) == (code.kind == "warning")


Run = Callable[..., tuple[int, str, str]]


def test_a_rerun_of_the_season_warns_by_command_and_the_same_one_changes_nothing(
    posted: Any, fieldline: Run, tmp_path: Path, name_of: Any
) -> None:
    file = tmp_path / "results" / "portfolio" / "watchlist.csv"
    code, said, _ = fieldline("portfolio", "watch", "--on", "2024-10-15")
    assert (code, "portfolio_no_newer_run      2" in said) == (0, True)
    assert read_watchlist(file) == []
    posted.as_of = dt.date(2024, 12, 31)
    posted.parcels[0]["yield_t_ha"] = 3.2
    posted.decide()
    winter = ("portfolio", "watch", "--on", "2025-01-15")
    code, said, _ = fieldline(*winter, "--json")
    warned = json.loads(said)["warnings"]
    assert code == 0
    assert {row["farmer_id"] for row in warned} == {name_of("ann")}
    assert {row["code"] for row in warned} == {"warn_cover", "warn_income"}
    assert {row["since"] for row in warned} == {"2024-12-31"}
    first = file.read_bytes()
    assert "2 warnings of 2 lines" in fieldline(*winter)[1]
    assert file.read_bytes() == first
    # A day before the rerun was known: it is not looked at, and the list stays.
    fieldline("portfolio", "watch", "--on", "2024-12-30")
    assert file.read_bytes() == first


def test_posted_reruns_of_one_season_warn_of_what_was_lent_and_leave_beyond_the_level(
    posted: Any, fieldline: Run, tmp_path: Path, name_of: Any
) -> None:
    """Every run of the season is posted into one store: what it replaces is no line any more, what
    ran out of its days to be signed is one."""
    store = tmp_path / "results" / "fieldline.sqlite"
    with sa.create_engine(f"sqlite:///{store}").connect() as connection:
        query = sa.text("SELECT offer_id FROM offers WHERE farmer_id = :who")
        first = connection.execute(query, {"who": name_of("ann")}).scalar_one()
    usual = float(posted.parcels[0]["yield_t_ha"])

    def rerun(day: dt.date, part: float) -> tuple[str, str] | None:
        """Run, post and watch; return state and since of the income behind ann's first line."""
        posted.as_of = day
        posted.parcels[0]["yield_t_ha"] = usual * part
        posted.decide()
        posted.offers(store, county="SIM001")
        assert fieldline("portfolio", "watch", "--on", day.isoformat())[0] == 0
        found = {
            (row.offer_id, row.code): (row.state, row.since.isoformat())
            for row in read_watchlist(tmp_path / "results" / "portfolio" / "watchlist.csv")
        }
        return found.get((first, "warn_income"))

    # costs stay: a yield 7 % lower is a poor-year income 16 % lower, between the two levels
    course = [(12, 0.8), (1, 0.93), (2, 1.0)]
    days = [dt.date(2024 + (month < 12), month, 28) for month, _ in course]
    assert [rerun(day, part) for day, (_, part) in zip(days, course, strict=True)] == [
        ("on", "2024-12-28"), ("on", "2024-12-28"), ("off", "2025-02-28"),
    ]  # fmt: skip
