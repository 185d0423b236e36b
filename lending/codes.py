"""Evidence, relation and reason codes as data: effect, English and Chinese text, remedy.

Owns the loaders of `data/evidence_codes.csv`, `data/relation_codes.csv`, `data/reason_codes.csv`,
`data/reason_ways.csv` and `data/farmer_remedies.csv`; the texts belong to the people who answer for
them. A code that is not in its table is a defect, not a new code; an outcome without a farmer's
remedy is the lender's task.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Literal

from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.reference import table_rows

Effect = Literal["none", "lower", "review", "block"]

EFFECTS: tuple[Effect, ...] = ("none", "lower", "review", "block")
"""Effects from the weakest to the strongest."""


@dataclass(frozen=True)
class EvidenceCode:
    """One row of `data/evidence_codes.csv`."""

    code: str
    effect: Effect
    """`none` noted, `lower` smaller area or cheaper crop counts, `review` a person decides,
    `block` the parcel counts for nothing, and stops a farmer who has no other."""
    conflict: bool
    """Whether the farmer's own statement was found wrong: what the default model counts. A doubt of
    the image model, a stale register or another's claim is none."""
    english: str
    chinese: str
    remedy: str


@dataclass(frozen=True)
class ReasonCode:
    """One row of `data/reason_codes.csv`; texts hold `{value}`, `{threshold}`, `{extra}` and, where
    what would change the answer is found by deciding again, `{way}`."""

    code: str
    """Code, or `code:variant` for another text of the same code."""
    rank: int
    """Vetoes 1, reviews 2, risk 3, limit 4: lower ranks are told first."""
    english: str
    chinese: str
    change_english: str
    """What would change the answer."""
    change_chinese: str


def known_effect(table: str, code: str, effect: str, effects: Iterable[str]) -> None:
    """Refuse an effect that a table of codes cannot have.

    Raises:
        UserError: It is none of `effects`.
    """
    known = tuple(effects)
    if effect not in known:
        raise UserError(
            f"data/{table} gives {code} the effect {effect!r}",
            f"write one of {', '.join(known)}",
        )


@cache
def evidence_codes() -> dict[str, EvidenceCode]:
    """Return the evidence codes by name.

    Raises:
        UserError: A row gives an effect that there is not.
    """
    rows = table_rows("evidence_codes.csv")
    for row in rows:
        known_effect("evidence_codes.csv", row["code"], row["effect"], EFFECTS)
    return {
        row["code"]: EvidenceCode(conflict=row.pop("conflict") == "1", **row)  # type: ignore[arg-type]
        for row in rows
    }


RelationEffect = Literal["none", "review"]

RELATION_EFFECTS: tuple[RelationEffect, ...] = ("none", "review")
"""What a relation may do: it is no proof of anything, so none declines and none lowers."""


@dataclass(frozen=True)
class RelationCode:
    """One row of `data/relation_codes.csv`; its words for the farmer are the reason `review_`."""

    code: str
    effect: RelationEffect
    """`none` noted for the officer, `review` a person decides."""
    english: str
    chinese: str


@cache
def relation_codes() -> dict[str, RelationCode]:
    """Return the relation codes by name.

    Raises:
        UserError: A row gives an effect that a relation cannot have.
    """
    rows = table_rows("relation_codes.csv")
    for row in rows:
        known_effect("relation_codes.csv", row["code"], row["effect"], RELATION_EFFECTS)
    return {row["code"]: RelationCode(**row) for row in rows}  # type: ignore[arg-type]


@dataclass(frozen=True)
class FarmerRemedy:
    """What a farmer can do about an outcome; the remedy of `data/outcome_codes.csv` is for the
    lender's operator, who edits files and settings."""

    english: str
    chinese: str


NOT_THE_FARMERS = FarmerRemedy(
    "Nothing needed from you: the lender completes its data",
    "无需您采取措施，由贷款机构补充数据",
)
"""What is said of an outcome that only the lender can put right."""


@cache
def _farmer_remedies() -> dict[str, FarmerRemedy]:
    rows = table_rows("farmer_remedies.csv")
    return {row["code"]: FarmerRemedy(row["english"], row["chinese"]) for row in rows}


def farmer_remedy(outcome: str) -> FarmerRemedy:
    """Return what a farmer is told to do about an outcome code, whatever the operator has to do."""
    return _farmer_remedies().get(outcome, NOT_THE_FARMERS)


@dataclass(frozen=True)
class ReasonWay:
    """One row of `data/reason_ways.csv`; texts hold `{what}` and `{most}`."""

    english: str
    chinese: str


@cache
def reason_ways() -> dict[str, ReasonWay]:
    """Return the texts of what would change an answer, by the name of the way."""
    rows = table_rows("reason_ways.csv")
    return {row["way"]: ReasonWay(row["english"], row["chinese"]) for row in rows}


@cache
def reason_codes() -> dict[str, ReasonCode]:
    """Return the reason codes by name."""
    return {
        row["code"]: ReasonCode(rank=int(row.pop("rank")), **row)
        for row in table_rows("reason_codes.csv")
    }


def conflicting(codes: Iterable[str]) -> bool:
    """Whether one of these evidence codes says that the farmer's own statement was wrong."""
    return any(evidence_codes()[code].conflict for code in codes)


def strongest(codes: list[str]) -> Effect:
    """Return the strongest effect among evidence codes, `none` for no code."""
    ranks = [EFFECTS.index(evidence_codes()[code].effect) for code in codes]
    return EFFECTS[max(ranks, default=0)]
