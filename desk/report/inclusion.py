"""The report's section on fairness: decisions by group of farmers, from fairness.json.

Owns the words and the order of its tables; every figure, and which group is too small to be shown,
is reckoned by `lending.fairness`.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from markupsafe import Markup

from fieldline.desk.app.parcel_facts import crop_name
from fieldline.desk.app.words import LANGUAGES, words
from fieldline.desk.report.page import both, in_both
from fieldline.lending.fairness import NOT_STATED, SIZES, UNKNOWN
from fieldline.pipeline.records.money import shown, shown_chinese, to_minor

_OWN = {"size": "report.group_size", "crop": "report.group_crop", "tenure": "report.group_tenure"}
_TENURES = {"own": "report.tenure_own", "leased": "report.tenure_leased"}
_ACCESSES = ("approve", "review", "decline")


def inclusion_tables(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a table for each dimension of fairness.json that shows any group.

    Args:
        document: fairness.json.
    """
    found = []
    for name, dimension in document["by"].items():
        rows = [_row(_group(name, cell["group"]), cell, document) for cell in dimension["groups"]]
        if not rows:
            continue
        everyone = _row(both("report.group_all"), document["all"], document)
        found.append({
            "title": both(_OWN[name]) if name in _OWN else name,
            "rows": [*rows, everyone],
            "notes": _notes(dimension),
        })  # fmt: skip
    return found


def small_share(document: Mapping[str, Any]) -> str | None:
    """Return the share of growers under 10 mu, if it may be told."""
    small = document["under_10_mu"]
    return None if small is None else f"{small['share_of_farmers']:.0%}"


def _row(
    label: Markup | str, cell: Mapping[str, Any], document: Mapping[str, Any]
) -> dict[str, Any]:
    limit, rate = cell["limit_per_mu"], cell["annual_rate"]
    return {
        "label": label,
        "farmers": f"{cell['farmers']:,}",
        "shares": [f"{cell[access]:.0%}" for access in _ACCESSES],
        "limit": "–" if limit is None else _money(limit, document["currency"]),
        "rate": "–" if rate is None else f"{rate:.2%}",
    }


def _money(amount: str, currency: str) -> Markup:
    minor = to_minor(Decimal(amount), currency)
    told = dict(
        zip(LANGUAGES, (shown(minor, currency), shown_chinese(minor, currency)), strict=True)
    )
    return in_both(told)


def _group(dimension: str, group: str) -> Markup | str:
    if group in (UNKNOWN, NOT_STATED):
        return both("report.group_unknown")
    if dimension == "size":
        return both(f"report.band_{SIZES.index(group)}")
    if dimension == "tenure":
        return both(_TENURES[group])
    if dimension == "crop":
        return in_both({name: crop_name(group, words(name)) for name in LANGUAGES})
    return group


def _notes(dimension: Mapping[str, Any]) -> list[Markup]:
    notes, hidden = [], dimension["hidden"]
    if dimension["approval_ratio"] is not None:
        ratio = f"{dimension['approval_ratio']:.2f}"
        notes.append(both("report.group_ratio", ratio=ratio))
    if hidden["groups"]:
        notes.append(
            both("report.group_hidden", groups=hidden["groups"], farmers=hidden["farmers"])
        )
    return notes
