"""Every remedy that a code promises can be supplied, and supplying it changes the decision."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fieldline.lending.codes import evidence_codes, reason_codes
from fieldline.lending.decision.case import Case
from fieldline.lending.decision.decide import cases
from fieldline.lending.decision.decision import Decision, decide_case, weigh
from fieldline.lending.decision.folder import open_folder
from fieldline.lending.decision.judge import Judge, read_judge
from fieldline.lending.decision.reasons import risk_findings
from fieldline.lending.risk.training import run_risk_train
from fieldline.lending.settings import PolicySettings, RiskSettings
from fieldline.pipeline.records.outcomes import outcome_codes
from fieldline.pipeline.records.reference import table_rows
from tests.lending.remedies import (
    EVIDENCE,
    PROMISES,
    REASONS,
    Remedy,
    figures,
    more_land,
    photo,
    with_rice,
)

RANK = {"decline": 0, "review": 1, "approve": 2}
NOTHING = ("No action needed", "Nothing needed from you")
NO_OFFER_OF_THE_FARMERS = {
    # What is done about them is the lender's, or time's: they ask nothing of anybody.
    "review_models_disagree", "review_second_model", "price_above_ceiling", "risk_hazard_index",
    "risk_of_default", "limit_policy", "person_approved", "expert_scorecard",
    # Live lines and people's decisions stand in the store; its own tests supply what they ask.
    "limit_live_lines", "person_declined",
    # Told only where a lender gives an evidence code another effect than the table has.
    "veto_evidence", "left_out_evidence", "review_evidence",
    # Told by a lender's own decision tables, or by a list that somebody else keeps.
    "veto_policy_rule", "veto_excluded", "review_excluded", "limit_preapproved",
    # What a guarantee company's cover means; it asks nothing.
    "covered",
}  # fmt: skip


@pytest.fixture(scope="module")
def judge(loans: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Judge:
    path = tmp_path_factory.mktemp("loans") / "loans.csv"
    # every feature tells on these: a model learns from loans what each of them is worth
    luck, thin = np.random.default_rng(5).random((2, len(loans)))
    shares = {name: loans[name] / loans["income_q50"] for name in ("debt_service", "income_q10")}
    score = (
        -5.0 + 1.5 * (thin < 0.3) + 3 * shares["debt_service"] - shares["income_q10"]
        + 0.02 * loans["hazard_index"] + 1.2 * loans["prior_late"] - 0.4 * loans["prior_loans"]
        + 1.2 * loans["conflicts"] + 2.5 * (1 - loans["stability"])
    )  # fmt: skip
    chance = 1 / (1 + np.exp(-score))
    loans.assign(defaulted=luck < chance, thin_file=thin < 0.3).to_csv(path, index=False)
    manifest = path.parent / "model" / "manifest.json"
    run_risk_train(
        loan_history=path, as_of=pd.Timestamp("2024-09-30").date(), currency="CNY",
        risk=RiskSettings(trees=60, folds=2, search=0), policy=PolicySettings(), table_columns={},
        out=manifest, outcomes=path.parent / "outcomes.parquet",
    )  # fmt: skip
    return read_judge(manifest)


@pytest.fixture
def decided(
    county_kind: Any, judge: Judge, tmp_path: Path, name_of: Any
) -> Callable[..., tuple[Case, Decision]]:
    def decide(*steps: Callable[[Any], None]) -> tuple[Case, Decision]:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        county = county_kind(folder)
        for step in steps:
            step(county)
        county.relate()
        artifacts = {
            name: county.path(f"{name}.parquet")
            for name in ("farmers", "profiles", "evidence", "harvests", "relations")
        }
        parts = [
            county.path(f"outcomes_{name}.parquet") for name in ("observe", "evidence", "profile")
        ]
        artifacts["contracts"] = county.path("contracts.parquet")
        read = open_folder(**artifacts, parts=parts, currency="CNY", as_of=county.as_of)
        found = {case.farmer_id: case for case in cases(read, judge, county.policy)}
        case = found[name_of("ann")]
        return case, decide_case(case)

    return decide


def standing(case: Case, decision: Decision) -> tuple[float, ...]:
    """Return what may become better, the most important first."""
    least = min(
        decision.limit_need_minor, decision.limit_capacity_minor, decision.limit_policy_minor,
        decision.limit_exposure_minor,
    )  # fmt: skip
    risk = -float(decision.pd) if decision.pd is not None else -1.0
    return RANK[decision.access], decision.limit_minor, least, risk


LETTERS = {
    **dict.fromkeys(("area_overdrawn", "area_conflict_registry", "own_overlap"), "area_lowered"),
    "crop_unknown": "review_not_valued",
    **{code: f"review_{code}" for code in (
        "crop_conflict", "facility_unproven", "never_bare", "no_crop_cycle", "no_field_seen",
        "registry_unclear", "claimed_by_other",
    )},
    **{code: f"veto_{code}" for code in ("holder_conflict", "claim_refuted", "protected_overlap")},
}  # fmt: skip
"""Reason by which the letter tells of an evidence code; one without an entry has its own name."""
ON_FILE_ALONE = {"crop_unlearnt"}
"""Codes whose remedy an officer reads in the file and no letter prints."""


def told(case: Case, decision: Decision) -> set[str]:
    """Return every reason that the case tells, of the decision and of its risk, with variants."""
    found = [] if case.risk.pd is None else list(risk_findings(case.risk))
    found += weigh(case).found
    return {f.code for f in found} | {f"{f.code}:{f.variant}" for f in found}


def promising() -> list[str]:
    """Return the codes of both tables whose remedy asks something of the farmer."""
    of_evidence = [c.code for c in evidence_codes().values() if not c.remedy.startswith(NOTHING)]
    of_reasons = [
        code.code
        for code in reason_codes().values()
        if not code.change_english.startswith(NOTHING)
        and code.code.partition(":")[0] not in NO_OFFER_OF_THE_FARMERS
    ]
    return of_evidence + [code for code in of_reasons if not code.endswith(SAME_WORDS)]


SAME_WORDS = (":expert", ":undeclared", ":loss", ":unknown")
"""Variants that ask for what the code without them asks for, by the same paper."""


@pytest.mark.parametrize("code", promising())
def test_supplying_a_remedy_changes_the_decision(code: str, decided: Any) -> None:
    remedy: Remedy = {**EVIDENCE, **REASONS}[code]
    before, after = decided(remedy.before), decided(remedy.before, remedy.supply)
    if code in ON_FILE_ALONE:
        assert code in {c for parcel in before[0].parcels for c in parcel.codes}
    else:
        assert LETTERS.get(code, code) in told(*before)
    assert standing(*after) > standing(*before)


@pytest.mark.parametrize("way", PROMISES)
def test_the_paper_that_a_sentence_names_gives_the_line_that_it_names(
    way: str, decided: Any
) -> None:
    promise = PROMISES[way]
    _, first = decided(promise.before)
    *numbers, most = figures(promise, " ".join(reason.english for reason in first.reasons))
    _, then = decided(promise.before, lambda county: promise.supply(county, *numbers))
    assert then.access == "approve"
    # a better record may lower the rate too, and the line be larger still
    assert then.limit_minor >= int(most) * 100 > first.limit_minor


def test_every_way_of_a_sentence_has_its_paper() -> None:
    others = {
        # a person's decision stands in the store, and its tests supply it
        "person", "asked", "none", "below", "price", "no_price",
        # asked for by the reason of a risk, in words without figures
        "lower_debts", "more_land", "more_crops",
    }  # fmt: skip
    assert {row["way"] for row in table_rows("reason_ways.csv")} - others == set(PROMISES)


@pytest.mark.parametrize("code", [row["code"] for row in table_rows("farmer_remedies.csv")])
def test_what_a_farmer_is_told_of_an_outcome_helps(code: str, decided: Any) -> None:
    known = outcome_codes()[code]
    if code.startswith("evidence"):
        assert "other reasons" in {r["code"]: r for r in table_rows("farmer_remedies.csv")}[code][
            "english"
        ]  # fmt: skip
        return
    photographed = code in ("no_crop", "cannot_tell", "no_crop_cycle", "no_planted_land")
    if photographed:

        def before(county: Any) -> None:
            with_rice(county, seen_crop=None, prediction_set=[], yield_t_ha=None)
            county.stopped["nothing"] = known.code

        supply: Callable[[Any], None] = lambda county: photo(county, "rice")  # noqa: E731
    else:

        def before(county: Any) -> None:
            county.refused["ann"] = [code]
            county.apply("ann")

        supply = more_land
    first, then = decided(before), decided(before, supply)
    assert standing(*then) > standing(*first)


def test_no_fixture_is_of_a_code_that_nobody_tells() -> None:
    assert set(EVIDENCE) <= set(evidence_codes())
    assert set(REASONS) <= set(reason_codes())
