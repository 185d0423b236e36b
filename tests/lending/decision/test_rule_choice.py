"""Rows of decision tables: which fires, what the decision then is, and that it replays."""

from __future__ import annotations

import csv
import datetime as dt
import itertools
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fieldline.lending.decision.case import Case
from fieldline.lending.decision.decision import decide_case
from fieldline.lending.decision.replay import read_trace, replay, trace_of
from fieldline.lending.decision.rule_choice import fired, tables_case, under_tables
from fieldline.lending.settings import PolicySettings
from fieldline.pipeline.records.canonical import canonical
from fieldline.pipeline.records.errors import UserError
from tests.lending.decision.rule_files import TODAY, by_hand, policy, written

NO = {"access": "decline", "reason_en": "no line for this crop", "reason_zh": "该作物不予授信"}
ASK = {"access": "review", "reason_en": "a large line", "reason_zh": "额度较大"}
TOMORROW = TODAY + dt.timedelta(days=1)


def under(
    case: Case, own: PolicySettings, *, county: str = "A", day: dt.date = TODAY,
    confidence: str = "0.9",
) -> Case:  # fmt: skip
    """Return the case as a county makes it under a policy with tables."""
    tables = tables_case(own, county, day, case.parcels)
    sure = None if tables is None else Decimal(confidence)
    return case.model_copy(
        update={"policy": own, "tables": tables, "as_of": day, "confidence": sure}
    )


def asking(case: Case, amount: int | None) -> Case:
    minor = None if amount is None else amount * 100
    farmer = case.farmer.model_copy(update={"requested_minor": minor})
    return case.model_copy(update={"farmer": farmer})


def growing(case: Case, *grown: str) -> Case:
    (parcel,) = case.parcels
    parcels = tuple(
        parcel.model_copy(
            update={"parcel_id": crop, "valued_crop": crop or None, "declared_crop": crop or None}
        )
        for crop in grown
    )
    return case.model_copy(update={"parcels": parcels})


def judged(case: Case, pd: str | None) -> Case:
    chance = None if pd is None else Decimal(pd)
    risk = case.risk.model_copy(update={"pd": chance, "challenger": chance})
    return case.model_copy(update={"risk": risk})


GRID = [
    {"county": "A|B", "crop_group": "vegetable", "currency": "CNY", "max_limit": "9000"},
    {"county": "C", "crop": "tea", "valid_to": "2024-09-30", **NO},
    {"county": "C", "crop": "tea", "valid_from": "2024-10-01", "margin": "0.01"},
    {"county": "B", "crop": "maize", "amount_to": "5000", "currency": "CNY", "pd_review": "0.15"},
    {"county": "B", "crop": "maize", "amount_from": "5000", "currency": "CNY", "pd_to": "0.05"},
    {"county": "B", "crop": "maize", "amount_from": "5000", "currency": "CNY", "pd_from": "0.05",
     "confidence_from": "0.6", **ASK},
    {"county": "B", "crop": "maize", "amount_from": "5000", "currency": "CNY", "pd_from": "0.05",
     "confidence_to": "0.6", **ASK, "margin": "0.02"},
    {"max_limit": "50000", "currency": "CNY"},
]  # fmt: skip


def test_the_row_that_fires_is_the_one_whose_cells_hold_over_a_grid_of_cases(
    case: Case, tmp_path: Path
) -> None:
    name = written(tmp_path, "grid.csv", GRID)
    with Path(name).open(encoding="utf-8") as handle:
        cells = list(csv.DictReader(handle))
    own = policy(name)
    met = set()
    for county, crop, amount, pd, confidence, day in itertools.product(
        "ABCD", ("maize", "tomato", "tea", ""), (1, 4999, 5000, 80_000, None),
        ("0", "0.0499", "0.05", "0.3", "1"), ("0", "0.599", "0.6", "1"), (TODAY, TOMORROW),
    ):  # fmt: skip
        made = judged(asking(growing(case, crop), amount), pd)
        made = under(made, own, county=county, day=day, confidence=confidence)
        wanted = by_hand(
            cells, county=county, crop=crop, amount=None if amount is None else Decimal(amount),
            pd=Decimal(pd), confidence=Decimal(confidence), day=day,
        )  # fmt: skip
        assert [row.row for row in fired(made)] == ([wanted] if wanted else [])
        met.add(wanted)
    assert met == set(range(1, len(GRID) + 1))


def test_without_a_table_in_force_the_case_is_what_it_was(case: Case, tmp_path: Path) -> None:
    name = written(tmp_path, "later.csv", [{"valid_from": "2024-10-01", "margin": "0.02"}])
    assert under(case, policy(name)).tables is None
    assert tables_case(case.policy, "A", TODAY, case.parcels) is None
    assert "tables" not in json.loads(trace_of(case, decide_case(case)))["case"]
    assert "rows_fired" not in json.loads(trace_of(case, decide_case(case)))["result"]


