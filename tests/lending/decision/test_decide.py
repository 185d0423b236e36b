from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fieldline.lending.decision import decide
from fieldline.lending.decision.folder import OwnRows
from fieldline.lending.decision.replay import replay
from fieldline.lending.risk.default_model import PdModel
from fieldline.lending.risk.folder import FILES
from fieldline.lending.risk.gate import gate
from fieldline.lending.risk.serve import pd_of
from fieldline.lending.settings import RiskSettings
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.outcomes import outcome_codes
from fieldline.pipeline.records.reference import table_hash
from fieldline.pipeline.records.tables import read_table
from tests.lending.decision.rule_files import written


def build(county: Any) -> None:
    county.add("a", "ann", width=200)
    county.add("b", "bob", x=1000, width=60, height=50)
    county.add("c", "cat", x=2000)
    county.add("d", "dan", x=3000, yield_t_ha=None)
    county.refused["eve"] = ["too_cloudy"]
    county.stopped["c"] = "too_cloudy"
    for farmer in ("ann", "bob", "cat", "dan"):
        county.apply(farmer)


def test_every_farmer_has_exactly_one_decision(county: Any, name_of: Any, loans: Any) -> None:
    build(county)
    county.loans = loans
    found = county.decide()
    outcomes = read_table(county.path("outcomes_decide.parquet"))
    names = {name: name_of(name) for name in ("ann", "bob", "cat", "dan", "eve")}
    assert sorted(found.index) == sorted(outcomes["farmer_id"]) == sorted(names.values())
    access = {name: found.loc[pseudonym, "access"] for name, pseudonym in names.items()}
    assert access == {
        "ann": "approve", "bob": "approve", "cat": "review", "dan": "review", "eve": "decline",
    }  # fmt: skip
    assert found.loc[names["cat"], "reason_codes"][0] == "review_not_valued"
    assert list(found.loc[names["cat"], "outcomes"]) == ["too_cloudy"]
    told = found.loc[names["eve"], "reasons"][0]
    assert "too few clear satellite dates" in told
    assert outcome_codes()["too_cloudy"].remedy not in told


def test_every_decision_replays_from_the_table(county: Any, loans: Any) -> None:
    build(county)
    county.loans = loans
    for row in county.decide().to_dict("records"):
        again = replay(row["trace"])
        assert again.decision_id == row["decision_id"]
        assert again.limit_minor == row["limit_minor"]
        assert [reason.english for reason in again.reasons] == list(row["reasons"])


def test_same_inputs_same_bytes(county: Any, loans: Any) -> None:
    build(county)
    county.loans = loans
    names = ("decisions.parquet", "pd.json", "outcomes_decide.parquet")
    county.decide()
    first = [county.path(name).read_bytes() for name in names]
    county.decide()
    assert [county.path(name).read_bytes() for name in names] == first


def test_a_decision_does_not_depend_on_the_others(county: Any, name_of: Any, loans: Any) -> None:
    county.add("a", "ann", own_log_sd=0.3)
    county.apply("ann")
    county.loans = loans
    alone = county.decision("ann")
    county.add("b", "bob", x=1000)
    county.apply("bob")
    assert county.decision("ann")["trace"] == alone["trace"]


def test_decision_tables_decide_by_county_crop_and_confidence(
    county: Any, name_of: Any, tmp_path: Path
) -> None:
    county.add("a", "ann", width=400, height=400)
    county.add("b", "bob", x=1000, width=400, height=400, probability=0.7)
    county.apply("ann", prior_loans=4)
    county.apply("bob", prior_loans=4)
    plain = county.decide()
    why = {"reason_en": "the crop is not sure", "reason_zh": "作物未确认"}
    county.policy = county.policy.model_copy(update={"rule_tables": (
        written(tmp_path, "limits.csv", [
            {"county": "T", "crop": "maize", "currency": "CNY", "max_limit": "20000"},
            {"margin": "0.01"},
        ]),
        written(tmp_path, "doubt.csv", [
            {"confidence_from": "0.8"}, {"confidence_to": "0.8", "access": "review", **why},
        ]),
    )})  # fmt: skip
    found = county.decide()
    ann, bob = (found.loc[name_of(name)] for name in ("ann", "bob"))
    assert plain.loc[name_of("ann"), "limit_policy_minor"] == 3_000_000
    # a tenth of the row's 20,000 yuan: the expert scorecard judges
    assert (ann["access"], ann["limit_minor"]) == ("approve", 200_000)
    assert bob["access"] == "review"
    assert "By a rule of this lender a person decides: the crop is not sure" in bob["reasons"][0]
    assert json.loads(bob["trace"])["result"]["rows_fired"] == ["limits.csv#1", "doubt.csv#2"]
    assert replay(ann["trace"]).limit_minor == 200_000
    tables = json.loads(ann["trace"])["versions"]["tables"]
    assert tables[str(tmp_path / "doubt.csv")] == table_hash(str(tmp_path / "doubt.csv"))


