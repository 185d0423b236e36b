"""A probability of default that was exchanged is found, though all that follows from it agrees."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from fieldline.lending.decision.case import Case, policy_hash
from fieldline.lending.decision.decision import decide_case
from fieldline.lending.decision.replay import read_trace
from fieldline.lending.decision.row import decision_row
from fieldline.lending.store.database import DOCUMENTS, open_database, reading
from fieldline.lending.store.documents import crop_model_label, model_label
from fieldline.lending.store.posting import Shelf, post
from fieldline.lending.store.replays import replay_stored
from fieldline.lending.store.verify import verify
from fieldline.pipeline.records.canonical import content_hash
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.reference import table_hash
from fieldline.pipeline.records.tables import read_table

SHELF = Shelf("T", "2024", "season-line")


@pytest.fixture
def decided(county: Any, loans: pd.DataFrame) -> Any:
    """A county with two approved farmers, judged by a trained model."""
    county.loans = loans
    county.add("a", "ann", width=200)
    county.add("b", "bob", x=1000)
    county.apply("ann")
    county.apply("bob")
    county.decide()
    return county


def posted(decided: Any, frame: pd.DataFrame, path: Path) -> sa.Engine:
    engine = open_database(path)
    model = json.loads(decided.path("pd.json").read_text())
    post(engine, frame, SHELF, decided.policy, model=model)
    return engine


def swapped(row: pd.Series[Any]) -> dict[str, Any]:
    """Return a decision made anew from a better probability, all of it consistent."""
    case = Case.of(read_trace(row["trace"]).case)
    risk = case.risk.model_copy(update={"pd": Decimal("0.001"), "challenger": Decimal("0.001")})
    better = case.model_copy(update={"risk": risk})
    return decision_row(better, decide_case(better), row["policy"])


def test_the_stored_model_gives_the_stored_probabilities(decided: Any, tmp_path: Path) -> None:
    frame = read_table(decided.path("decisions.parquet"))
    engine = posted(decided, frame, tmp_path / "store.sqlite")
    report = replay_stored(engine)
    assert (report.decisions, report.models, report.without_model) == (2, 2, 0)
    assert report.problems == {}
    assert verify(engine).problems == ()


def test_a_swapped_probability_is_named(decided: Any, tmp_path: Path) -> None:
    frame = read_table(decided.path("decisions.parquet"))
    forged = pd.DataFrame([swapped(frame.iloc[0]), frame.iloc[1].to_dict()])
    engine = posted(decided, forged, tmp_path / "store.sqlite")
    assert verify(engine).problems == ()  # it was posted so: the chain itself has nothing to say
    report = replay_stored(engine)
    (found,) = report.problems.items()
    assert found[0] == forged["decision_id"].iloc[0]
    true = read_trace(frame["trace"].iloc[0]).case["risk"]["pd"]
    assert found[1] == f"risk.pd is stored as 0.001 and the model says {true}"


def test_a_decision_by_another_model_than_the_one_given_is_not_posted(
    decided: Any, tmp_path: Path
) -> None:
    frame = read_table(decided.path("decisions.parquet"))
    case = Case.of(read_trace(frame["trace"].iloc[0]).case)
    risk = case.risk.model_copy(update={"model": "pd:0000", "pd": Decimal("0.01")})
    other = case.model_copy(update={"risk": risk})
    row = decision_row(other, decide_case(other), frame["policy"].iloc[0])
    forged = pd.DataFrame([row, frame.iloc[1].to_dict()])
    with pytest.raises(UserError, match="names the default model pd:0000, and the model of this"):
        posted(decided, forged, tmp_path / "store.sqlite")
    assert replay_stored(open_database(tmp_path / "store.sqlite")).decisions == 0


def test_policies_and_tables_lie_there_by_the_hash_that_traces_name(
    decided: Any, tmp_path: Path
) -> None:
    frame = read_table(decided.path("decisions.parquet"))
    engine = posted(decided, frame, tmp_path / "store.sqlite")
    with reading(engine) as connection:
        held = {row.label: json.loads(row.body) for row in connection.execute(sa.select(DOCUMENTS))}
    versions = read_trace(frame["trace"].iloc[0]).versions
    assert content_hash(held[f"policy:{versions['policy']}"], 16) == versions["policy"]
    for name, version in versions["tables"].items():
        assert content_hash(held[f"table:{name}:{version}"], 16) == version == table_hash(name)
    assert held[model_label(versions["model"])]["card"]["version"] == versions["model"]
    assert len(held) == 2 + len(versions["tables"])


def test_the_crop_model_lies_there_by_the_name_that_traces_give_it(
    decided: Any, tmp_path: Path
) -> None:
    frame = read_table(decided.path("decisions.parquet"))
    case = Case.of(read_trace(frame["trace"].iloc[0]).case)
    row = decision_row(case, decide_case(case), frame["policy"].iloc[0], "crop-ensemble:0123")
    frame = pd.DataFrame([row, *frame.iloc[1:].to_dict("records")])
    assert read_trace(row["trace"]).versions["crops"] == "crop-ensemble:0123"
    # What told the crops is no part of what is decided: the decision keeps its id.
    assert row["decision_id"] == decision_row(case, decide_case(case), "")["decision_id"]
    for name, kept in (("crop-ensemble:0123", True), ("crop-ensemble:other", False)):
        engine = open_database(tmp_path / f"{kept}.sqlite")
        card = {"model": name, "held_out": {"macro_f1": 0.9}}
        document = json.loads(decided.path("pd.json").read_text())
        post(engine, frame, SHELF, decided.policy, model=document, crop_card=card)
        with reading(engine) as connection:
            held = {r.label: json.loads(r.body) for r in connection.execute(sa.select(DOCUMENTS))}
        found = {label: body for label, body in held.items() if label.startswith("crop_model:")}
        assert found == ({crop_model_label(name): card} if kept else {})
        assert replay_stored(engine).problems == {}
        assert verify(engine).problems == ()


def test_a_model_under_another_name_is_said(decided: Any, tmp_path: Path, unguarded: Any) -> None:
    frame = read_table(decided.path("decisions.parquet"))
    engine = posted(decided, frame, tmp_path / "store.sqlite")
    name = frame["pd_model"].iloc[0]
    with engine.begin() as connection:
        version = name.rpartition(":")[2]
        other = version[::-1]
        changed = f"body = replace(body, '{version}', '{other}')"
        unguarded(connection, f"UPDATE documents SET {changed} WHERE label LIKE 'model:%'")
    report = replay_stored(engine)
    assert (report.decisions, report.replayed, report.formats) == (2, 0, {"2": 2})
    problems = set(report.problems.values())
    assert len(problems) == 1
    assert f"the stored model {name} is that of pd:{other}" in problems.pop()


def answered(case: Case, **risk: Any) -> pd.DataFrame:
    """Return the decision of a case whose model said something else."""
    changed = case.model_copy(update={"risk": case.risk.model_copy(update=risk)})
    return pd.DataFrame([decision_row(changed, decide_case(changed), policy_hash(changed.policy))])


@pytest.mark.parametrize(
    ("risk", "told"),
    [
        ({}, "the store holds no model pd:test, so its probability cannot be reckoned again"),
        (
            {"model": ""},
            "risk.pd is stored as 0.04 and risk.challenger is stored as 0.05 and no model is named",
        ),
        ({"model": "", "challenger": None}, "risk.pd is stored as 0.04 and no model is named"),
    ],
)
def test_a_probability_that_no_stored_model_gives_is_named(
    case: Case, tmp_path: Path, risk: dict[str, Any], told: str
) -> None:
    engine = open_database(tmp_path / "store.sqlite")
    post(engine, answered(case, **risk), SHELF, case.policy)
    report = replay_stored(engine)
    assert (report.decisions, report.replayed, report.without_model) == (1, 0, 0)
    assert list(report.problems.values()) == [told]


@pytest.mark.parametrize("rules", [1, 2])
def test_decisions_of_the_first_rules_are_counted(case: Case, tmp_path: Path, rules: int) -> None:
    engine = open_database(tmp_path / "store.sqlite")
    post(engine, answered(case.model_copy(update={"rules": rules})), SHELF, case.policy)
    report = replay_stored(engine)
    assert (report.decisions, report.replayed, report.without_model) == (1, 1, 1)
    assert report.problems == {}


def test_a_case_that_no_model_judged_lacks_none(case: Case, tmp_path: Path) -> None:
    engine = open_database(tmp_path / "store.sqlite")
    nobody = {"model": "", "problem": "loans=0 needed=200", "pd": None, "challenger": None}
    post(engine, answered(case, **nobody), SHELF, case.policy)
    report = replay_stored(engine)
    assert (report.decisions, report.replayed, report.problems) == (1, 1, {})