def test_a_table_that_has_ended_stops_the_run(case: Case, tmp_path: Path) -> None:
    name = written(tmp_path, "old.csv", [{"valid_to": "2024-09-29", "margin": "0.02"}])
    said = "old.csv holds until 2024-09-29, and this is decided on 2024-09-30: add the rows"
    with pytest.raises(UserError, match=said):
        under(case, policy(name))


def test_a_row_declines_in_its_own_words(case: Case, tmp_path: Path) -> None:
    name = written(tmp_path, "access.csv", [{"crop": "tea", **NO}, {}])
    tea = under(growing(case, "tea"), policy(name))
    found = decide_case(tea)
    assert (found.access, found.limit_minor, found.rows_fired) == ("decline", 0, ("access.csv#1",))
    assert found.reasons[0].code == "veto_policy_rule"
    assert found.reasons[0].english.startswith("By a rule of this lender no line is given: no line")
    assert "该作物不予授信" in found.reasons[0].chinese
    assert decide_case(under(growing(case, "maize"), policy(name))).access == "approve"


def test_one_crop_that_is_declined_declines_the_farmer_also_on_blocked_land(
    case: Case, tmp_path: Path
) -> None:
    name = written(tmp_path, "access.csv", [{"crop": "tea", **NO}, {}])
    both = growing(case, "maize", "tea")
    blocked = both.model_copy(update={"parcels": (
        both.parcels[0], both.parcels[1].model_copy(update={"effect": "block"}),
    )})  # fmt: skip
    assert decide_case(under(both, policy(name))).access == "decline"
    assert decide_case(under(blocked, policy(name))).access == "decline"


def test_land_without_a_value_is_of_the_crop_that_was_declared(case: Case, tmp_path: Path) -> None:
    name = written(tmp_path, "access.csv", [{"crop": "tea", **NO}, {}])
    unseen = growing(case, "tea").parcels[0].model_copy(update={"valued_crop": None})
    made = case.model_copy(update={"parcels": (*case.parcels, unseen)})
    assert decide_case(under(made, policy(name))).reasons[0].code == "veto_policy_rule"


def test_above_an_amount_a_person_decides_and_below_it_nobody(case: Case, tmp_path: Path) -> None:
    name = written(tmp_path, "tiers.csv", [
        {"amount_to": "5000", "currency": "CNY"}, {"amount_from": "5000", "currency": "CNY", **ASK},
    ])  # fmt: skip
    access = {
        amount: decide_case(under(asking(case, amount), policy(name))).access
        for amount in (4000, 4999, 5000, 6000, None)
    }
    assert access == {4000: "approve", 4999: "approve", 5000: "review", 6000: "review",
                      None: "review"}  # fmt: skip


def test_low_confidence_asks_a_person(case: Case, tmp_path: Path) -> None:
    name = written(tmp_path, "doubt.csv", [{"confidence_from": "0.6"}, {"confidence_to": "0.6",
                                                                        **ASK}])  # fmt: skip
    told = [
        decide_case(under(case, policy(name), confidence=share)).access for share in ("0.6", "0.59")
    ]
    assert told == ["approve", "review"]


def test_numbers_of_the_policy_are_those_of_the_row(case: Case, tmp_path: Path) -> None:
    own = policy(
        written(tmp_path, "limits.csv", [{"max_limit": "3000", "min_limit": "300",
                                          "currency": "CNY"}]),
        written(tmp_path, "prices.csv", [{"pd_to": "0.03"}, {"pd_from": "0.03", "margin": "0.02"}]),
    )  # fmt: skip
    made = under(case, own)
    plain = decide_case(case.model_copy(update={"policy": PolicySettings()}))
    found = decide_case(made)
    # r = (cost t + PD LGD) / (t (1 - PD)): the margin adds itself over (1 - .04), in steps of .0001
    assert found.annual_rate is not None
    assert plain.annual_rate is not None
    added = found.annual_rate - plain.annual_rate
    assert abs(added - Decimal("0.02") / Decimal("0.96")) <= Decimal("0.0001")
    assert (found.limit_policy_minor, found.limit_minor) == (300_000, 300_000)
    assert found.rows_fired == ("limits.csv#1", "prices.csv#2")
    assert decide_case(under(judged(case, "0.0299"), own)).rows_fired[1] == "prices.csv#1"
    assert under_tables(made).policy.min_limit == 300
    assert made.policy.min_limit == PolicySettings().min_limit