def test_loans_that_ended_later_teach_nothing(county: Any, loans: pd.DataFrame) -> None:
    county.add("a", "ann")
    county.apply("ann")
    county.loans = loans
    known = county.decision("ann")["pd_model"]
    future = loans.assign(
        loan_id="Z" + loans["loan_id"],
        due_on="2024-08-01",
        closed_on="2024-10-01",
        defaulted=~loans["defaulted"],
    )
    county.loans = pd.concat([loans, future])
    assert county.decision("ann")["pd_model"] == known


def test_without_history_points_of_the_policy_judge_with_a_lower_cap(county: Any) -> None:
    county.add("a", "ann", width=400, height=400)
    county.apply("ann", prior_loans=4)
    found = county.decision("ann")
    assert found["access"] == "approve"
    assert found["pd_model"].startswith("expert:")
    # a tenth of 300,000 yuan
    assert found["limit_minor"] == found["limit_policy_minor"] == 3_000_000
    assert "expert_scorecard" in found["reason_codes"]
    assert "at most 10% of the usual highest line" in " ".join(found["reasons"])
    card = json.loads(county.path("pd.json").read_text())["card"]
    assert (card["trained"], card["problem"]) == (False, "loans=0 needed=200")
    assert card["stands_in"] == found["pd_model"]
    assert replay(found["trace"]).limit_minor == found["limit_minor"]


def test_too_few_loans_teach_nothing_and_points_judge(county: Any, loans: Any) -> None:
    county.add("a", "ann")
    county.apply("ann")
    county.loans = loans.head(150)
    assert county.decision("ann")["pd_model"].startswith("expert:")


def test_without_points_a_person_decides(county: Any) -> None:
    county.add("a", "ann")
    county.apply("ann")
    county.risk = RiskSettings(expert=False)
    found = county.decision("ann")
    assert found["access"] == "review"
    assert list(found["reason_codes"]) == ["review_no_model"]
    assert pd.isna(found["pd"])
    assert found["pd_model"] == ""
    card = json.loads(county.path("pd.json").read_text())["card"]
    assert card == {"model": "pd", "trained": False, "problem": "loans=0 needed=200"}


def test_every_stored_probability_is_recomputed_to_the_bit(county: Any, loans: Any) -> None:
    build(county)
    county.loans = loans
    for row in county.decide().to_dict("records"):
        case = json.loads(row["trace"])["case"]
        if case["risk"]["pd"] is None:
            continue
        model = json.loads(county.path("pd.json").read_text())["model"]
        said = pd_of(model, case["risk"]["features"], case["policy"]["tenor_days"])
        assert f"{said.pd:f}" == case["risk"]["pd"]
        assert f"{said.challenger:f}" == case["risk"]["challenger"]
        assert said.champion_learnt.margin == case["risk"]["margin"]


def test_loans_too_young_to_have_defaulted_are_left_out(county: Any, loans: Any) -> None:
    county.add("a", "ann")
    county.apply("ann")
    county.loans = loans
    known = county.decision("ann")["pd_model"]
    # repaid early, due in August: by the end of September no such loan could be 90 days late
    young = loans.assign(
        loan_id="Y" + loans["loan_id"], due_on="2024-08-15", closed_on="2024-07-01", defaulted=False
    )
    county.loans = pd.concat([loans, young])
    assert county.decision("ann")["pd_model"] == known
    assert json.loads(county.path("pd.json").read_text())["card"]["loans_too_young"] == len(loans)


def test_an_approved_model_serves_whatever_the_loans_say(county: Any, loans: Any) -> None:
    county.add("a", "ann")
    county.apply("ann")
    county.loans = loans
    first = county.decision("ann")
    folder = county.path("approved")
    folder.mkdir()
    for name in ("manifest.json", *FILES):
        shutil.copy(county.path(name), folder / name)
    county.risk = RiskSettings(model=str(folder / "manifest.json"))
    with pytest.raises(UserError, match="is not approved"):
        county.decide()
    assert gate(folder / "manifest.json", by="committee") == []
    county.loans = None
    assert county.decision("ann")["pd"] == first["pd"]
    assert county.decision("ann")["pd_model"] == first["pd_model"]


def test_the_stored_model_gives_the_stored_probability(county: Any, loans: Any) -> None:
    county.add("a", "ann")
    county.apply("ann")
    county.loans = loans
    found = county.decision("ann")
    stored = PdModel.from_dict(
        {**json.loads(county.path("pd.json").read_text())["model"], "card": {}}
    )
    features = json.loads(found["trace"])["case"]["risk"]["features"]
    said = stored.predict(pd.DataFrame([features], dtype="float64"))[0]
    # learnt from loans of 1 January to 1 December, 334 days; the line runs 330
    assert json.loads(county.path("pd.json").read_text())["card"]["loan_days"] == 334
    of_tenor = 1 - (1 - said.pd) ** (330 / 334)
    assert of_tenor <= found["pd"] < of_tenor + 1.001e-6
    assert found["pd_model"] == stored.label


