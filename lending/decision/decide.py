"""Decide: every farmer who named a parcel gets exactly one decision.

Owns bringing the artifacts together into cases and writing decisions.parquet; the rule itself is
`lending.decision`, the model `lending.risk`. A farmer whose every outline was refused is decided
like everybody else, with the refusal's remedy as the reason.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd

from fieldline.lending.decision.backed import CoverCase
from fieldline.lending.decision.case import (
    Case,
    CeilingCase,
    GuarantorCase,
    ParcelCase,
    PartyCase,
    RiskCase,
    policy_hash,
)
from fieldline.lending.decision.confidence import least_confidence
from fieldline.lending.decision.covers import read_pools, write_turns
from fieldline.lending.decision.decision import Decision
from fieldline.lending.decision.folder import Folder, open_folder
from fieldline.lending.decision.judge import Judge, read_judge
from fieldline.lending.decision.row import decision_row
from fieldline.lending.decision.rule_choice import tables_case
from fieldline.lending.decision.shared import in_turn
from fieldline.lending.decision.tariffs import ceiling_on, scale_on
from fieldline.lending.risk.features import of_profiles
from fieldline.lending.risk.serve import Served, serve
from fieldline.lending.schemas import DECISIONS
from fieldline.lending.settings import PolicySettings
from fieldline.pipeline.records.canonical import canonical
from fieldline.pipeline.records.outcomes import OK, Outcome, detail, write_outcomes
from fieldline.pipeline.records.tables import write_rows, write_text

_CENTIARE = Decimal("0.01")
"""Areas enter a case to the nearest 0.01 m2, so that their text is exact."""
_AT_ONCE = 1024
"""Farmers whose cases are made together."""


def cases(folder: Folder, judge: Judge, policy: PolicySettings) -> Iterator[Case]:
    """Yield the case of every farmer, in the order of the county's farmers.

    A case takes tens of kilobytes, so those of a county are never held together: they are made for
    so many farmers at a time, and the model is asked for all of these at once.

    Args:
        folder: The county's artifacts.
        judge: Default model.
        policy: Policy snapshot.
    """
    people = folder.profiles[folder.profiles["level"] == "farmer"].set_index("party_id", drop=False)
    people = people.loc[folder.farmers["farmer_id"]]
    homes = folder.profiles[folder.profiles["level"] == "household"].set_index("party_id")
    free = _free_by_household(people)
    found = ceiling_on(policy.rate_ceiling_file, folder.currency, folder.as_of)
    ceiling = CeilingCase(**{name: getattr(found, name) for name in CeilingCase.model_fields})
    for start in range(0, len(people), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        yield from _cases_of(
            people.iloc[some], folder.farmers["refusals"].iloc[some], homes, free, ceiling,
            folder=folder, judge=judge, policy=policy,
        )  # fmt: skip


def _cases_of(
    people: pd.DataFrame, refused: pd.Series, homes: pd.DataFrame, free: dict[str, int],
    ceiling: CeilingCase, *, folder: Folder, judge: Judge, policy: PolicySettings,
) -> Iterator[Case]:  # fmt: skip
    risks = risk_cases(people, judge, policy.tenor_days)
    for row, refusals, risk in zip(people.to_dict("records"), refused, risks, strict=True):
        own = tuple(
            _parcel(parcel, folder, policy.scale_file)
            for parcel in folder.parcels.get(row["party_id"], ())
        )
        tables = tables_case(policy, folder.county, folder.as_of, own)
        yield Case(
            farmer_id=row["party_id"],
            household_id=row["household_id"],
            as_of=folder.as_of,
            currency=folder.currency,
            parcels_declared=row["parcels"],
            refusals=tuple(sorted(refusals)),
            **_application(folder.by_farmer.get(row["party_id"], [])),
            parcels=own,
            farmer=_party(row),
            household=_party(homes.loc[row["household_id"]].to_dict()),
            household_free_minor=free[row["household_id"]],
            evidence_area_m2=_area(row["evidence_area_m2"]),
            risk=risk,
            ceiling=ceiling,
            policy=policy,
            joint_members=int(row["joint_members"]),
            guarantors=_guarantors(row),
            relations=folder.relations.get(row["party_id"], ()),
            exclusions=folder.exclusions.get(row["party_id"], ()),
            tables=tables,
            confidence=None if tables is None else least_confidence(own, folder.confidence),
            contracts=folder.contracts.get(row["party_id"], ()),
            preapproved=folder.preapproved.get(row["party_id"]),
            cover=folder.turns.get(row["party_id"]),
        )


def _free_by_household(people: pd.DataFrame) -> dict[str, int]:
    free = (
        people["income_q10_minor"]
        - people["household_need_minor"]
        - (people["debt_service_minor"] - people["debt_elsewhere_minor"])
    )
    sums = free.clip(lower=0).groupby(people["household_id"]).sum()
    return {str(household): int(amount) for household, amount in sums.items()}


def _application(rows: list[tuple[str, str, str]]) -> dict[str, str]:
    own = [(code, text) for stage, code, text in rows if stage == "profile"]
    code, text = own[0] if own else (OK, "")
    return {"application": code, "application_detail": text}


def _party(row: dict[Any, Any]) -> PartyCase:
    requested = row["requested_minor"]
    return PartyCase(
        farmers=row["farmers"],
        income_q10_minor=row["income_q10_minor"],
        income_q50_minor=row["income_q50_minor"],
        debt_service_minor=row["debt_service_minor"],
        debt_elsewhere_minor=row["debt_elsewhere_minor"],
        household_need_minor=row["household_need_minor"],
        requested_minor=None if pd.isna(requested) else int(requested),
        crop_cost_minor=row["crop_cost_minor"],
        guaranteed_minor=row["guaranteed_minor"],
        guaranteeing_minor=row["guaranteeing_minor"],
        off_farm_idle_minor=int(row["off_farm_idle_minor"]),
        household_size=int(row["household_size"]),
    )


def _guarantors(row: dict[Any, Any]) -> tuple[GuarantorCase, ...]:
    pairs = zip(row["outside_guarantors"], row["outside_amounts"], strict=True)
    return tuple(
        GuarantorCase(guarantor_id=str(name), guaranteed_minor=int(minor)) for name, minor in pairs
    )


def _parcel(row: dict[str, Any], folder: Folder, scales: str | None) -> ParcelCase:
    crop = str(row["crop"]) if _is_valued(row) else None
    cost = None if pd.isna(row["cost_per_ha_minor"]) else int(row["cost_per_ha_minor"])
    scale = scale_on(scales, crop, folder.currency, folder.as_of, cost) if crop else None
    codes = {code for _, code, _ in folder.by_parcel.get(row["parcel_id"], [])}
    declared = row["declared_area_m2"]
    return ParcelCase(
        parcel_id=row["parcel_id"],
        declared_area_m2=None if pd.isna(declared) else _area(declared),
        evidence_area_m2=_area(row["evidence_area_m2"]),
        declared_crop=_text(row["declared_crop"]),
        seen_crop=_text(row["seen_crop"]),
        valued_crop=crop,
        crop_basis=_text(row["crop_basis"]) or "none",
        scale_minor_per_mu=scale.minor_per_mu if scale else 0,
        scale_basis=scale.basis if scale else "none",
        codes=tuple(row["codes"]),
        effect=row["effect"],
        outcomes=tuple(sorted(codes)),
        protected_m2=_area(row["protected_m2"]),
    )


def _is_valued(row: dict[str, Any]) -> bool:
    """Whether a harvest has a crop, a cost, and a yield at a price or a value by area."""
    sold = not any(pd.isna(row[name]) for name in ("price_q50_minor", "yield_q50_t_ha"))
    by_area = not pd.isna(row["gross_q50_minor_ha"])
    return not pd.isna(row["crop"]) and not pd.isna(row["cost_per_ha_minor"]) and (sold or by_area)


def _area(value: float) -> Decimal:
    return Decimal(repr(float(value))).quantize(_CENTIARE)


def _text(value: Any) -> str | None:
    return None if pd.isna(value) else str(value)


def risk_cases(people: pd.DataFrame, judge: Judge, days: int) -> list[RiskCase]:
    """Return what the model says of every farmer with a valued parcel.

    A farmer without any is not judged: the reason is the missing value, not a risk.

    Args:
        people: PROFILES rows of farmers.
        judge: Default model.
        days: Tenor of the product, to which the probabilities are brought.
    """
    table = of_profiles(people)
    features = table.astype("object").where(table.notna(), None).to_dict("records")
    model = None if judge.problem else judge.model
    served: Sequence[Served | None] = (
        [None] * len(people) if model is None else serve(model, table, days)
    )
    judged = [
        _risk(row, said, judge) if valued else _unjudged(row, "")
        for row, said, valued in zip(features, served, people["parcels_valued"] > 0, strict=True)
    ]
    loans = zip(people["finished_loans"], people["prior_loans"], strict=True)
    return [
        risk if pd.isna(finished) or finished == on_record
        else risk.model_copy(update={"finished_loans": int(finished)})
        for risk, (finished, on_record) in zip(judged, loans, strict=True)
    ]  # fmt: skip


def _unjudged(features: dict[Any, Any], problem: str) -> RiskCase:
    return RiskCase(
        model="", problem=problem, pd=None, challenger=None, margin=None, bias=None,
        features=features, contributions={}, cohort={},
    )  # fmt: skip


def _risk(features: dict[Any, Any], said: Served | None, judge: Judge) -> RiskCase:
    model = judge.model
    if said is None or model is None:
        return _unjudged(features, judge.problem)
    return RiskCase(
        model=model.label,
        problem="",
        pd=said.pd,
        challenger=said.challenger,
        margin=said.champion_learnt.margin,
        bias=said.champion_learnt.bias,
        features=features,
        contributions=said.champion_learnt.contributions,
        cohort=model.cohort,
    )


def crop_model_of(card: Path | None) -> str:
    """Return what the crops were told by, from the card of the model; empty where none is known.

    Args:
        card: `models/crop_classifier.json` of the county and season.
    """
    if card is None or not card.is_file():
        return ""
    return str(json.loads(card.read_text(encoding="utf-8"))["model"])


_OUTCOME = {"approve": OK, "review": "to_review", "decline": "declined"}


def _outcome(farmer_id: str, decision: Decision) -> Outcome:
    codes = "+".join(reason.code for reason in decision.reasons)
    return Outcome("decide", "", farmer_id, _OUTCOME[decision.access], detail(reasons=codes))


def run_decide(
    *,
    farmers: Path,
    profiles: Path,
    evidence: Path,
    harvests: Path,
    model: Path,
    crop_card: Path | None = None,
    relations: Path | None = None,
    exclusions: Path | None = None,
    crops: Path | None = None,
    contracts: Path | None = None,
    covers: Path | None = None,
    preapproved: Path | None = None,
    parts: Sequence[Path],
    county: str = "",
    as_of: dt.date,
    currency: str,
    policy: PolicySettings,
    out: Path,
    card: Path,
    turns: Path | None = None,
    outcomes: Path,
) -> None:
    """Write decisions.parquet, cover_turns.parquet, models/pd.json and one outcome a farmer.

    Args:
        farmers: farmers.parquet.
        profiles: profiles.parquet.
        evidence: evidence.parquet.
        harvests: harvests.parquet.
        model: `manifest.json` of the model folder that judges.
        crop_card: Card of the model that told the crops, for the trace.
        relations: relations.parquet; None where nobody looked for any.
        exclusions: exclusions.parquet; None where the lender keeps no list.
        crops: crops.parquet; None where no crop was told.
        contracts: contracts.parquet; None where the lender has none.
        covers: covers.parquet; None where nobody covers lines.
        preapproved: preapproved.parquet; None where the lender keeps no list.
        parts: Outcome files of the earlier stages.
        county: Id of the county.
        as_of: Knowledge date.
        currency: The county's currency.
        policy: Product and policy.
        out: decisions.parquet.
        card: models/pd.json.
        turns: cover_turns.parquet: the cover that each farmer found in turn.
        outcomes: outcomes/decide.parquet.
    """
    folder = open_folder(
        farmers=farmers, profiles=profiles, evidence=evidence, harvests=harvests, parts=parts,
        currency=currency, as_of=as_of, relations=relations, exclusions=exclusions,
        crops=crops, contracts=contracts, preapproved=preapproved, county=county,
    )  # fmt: skip
    judge = read_judge(model)
    label, crop_model = policy_hash(policy), crop_model_of(crop_card)
    covered: list[tuple[str, CoverCase]] = []
    told: list[Outcome] = []

    def rows() -> Iterator[dict[str, Any]]:
        for case, decision in in_turn(cases(folder, judge, policy), read_pools(covers)):
            covered.extend([] if case.cover is None else [(case.farmer_id, case.cover)])
            told.append(_outcome(case.farmer_id, decision))
            yield decision_row(case, decision, label, crop_model)

    write_rows(rows(), DECISIONS, out)
    if turns is not None:
        write_turns(covered, turns)
    table = of_profiles(folder.profiles.query("level == 'farmer' and parcels_valued > 0"))
    write_text(card, canonical(judge.document(table)) + "\n")
    write_outcomes(told, outcomes)
