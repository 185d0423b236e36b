"""What the desk tells of one parcel, in words and units: the map's panel and the parcel page.

Owns the wording of stored values alone: every number is an artifact's own, in units that people
read, and what is not known is said.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from fieldline.desk.app.words import Words
from fieldline.lending.codes import evidence_codes
from fieldline.pipeline.records.reference import table_rows
from fieldline.pipeline.records.units import M2_PER_HA, M2_PER_MU

Row = dict[str, Any]
Facts = list[tuple[str, str]]


def known(value: Any) -> bool:
    """Whether a value is there: neither None nor a missing number or date."""
    return value is not None and not (pd.api.types.is_scalar(value) and bool(pd.isna(value)))


def area(value: Any, words: Words) -> str:
    """Return an area of m2 in mu and hectares."""
    if not known(value):
        return words("value.none")
    m2 = float(value)
    return words("unit.area", mu=f"{m2 / M2_PER_MU:,.2f}", ha=f"{m2 / M2_PER_HA:,.4f}")


def number(value: Any, words: Words, digits: int = 1) -> str:
    """Return a number with so many digits."""
    return f"{float(value):,.{digits}f}" if known(value) else words("value.none")


def plain(value: object, words: Words) -> str:
    """Return a text or a day as it is."""
    return str(value) if known(value) and value != "" else words("value.none")


def crop_name(code: object, words: Words) -> str:
    """Return the name of a crop."""
    if not known(code):
        return words("value.none")
    row = next((row for row in table_rows("crops.csv") if row["code"] == code), None)
    return str(code) if row is None else words.pick(row["name_en"], row["name_zh"])


def yields(row: Row, words: Words) -> str:
    """Return the interval of a yield."""
    values = [row.get(f"yield_{q}_t_ha") for q in ("q10", "q50", "q90")]
    if not all(known(value) for value in values):
        return words("value.none")
    low, mid, high = (f"{float(value):.2f}" for value in values if value is not None)
    return words("unit.yield", low=low, mid=mid, high=high)


def code_texts(codes: Any, words: Words) -> list[dict[str, str]]:
    """Return evidence codes in words with what each does, the strongest first."""
    table = evidence_codes()
    found = [table[str(code)] for code in (codes if known_list(codes) else ())]
    order = ("block", "review", "lower", "none")
    return [
        {
            "code": code.code,
            "effect": code.effect,
            "text": words.pick(code.english, code.chinese),
            "does": words(f"class.{code.effect}"),
        }
        for code in sorted(found, key=lambda code: order.index(code.effect))
    ]


def known_list(value: object) -> bool:
    """Whether a list column holds a list."""
    return value is not None and not isinstance(value, float)


def panel_facts(row: Row, words: Words) -> dict[str, Any]:
    """Return what the map's panel shows of a parcel.

    Args:
        row: Of the map layer.
        words: Language.
    """
    access = row["access"]
    rows: Facts = [
        (words("panel.farmer"), str(row["farmer_id"])),
        (words("panel.village"), plain(row["village"], words)),
        (words("panel.declared_crop"), crop_name(row["declared_crop"], words)),
        (words("panel.crop"), crop_name(row["crop"], words)),
        (words("panel.declared_area"), area(row["declared_area_m2"], words)),
        (words("panel.drawn_area"), area(row["area_m2"], words)),
        (words("panel.seen_area"), area(row["seen_area_m2"], words)),
        (words("panel.evidence_area"), area(row["evidence_area_m2"], words)),
        (words("panel.yield"), yields(row, words)),
        (words("panel.hazard"), number(row["hazard_index"], words)),
        (words("panel.anomaly"), number(row["anomaly"], words, 2)),
        (words("panel.harvest"), plain(row["harvest_date"], words)),
        (
            words("panel.decision"),
            words(f"class.{access}") if known(access) else words("value.none"),
        ),
    ]
    return {
        "parcel_id": row["parcel_id"],
        "farmer_id": row["farmer_id"],
        "rows": rows,
        "codes": code_texts(row["codes"], words),
    }