def test_loans_in_another_currency_teach_nothing_and_stop_nothing(
    county: Any, loans: pd.DataFrame
) -> None:
    county.add("a", "ann")
    county.apply("ann")
    county.loans = loans
    known = county.decision("ann")["pd_model"]
    foreign = loans.assign(
        loan_id="Z" + loans["loan_id"], currency="EUR", defaulted=~loans["defaulted"]
    )
    county.loans = pd.concat([loans, foreign])
    assert county.decision("ann")["pd_model"] == known
    county.loans = foreign
    county.decide()
    card = json.loads(county.path("pd.json").read_text())["card"]
    assert card["problem"] == "loans=0 needed=200"


def test_a_bad_application_is_told_in_words(county: Any) -> None:
    county.add("a", "ann")
    county.apply("ann", annual_debt_service="12.000")
    found = county.decision("ann")
    assert found["access"] == "review"
    assert found["reasons"][0] == (
        "Your application cannot be used as it is: the yearly debt service is 12.000 and has more "
        "decimals than the currency. Correct it, or bring the papers."
    )
    assert "年还款额“12.000”的小数位多于该货币" in found["reasons_zh"][0]


def test_farmers_of_one_household_share_its_caps(county: Any, name_of: Any, loans: Any) -> None:
    county.risk = RiskSettings(trees=40, search=0)
    county.loans = loans
    for farmer, x in (("ann", 0), ("bob", 2000)):
        county.add(f"{farmer}1", farmer, x=x, width=400, height=400)
        county.apply(farmer, household_id="home", household_size=1)
    both = county.decide()
    rows = read_table(county.path("profiles.parquet")).set_index("level")
    home = rows.loc["household"]
    assert home["farmers"] == 2
    total = both["limit_capacity_minor"].sum()
    harvest = home["income_q10_minor"] + home["crop_cost_minor"]
    # 2 x 16 ha at 6,000 a hectare
    assert home["crop_cost_minor"] == 19_200_000
    assert total <= (harvest - home["household_need_minor"] - home["debt_service_minor"]) / 1.25


def test_a_households_free_income_is_what_debts_leave_of_each_farmer(county: Any) -> None:
    for farmer, x, debt in (("ann", 0, 1_000), ("bob", 500, 20_000)):
        county.add(farmer, farmer, x=x)
        county.apply(
            farmer, household_id="home", household_size=1, annual_debt_service=str(debt),
        )  # fmt: skip
    county.hand_in("income_proof", farmer_id="bob", amount="2100")
    found = county.decide()
    # crops 6 t x .97 x 2,400 - 6,000 = 7,968 each, need 3,000 each; off-farm 2,100 x .7 pays 70 of
    # ann's debt of 1,000 and 1,400 of bob's: 7,968 - 3,000 - 930 for ann, and bob has nothing left
    for trace in found["trace"]:
        assert json.loads(trace)["case"]["household_free_minor"] == 403_800


def test_a_county_decided_some_farmers_at_a_time_is_the_same_to_the_byte(
    county: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(county)
    county.decide()
    files = ("decisions.parquet", "outcomes_decide.parquet", "pd.json", "cover_turns.parquet")
    whole = {name: county.path(name).read_bytes() for name in files}
    asked: list[int] = []
    told = decide.risk_cases

    def seen(people: pd.DataFrame, *more: Any) -> Any:
        asked.append(len(people))
        return told(people, *more)

    monkeypatch.setattr(decide, "_AT_ONCE", 2)
    monkeypatch.setattr(decide, "risk_cases", seen)
    county.decide()
    assert asked == [2, 2, 1]
    assert {name: county.path(name).read_bytes() for name in files} == whole


def test_rows_of_farmers_are_those_of_the_table_in_whatever_order_they_are_asked_for() -> None:
    rng = np.random.default_rng(1)
    table = pd.DataFrame({
        "farmer_id": [f"F{n:04d}" for n in rng.integers(0, 900, 2500)],
        "parcel_id": [f"P{n:04d}" for n in range(2500)], "area": rng.random(2500),
    })  # fmt: skip
    own = OwnRows(table)
    names = sorted(set(table["farmer_id"]))
    assert list(own) == names
    for order in (names, names[::-1], rng.permutation(names).tolist(), [*names, *names[:2]]):
        for name in order:
            assert own[name] == table[table["farmer_id"] == name].to_dict("records")
    assert own.get("F9999", ()) == ()
    assert list(OwnRows(table.iloc[:0])) == []