def test_several_crops_get_the_strictest_number_of_their_rows(case: Case, tmp_path: Path) -> None:
    name = written(tmp_path, "limits.csv", [
        {"crop": "tea", "max_limit": "3000", "currency": "CNY"},
        {"crop": "apple", "max_limit": "2000", "currency": "CNY"}, {},
    ])  # fmt: skip
    found = decide_case(under(growing(case, "apple", "maize", "tea"), policy(name)))
    assert found.limit_policy_minor == 200_000
    assert found.rows_fired == ("limits.csv#1", "limits.csv#2", "limits.csv#3")


def test_unknown_risk_is_in_no_band(case: Case, tmp_path: Path) -> None:
    name = written(tmp_path, "pd.csv", [{"pd_to": "0.1"}, {"pd_from": "0.1", **NO}])
    made = under(judged(case, None), policy(name))
    assert fired(made) == []


def test_what_a_reason_promises_goes_through_the_tables(case: Case, tmp_path: Path) -> None:
    # 6,000 are left and 2,000 asked for; asking for more meets the tier from 5,000 on.
    tiers = [
        {"amount_to": "5000", "currency": "CNY"}, {"amount_from": "5000", "currency": "CNY", **ASK},
    ]  # fmt: skip
    free = [
        {"amount_to": "5000", "currency": "CNY"},
        {"amount_from": "5000", "currency": "CNY", "max_limit": "3000"},
    ]
    asked = asking(case, 2000)
    tiered = decide_case(under(asked, policy(written(tmp_path, "tiers.csv", tiers))))
    capped = decide_case(under(asked, policy(written(tmp_path, "free.csv", free))))
    assert [d.access for d in (tiered, capped)] == ["approve", "approve"]
    assert "3,000" in capped.reasons[0].english
    assert not any(figure in tiered.reasons[0].english for figure in ("3,", "4,", "5,", "6,"))


def test_a_person_s_line_above_the_row_s_maximum_is_still_promised(
    case: Case, tmp_path: Path
) -> None:
    name = written(tmp_path, "limits.csv", [{"max_limit": "2000", "currency": "CNY"}])
    made = under(case, policy(name))
    found = decide_case(made)
    assert found.reasons[0].code == "limit_policy"
    assert "2,000" in found.reasons[0].english
    without = decide_case(case.model_copy(update={"policy": PolicySettings()}))
    promised = f"{without.limit_minor // 100:,}"
    assert promised in found.reasons[0].english


def test_a_decision_replays_from_its_trace_and_a_changed_row_is_noticed(
    case: Case, tmp_path: Path
) -> None:
    name = written(tmp_path, "limits.csv", [{"pd_to": "0.05", "max_limit": "3000",
                                             "currency": "CNY"},
                                            {"pd_from": "0.05", "max_limit": "2000",
                                             "currency": "CNY"}])  # fmt: skip
    made = under(case, policy(name))
    trace = trace_of(made, decide_case(made))
    stored = read_trace(trace)
    assert stored.result["rows_fired"] == ["limits.csv#1"]
    assert name in stored.versions["tables"]
    Path(name).unlink()  # a replay needs no table
    assert replay(trace).limit_minor == 300_000
    content: dict[str, Any] = json.loads(trace)
    content["result"]["rows_fired"] = ["limits.csv#2"]
    with pytest.raises(UserError, match="rows_fired is stored as"):
        replay(canonical(content))


def test_tomorrow_s_policy_decides_tomorrow_s_applications_and_none_of_today_s(
    case: Case, tmp_path: Path
) -> None:
    """The worked example of docs/credit.md."""
    name = written(tmp_path, "tiers.csv", [
        {"valid_to": "2024-09-30", "amount_to": "6000", "currency": "CNY"},
        {"valid_to": "2024-09-30", "amount_from": "6000", "currency": "CNY", **ASK},
        {"valid_from": "2024-10-01", "amount_to": "4000", "currency": "CNY"},
        {"valid_from": "2024-10-01", "amount_from": "4000", "currency": "CNY", **ASK},
    ])  # fmt: skip
    told = {}
    for amount, day in itertools.product((3000, 5000, 7000), (TODAY, TOMORROW)):
        made = under(asking(case, amount), policy(name), day=day)
        found = decide_case(made)
        again = replay(trace_of(made, found))
        assert (again.access, again.rows_fired) == (found.access, found.rows_fired)
        told[amount, str(day)] = (found.access, *found.rows_fired)
    assert told == {
        (3000, "2024-09-30"): ("approve", "tiers.csv#1"),
        (3000, "2024-10-01"): ("approve", "tiers.csv#3"),
        (5000, "2024-09-30"): ("approve", "tiers.csv#1"),
        (5000, "2024-10-01"): ("review", "tiers.csv#4"),
        (7000, "2024-09-30"): ("review", "tiers.csv#2"),
        (7000, "2024-10-01"): ("review", "tiers.csv#4"),
    }
