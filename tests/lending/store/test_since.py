"""Verification that goes on from where the last one ended: what it finds, and what it leaves."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from fieldline.lending.decision.case import Case, policy_hash
from fieldline.lending.decision.decision import decide_case
from fieldline.lending.decision.row import decision_row
from fieldline.lending.store.anchors import Anchor, take_anchor
from fieldline.lending.store.database import OFFERS, open_database
from fieldline.lending.store.posting import Shelf, post
from fieldline.lending.store.reviews import Wish, decide
from fieldline.lending.store.signer import Signer
from fieldline.lending.store.verify import AuditReport, verify

LENDER = Signer("lender", b"k" * 32)
NAMES = [column.name for column in OFFERS.columns if column.name != "seq"]
OTHERS = {"offer_id": "'x'", "farmer_id": "'F9'"}
COPIED = (
    f"({', '.join(NAMES)}) SELECT {', '.join(OTHERS.get(name, name) for name in NAMES)} "
    "FROM offers WHERE seq = 1"
)


def posted(engine: sa.Engine, case: Case, *farmers: str) -> None:
    """Post the same case for these farmers, alone in their households."""
    rows = []
    for farmer in farmers:
        own = case.model_copy(update={"farmer_id": farmer, "household_id": f"H{farmer}"})
        rows.append(decision_row(own, decide_case(own), policy_hash(own.policy)))
    shelf = Shelf("A", "2024", "season-line")
    post(engine, pd.DataFrame(rows), shelf, case.policy, confirm=True, by=LENDER)


def refused(engine: sa.Engine, farmer: str, day: dt.date) -> None:
    with engine.connect() as connection:
        query = sa.select(OFFERS.c.offer_id).where(OFFERS.c.farmer_id == farmer)
        offer = connection.scalars(query).one()
    decide(engine, offer, Wish("ann", "decline", "moved away"), today=day, by=LENDER)


@pytest.fixture(scope="module")
def begun(
    tmp_path_factory: pytest.TempPathFactory, first_store: Callable[[Path], Any]
) -> tuple[Path, Anchor]:
    """A store and the anchor up to which it was verified; afterwards one farmer came and one left,
    and a person acted on both sides of it."""
    folder = tmp_path_factory.mktemp("since")
    case = next(
        case
        for case in first_store(folder / "first.sqlite").live_cases()
        if decide_case(case).access == "approve"
    )
    path = folder / "store.sqlite"
    engine = open_database(path)
    posted(engine, case, "F1", "F2", "F3")
    refused(engine, "F1", case.as_of)
    anchor = take_anchor(engine, LENDER)
    posted(engine, case, "F1", "F2", "F4")
    refused(engine, "F4", case.as_of)
    engine.dispose()
    return path, anchor


def since(path: Path, anchor: Anchor | None) -> AuditReport:
    engine = open_database(path)
    report = verify(engine, LENDER, since=anchor)
    engine.dispose()
    return report


def test_only_what_came_after_the_anchor_is_counted(begun: tuple[Path, Anchor]) -> None:
    path, anchor = begun
    whole, later = since(path, None), since(path, anchor)
    assert (anchor.entries, whole.since, later.since) == (5, 0, 5)  # a run, three offers, an act
    # Then: a run, F3 withdrawn, F1 as the person decided in place of the first, F4 posted, an act.
    assert (whole.posted, whole.closed, whole.live) == (5, 2, 3)
    assert (later.posted, later.closed, later.live) == (2, 2, 3)
    assert (whole.entries, whole.head, whole.keyed) == (later.entries, later.head, later.keyed)
    assert whole.problems == later.problems == ()


FORGERIES = {
    "a limit": (
        "UPDATE offers SET limit_minor = 1 WHERE seq = (SELECT max(seq) FROM offers)",
        "was changed after posting",
    ),
    "a row gone": (
        "DELETE FROM offers WHERE seq = (SELECT max(seq) FROM offers)",
        "was removed after posting",
    ),
    "a row more": (f"INSERT INTO offers {COPIED}", "offer x was never posted"),
    "a decision": (
        "UPDATE decisions SET trace = '{}' WHERE farmer_id = 'F4'",
        "was changed or removed after posting",
    ),
    "a decision more": (
        "INSERT INTO decisions (decision_id, farmer_id, as_of, policy, pd_model, trace) "
        "SELECT 'forged', farmer_id, as_of, policy, pd_model, trace FROM decisions LIMIT 1",
        "decision forged belongs to no offer",
    ),
    "an earlier offer lives on": (
        "UPDATE offers SET status = 'live' WHERE farmer_id = 'F3'",
        "is not withdrawn as the chain says",
    ),
    "a run gone": (
        "DELETE FROM runs WHERE seq = (SELECT max(seq) FROM runs)",
        "runs were added or removed beside the 1",
    ),
    "an act gone": (
        "DELETE FROM reviews WHERE farmer_id = 'F4'",
        "was removed after it was entered",
    ),
    "an act before it gone": (
        "DELETE FROM reviews WHERE farmer_id = 'F1'",
        "acts of people were added or removed beside the 1",
    ),
    "an entry": (
        "UPDATE audit SET payload = replace(payload, 'lender', 'nobody') WHERE seq = 7",
        "entry 7 was changed",
    ),
    "an entry gone": ("DELETE FROM audit WHERE seq = 7", "entry 7 is missing before 8"),
    "the end cut off": (
        "DELETE FROM audit WHERE seq > 5",
        "offers were added or removed beside the 0",
    ),
    "the entry of the anchor": (
        "UPDATE audit SET payload = '{}' WHERE seq = 5",
        "entry 5 is not the one that the anchor of",
    ),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_what_was_changed_since_is_named(
    begun: tuple[Path, Anchor], tmp_path: Path, name: str, unguarded: Callable[..., None]
) -> None:
    path, anchor = begun
    statement, sentence = FORGERIES[name]
    forged = forge(path, tmp_path, statement, unguarded)
    found = since(forged, anchor).problems
    assert any(sentence in problem for problem in found), found


def forge(path: Path, folder: Path, statement: str, unguarded: Callable[..., Any]) -> Path:
    forged = Path(shutil.copy(path, folder / "forged.sqlite"))
    engine = open_database(forged)
    with engine.begin() as connection:
        unguarded(connection, statement)
    engine.dispose()
    return forged


def test_what_was_changed_before_the_anchor_is_left_to_a_whole_verification(
    begun: tuple[Path, Anchor], tmp_path: Path, unguarded: Callable[..., None]
) -> None:
    path, anchor = begun
    forged = forge(path, tmp_path, "UPDATE offers SET limit_minor = 1 WHERE seq = 2", unguarded)
    assert since(forged, anchor).problems == ()
    assert any("was changed after posting" in text for text in since(forged, None).problems)


def test_an_anchor_of_another_key_or_of_later_entries_leads_to_a_whole_verification(
    begun: tuple[Path, Anchor],
) -> None:
    path, anchor = begun
    unsealed = Anchor(anchor.entries, anchor.head, anchor.at, anchor.by).signed(
        Signer("forger", b"f" * 32)
    )
    ahead = Anchor(99, anchor.head, anchor.at, anchor.by).signed(LENDER)
    for other, sentence in ((unsealed, "is not sealed by this key"), (ahead, "were cut off")):
        report = since(path, other)
        assert (report.since, report.posted) == (0, 5)
        assert [sentence in problem for problem in report.problems] == [True]


def test_an_entry_before_the_anchor_that_is_no_record_is_told_by_the_rows(
    begun: tuple[Path, Anchor], tmp_path: Path, unguarded: Callable[..., None]
) -> None:
    path, anchor = begun
    statement = "UPDATE audit SET payload = 'no record' WHERE seq = 1"
    found = since(forge(path, tmp_path, statement, unguarded), anchor).problems
    assert found == ("runs were added or removed beside the 1 entered since",)
