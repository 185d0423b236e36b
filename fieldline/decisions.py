"""Decisions as a notebook reads them: money in currency units, traces parsed and replayed.

Owns the reading side only: nothing is decided here but by `replay`, which hands a stored trace to
the rule that made it. Amounts stay `Decimal` with their currency beside them.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

import pandas as pd

from fieldline.artifacts import facts_as_html
from fieldline.lending.decision.decision import Decision
from fieldline.lending.decision.replay import replay as replay_text
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.money import from_minor, shown_amount

_MINOR = "_minor"
_CAPS = ("need", "capacity", "policy", "exposure")


@dataclass(frozen=True)
class StoredDecision:
    """One farmer's decision as `decisions.parquet` holds it, money in units of `currency`."""

    decision_id: str
    """Hash of inputs, models and policy."""
    farmer_id: str
    household_id: str
    access: Literal["approve", "review", "decline"]
    currency: str
    """ISO 4217 code of every amount."""
    limit: Decimal
    """Limit offered, zero unless approved."""
    caps: dict[str, Decimal | None]
    """The four caps: `need`, `capacity`, `policy`, `exposure`; the limit is below the least."""
    annual_rate: Decimal | None
    """Yearly rate as a fraction; None where no model gave a PD."""
    rate_ceiling: Decimal | None
    """Legal ceiling of the rate on the as-of date, as a fraction."""
    pd: float | None
    """Probability of default within the tenor, 0..1; None where no model judged."""
    pd_challenger: float | None
    """The readable challenger's probability, 0..1."""
    reason_codes: tuple[str, ...]
    """At most four, vetoes first."""
    reasons: tuple[str, ...]
    """The same in English with the applicant's numbers."""
    reasons_zh: tuple[str, ...] = field(repr=False)
    """The same in Chinese."""
    outcomes: tuple[str, ...]
    """Outcome codes of the farmer's parcels."""
    pd_model: str
    """Name and content hash of the default model; empty where none."""
    policy: str
    """Content hash of the policy."""
    as_of: dt.date
    """Knowledge date."""

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> StoredDecision:
        """Read a decision from a row of `decisions.parquet` as plain values."""
        currency = row["currency"]
        lists: dict[str, Any] = {name: tuple(row[name]) for name in _LISTS}
        return cls(
            **{name: row[name] for name in _PLAIN},
            **lists,
            limit=_units(row["limit_minor"], currency),
            caps={cap: _known_units(row[f"limit_{cap}_minor"], currency) for cap in _CAPS},
        )

    def _repr_html_(self) -> str:
        return facts_as_html(f"Decision for {self.farmer_id}: {self.access}", self._facts())

    def _facts(self) -> dict[str, str]:
        caps = {f"cap by {name}": self._amount(cap) for name, cap in self.caps.items()}
        reasons = {f"reason {n}": text for n, text in enumerate(self.reasons, start=1)}
        return {
            "limit": self._amount(self.limit),
            **caps,
            "yearly rate": "none" if self.annual_rate is None else f"{self.annual_rate:.2%}",
            "chance of default": "unknown" if self.pd is None else f"{self.pd:.1%}",
            **reasons,
            "as of": str(self.as_of),
            "decision": self.decision_id,
        }

    def _amount(self, amount: Decimal | None) -> str:
        return "none" if amount is None else _shown(amount, self.currency)


_LISTS = ("reason_codes", "reasons", "reasons_zh", "outcomes")
_PLAIN = tuple(
    name for name in StoredDecision.__dataclass_fields__ if name not in (*_LISTS, "limit", "caps")
)


class Trace(Mapping[str, Any]):
    """One decision's trace: everything that it depended on, and its result.

    Reads like a dictionary (`trace["case"]["policy"]`); money in it is in minor units, and decimals
    are texts, as stored.

    Args:
        text: The trace as `decisions.parquet` or the offer store holds it.

    Raises:
        UserError: The text is no trace.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        try:
            content = json.loads(text)
        except json.JSONDecodeError as error:
            raise _no_trace(text) from error
        if not isinstance(content, dict) or not {"case", "result"} <= content.keys():
            raise _no_trace(text)
        self._content = content

    def __getitem__(self, key: str) -> Any:
        return self._content[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._content)

    def __len__(self) -> int:
        return len(self._content)

    @property
    def case(self) -> dict[str, Any]:
        """Everything that the decision depended on: parcels, means, risk, ceiling, policy."""
        return dict(self._content["case"])

    @property
    def result(self) -> dict[str, Any]:
        """The decision as it was stored."""
        return dict(self._content["result"])

    @property
    def decision_id(self) -> str:
        """Hash of the case."""
        return str(self._content["result"]["decision_id"])

    def __repr__(self) -> str:
        result, case = self._content["result"], self._content["case"]
        return (
            f"Trace of decision {result['decision_id']}: {result['access']} for farmer "
            f"{case['farmer_id']} as of {case['as_of']}, {len(case['parcels'])} parcels"
        )


def replay(trace: Trace | str) -> Decision:
    """Decide a stored case again and hold the result against the stored one.

    Args:
        trace: A trace, or its text.

    Returns:
        The decision made anew, money in minor units.

    Raises:
        UserError: The text is no trace, or the case does not give the stored result.
    """
    return replay_text(trace.text if isinstance(trace, Trace) else Trace(trace).text)


def with_units(frame: pd.DataFrame) -> pd.DataFrame:
    """Add to each `*_minor` column its amount in currency units, as `Decimal`, on its right.

    Args:
        frame: A table with a `currency` column and amounts in minor units; missing stays missing.

    Returns:
        A new frame; `limit_minor` 1230000 of CNY gives `limit` 12300.
    """
    found = frame.copy()
    for name in [str(column) for column in frame.columns if str(column).endswith(_MINOR)]:
        amounts = [
            None if pd.isna(minor) else _units(int(minor), currency)
            for minor, currency in zip(frame[name], frame["currency"], strict=True)
        ]
        place = list(found.columns).index(name) + 1
        units = pd.Series(amounts, index=frame.index, dtype=object)
        found.insert(place, name.removesuffix(_MINOR), units)
    return found


def _known_units(minor: int | None, currency: str) -> Decimal | None:
    return None if minor is None else _units(minor, currency)


def _units(minor: int, currency: str) -> Decimal:
    return from_minor(minor, currency)


def _shown(amount: Decimal, currency: str) -> str:
    return shown_amount(amount, currency)


def _no_trace(text: str) -> UserError:
    return UserError(
        f"{text[:40]!r} is no trace of a decision",
        "give the trace column of decisions.parquet, or county.trace(farmer_id)",
    )
