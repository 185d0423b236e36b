"""Records outlive versions: what the first release stored verifies, replays and stands."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from fieldline.lending.decision.replay import replay
from fieldline.lending.store import posting
from fieldline.lending.store.audit import FIRST_FIELDS
from fieldline.lending.store.database import AUDIT, DECISIONS, reading
from fieldline.lending.store.replays import replay_stored
from fieldline.lending.store.verify import verify
from fieldline.pipeline.records.errors import UserError

LATER = ("guarantor", "covered_minor")
"""Columns of an offer that its table has taken on since the first release."""


def test_old_records_verify_and_replay_under_every_change(changed_store: Any) -> None:
    report = verify(changed_store.engine)
    assert (report.entries, report.problems) == (17, ())
    replayed = replay_stored(changed_store.engine)
    assert (replayed.decisions, replayed.replayed) == (13, 13)
    assert (replayed.formats, replayed.problems) == ({"1": 13}, {})


def test_no_live_offer_is_superseded_by_a_change_of_the_code(changed_store: Any) -> None:
    before = changed_store.live_rows()
    posted = changed_store.post(changed_store.live_cases())
    assert (posted.written, posted.superseded, posted.withdrawn) == (0, 0, 0)
    assert changed_store.live_rows() == before
    assert len(before) == 11
    assert verify(changed_store.engine).entries == 17


def test_a_changed_case_supersedes_and_both_formats_stand(changed_store: Any) -> None:
    cases = changed_store.live_cases()
    farmer = cases[0].farmer
    dearer = farmer.model_copy(update={"debt_service_minor": farmer.debt_service_minor + 100})
    cases[0] = cases[0].model_copy(update={"farmer": dearer})
    posted = changed_store.post(cases)
    assert (posted.written, posted.superseded) == (1, 1)
    assert verify(changed_store.engine).problems == ()
    replayed = replay_stored(changed_store.engine)
    assert (replayed.formats, replayed.problems) == ({"1": 13, "2": 1}, {})


def test_an_old_decision_keeps_the_words_in_which_it_was_told(reworded_store: Any) -> None:
    with reading(reworded_store.engine) as connection:
        traces = connection.scalars(sa.select(DECISIONS.c.trace)).all()
    for trace in traces:
        told = json.loads(trace)["result"]["reasons"]
        assert [vars(reason) for reason in replay(trace).reasons] == told
        assert "Other." not in [reason["english"] for reason in told]


def test_an_entry_of_the_first_release_lists_no_fields(old_store: Any) -> None:
    with reading(old_store.engine) as connection:
        entry = json.loads(connection.scalars(sa.select(AUDIT.c.payload)).all()[1])
    assert "fields" not in entry
    assert {*FIRST_FIELDS, *LATER} == old_store.live_rows()[0].keys() - {"seq", "status"}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("UPDATE offers SET limit_minor = 77 WHERE seq = 1", "was changed"),
        ("UPDATE offers SET reasons = 'x' WHERE seq = 5", "was changed"),
        ("UPDATE offers SET status = 'live' WHERE status = 'withdrawn'", "is live against"),
        ("UPDATE offers SET status = 'withdrawn' WHERE seq = 4", "is withdrawn against"),
        ("DELETE FROM offers WHERE seq = 4", "was removed after posting"),
        ("UPDATE decisions SET trace = trace || ' '", "was changed or removed"),
        ("UPDATE audit SET payload = 'x' WHERE seq = 3", "entry 3 is no record"),
        ("UPDATE audit SET payload = '[]' WHERE seq = 3", "entry 3 was changed"),
    ],
)
def test_tampering_with_old_records_is_found(old_store: Any, change: str, problem: str) -> None:
    old_store.execute(change)
    assert any(problem in found for found in verify(old_store.engine).problems)


def test_a_changed_live_offer_stays_found_after_it_was_superseded(old_store: Any) -> None:
    cases = old_store.live_cases()
    changed = "UPDATE offers SET limit_minor = 99 WHERE status = 'live' AND access = 'approve'"
    old_store.execute(changed)
    assert old_store.post(cases).superseded > 0
    assert any("was changed after" in found for found in verify(old_store.engine).problems)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"pd":"0.', '"pd":"0.9'),
        ('"access":"approve"', '"access":"decline"'),
        ('"limit_minor":', '"limit_minor":1'),
        ('"annual_rate":"0.', '"annual_rate":"0.9'),
        ('"code":"', '"code":"veto_'),
    ],
)
def test_a_changed_old_decision_does_not_replay(old_store: Any, old: str, new: str) -> None:
    chosen = "(SELECT decision_id FROM offers WHERE access = 'approve' LIMIT 1)"
    change = f"UPDATE decisions SET trace = replace(trace, '{old}', '{new}')"
    old_store.execute(f"{change} WHERE decision_id = {chosen}")
    report = replay_stored(old_store.engine)
    assert (report.decisions, report.replayed, len(report.problems)) == (13, 12, 1)


def test_swapped_traces_and_pds_are_found(old_store: Any) -> None:
    first, second = [row["decision_id"] for row in old_store.live_rows()[:2]]
    with reading(old_store.engine) as connection:
        query = sa.select(DECISIONS.c.decision_id, DECISIONS.c.trace)
        traces = {row.decision_id: row.trace for row in connection.execute(query)}
    trace = traces[first].replace("'", "''")
    old_store.execute(f"UPDATE decisions SET trace = '{trace}' WHERE decision_id = '{second}'")
    assert "is that of decision" in replay_stored(old_store.engine).problems[second]
    pds = [json.loads(text)["result"]["pd"] for text in (traces[first], traces[second])]
    assert Decimal(pds[0]) != Decimal(pds[1])
    swapped = traces[first].replace(f'"pd":"{pds[0]}"', f'"pd":"{pds[1]}"')
    with pytest.raises(UserError, match="its id is not the hash of its case"):
        replay(swapped)


def test_a_new_column_is_covered_from_the_first_offer_posted_with_it(
    wider_store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain_row = posting.offer_row
    monkeypatch.setattr(posting, "offer_row", lambda *a: {**plain_row(*a), "branch": "east"})
    assert wider_store.post(wider_store.live_cases()).superseded == 11
    with reading(wider_store.engine) as connection:
        entry = json.loads(connection.scalars(sa.select(AUDIT.c.payload)).all()[-1])
    assert entry["fields"] == sorted((*FIRST_FIELDS, *LATER, "branch"))
    assert verify(wider_store.engine).problems == ()
    wider_store.execute("UPDATE offers SET branch = 'west' WHERE seq IN (3, 20)")
    (found,) = verify(wider_store.engine).problems
    assert "was changed after posting" in found


def test_one_decision_of_the_store_replays_by_its_id(old_store: Any) -> None:
    known = old_store.live_rows()[0]["decision_id"]
    assert replay_stored(old_store.engine, known).decisions == 1
    with pytest.raises(UserError, match="holds no decision or offer 'nobody'"):
        replay_stored(old_store.engine, "nobody")


def test_a_trace_that_cannot_be_read_is_named_and_the_others_go_on(old_store: Any) -> None:
    known = old_store.live_rows()[0]["decision_id"]
    old_store.execute(f"UPDATE decisions SET trace = '{{' WHERE decision_id = '{known}'")
    report = replay_stored(old_store.engine)
    assert (report.replayed, report.formats) == (12, {"1": 12, "none": 1})
    assert list(report.problems) == [known]
