"""Exclusion lists: whom an entry is about, on which days, and what it does to the offer."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fieldline.lending.decision.case import Case
from fieldline.lending.decision.replay import replay
from fieldline.lending.decision.review import evidence_hash
from fieldline.lending.exclusions import account_exclusions, read_exclusions
from fieldline.lending.inputs import EXCLUSIONS
from fieldline.pipeline.inputs.read import Reading, read_input
from fieldline.pipeline.parcels.schemas import CONTACTS
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.outcomes import outcome_codes
from fieldline.pipeline.records.privacy import pseudonymiser
from fieldline.pipeline.records.settings import PrivacySettings

AS_OF = dt.date(2024, 9, 30)
PRIVACY = PrivacySettings(demo_key=True)


def entry(farmer: str = "", **more: str) -> dict[str, str]:
    """Return a row of a list in force without end."""
    return {
        "farmer_id": farmer, "id_number": "", "effect": "decline", "reason": "sold the inputs",
        "valid_from": "2024-01-01", "valid_to": "", "source": "county office", **more,
    }  # fmt: skip


def listed(folder: Path, *rows: dict[str, str]) -> Path:
    path = folder / "list.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def in_force(
    folder: Path, *rows: dict[str, str], contacts: tuple[tuple[str, str, str], ...] = ()
) -> list[tuple[str, str]]:
    """Return farmer and effect of each entry in force."""
    marks = pd.DataFrame(contacts, columns=CONTACTS.names)
    found = read_exclusions(
        listed(folder, *rows), marks, as_of=AS_OF, privacy=PRIVACY, reading=Reading("CNY")
    )
    return list(zip(found["farmer_id"], found["effect"], strict=True))


def test_an_entry_holds_from_its_first_day_to_its_last_whole_days(tmp_path: Path) -> None:
    hide = pseudonymiser(PRIVACY)
    rows = [
        entry("begins", valid_from="2024-09-30"), entry("later", valid_from="2024-10-01"),
        entry("ends", valid_to="2024-09-30"), entry("over", valid_to="2024-09-29"),
        entry("open", effect="Review"),
    ]  # fmt: skip
    assert in_force(tmp_path, *rows) == [
        (hide("begins"), "decline"), (hide("ends"), "decline"), (hide("open"), "review"),
    ]  # fmt: skip
    table = read_input(tmp_path / "list.csv", EXCLUSIONS, Reading("CNY"))
    told = [(p.row, p.column, p.code) for p in account_exclusions(table, AS_OF)]
    assert told == [
        (2, "valid_from", "input_after_as_of"), (4, "valid_to", "exclusion_expired"),
    ]  # fmt: skip


def test_an_identity_number_finds_every_farmer_who_gave_it_however_it_is_written(
    tmp_path: Path,
) -> None:
    mark = pseudonymiser(PRIVACY, "id_number")("11010519491231002x")
    contacts = (("F1", "id_number", mark), ("F2", "id_number", mark), ("F3", "phone", mark))
    rows = [entry(id_number="110105 19491231-002X"), entry(id_number="000000000000000000")]
    assert in_force(tmp_path, *rows, contacts=contacts) == [("F1", "decline"), ("F2", "decline")]


@pytest.mark.parametrize(
    ("row", "column", "code"),
    [
        ({"effect": "ban"}, "effect", "exclusion_unknown_effect"),
        ({"effect": ""}, "effect", "input_missing"),
        ({"valid_from": "soon"}, "valid_from", "input_not_a_date"),
        ({"valid_to": "2023-12-31"}, "valid_to", "input_inconsistent"),
        ({"reason": ""}, "reason", "input_missing"),
    ],
)
def test_an_entry_that_cannot_be_read_is_coded_and_asks_for_a_person(
    tmp_path: Path, row: dict[str, str], column: str, code: str
) -> None:
    rows = [entry("ann", **row), entry("bob")]
    hide = pseudonymiser(PRIVACY)
    assert in_force(tmp_path, *rows) == [(hide("ann"), "unclear"), (hide("bob"), "decline")]
    table = read_input(tmp_path / "list.csv", EXCLUSIONS, Reading("CNY"))
    (problem,) = table.problems
    assert (problem.row, problem.column, problem.code) == (1, column, code)
    assert code in outcome_codes()
    assert account_exclusions(table, AS_OF) == []


def test_an_unreadable_entry_that_is_over_has_no_effect(tmp_path: Path) -> None:
    assert in_force(tmp_path, entry("ann", effect="ban", valid_to="2024-09-29")) == []


def test_an_entry_about_nobody_is_coded(tmp_path: Path) -> None:
    path = listed(tmp_path, entry(), entry("bob"))
    (problem,) = read_input(path, EXCLUSIONS, Reading("CNY")).problems
    assert (problem.row, problem.code) == (1, "input_missing")


def test_a_list_without_a_column_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("farmer_id,effect\nann,decline\n", encoding="utf-8")
    with pytest.raises(UserError, match="reason"):
        read_input(path, EXCLUSIONS, Reading("CNY"))


def test_an_entry_declines_or_asks_a_person_and_says_who_keeps_the_list_and_until_when(
    county: Any, name_of: Any
) -> None:
    for place, farmer in enumerate(("ann", "bob", "cat", "dan")):
        county.add(farmer, farmer, x=1000 * place, width=400, height=400)
        county.apply(farmer, prior_loans=4)
    county.excluded = [
        entry("ann", valid_to="2024-12-31"), entry("bob", effect="review"),
        entry("cat", valid_to="2024-09-29"), entry("nobody here"),
    ]  # fmt: skip
    found = county.decide()
    ann, bob, cat, dan = (found.loc[name_of(name)] for name in ("ann", "bob", "cat", "dan"))
    assert [one["access"] for one in (ann, bob, cat, dan)] == [
        "decline", "review", "approve", "approve",
    ]  # fmt: skip
    assert ann["reasons"][0] == (
        "You stand on an exclusion list of county office until 2024-12-31: sold the inputs. "
        "Apply again after that day, or ask county office to correct the entry."
    )
    assert bob["reasons"][0].startswith("You stand on a list of county office for which a person")
    assert replay(ann["trace"]).access == "decline"
    assert "exclusions" not in json.loads(dan["trace"])["case"]
    first = json.loads(cat["trace"])["case"]
    assert "exclusions" not in first  # an entry that is over is as none


def test_an_entry_is_evidence_that_a_person_s_decision_did_not_see(
    county: Any, name_of: Any
) -> None:
    county.add("a", "ann", width=400, height=400)
    county.apply("ann", prior_loans=4)
    before = Case.of(json.loads(county.decision("ann")["trace"])["case"])
    county.excluded = [entry("ann", effect="review")]
    after = Case.of(json.loads(county.decision("ann")["trace"])["case"])
    assert evidence_hash(before) != evidence_hash(after)
