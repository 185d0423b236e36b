"""What the parcel page shows, gathered from the stored tables of all seasons.

Owns which rows stand on the page and their order; how values read is `parcel_facts`.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from fieldline.desk.app import parcel_facts as facts
from fieldline.desk.app.places import Place
from fieldline.desk.app.words import Words
from fieldline.pipeline.imagery.lineage import read_lineage
from fieldline.pipeline.records.money import shown, shown_chinese
from fieldline.pipeline.records.outcomes import OK, outcome_codes

Facts = facts.Facts
_HAZARDS = ("drought", "flood", "frost", "heat", "hazard_index")


def parcel_page(
    place: Place, seasons: list[Place], row: dict[str, Any], words: Words
) -> dict[str, Any]:
    """Return everything that the parcel page shows besides its pictures and curves.

    Args:
        place: County and season.
        seasons: The county's places of all seasons, newest first.
        row: The parcel's row of the map layer.
        words: Language.
    """
    parcel_id = str(row["parcel_id"])
    of = {
        name: place.record(name, "parcel_id", parcel_id)
        for name in ("crops", "fields", "growth", "hazards", "yields", "evidence", "history")
    }
    evidence = of["evidence"] or {}
    return {
        "parcel_id": parcel_id,
        "farmer_id": row["farmer_id"],
        "access": row["access"],
        "figures": _figures(row, of, words),
        "areas": _areas(row, evidence, words),
        "crops": _crops(row, of["crops"] or {}, evidence, words),
        "codes": facts.code_texts(evidence.get("codes"), words),
        "papers": _papers(evidence, words),
        "value": _value(of["yields"], words),
        "hazards": _hazards(of["hazards"], words),
        "history": [_season(p, parcel_id, words) for p in seasons if p.has("crops", "growth")],
        "rotation": _rotation(of["history"], words),
        "outcomes": _outcomes(place, parcel_id, words),
        "provenance": _provenance(place, of, words),
    }


def _figures(row: dict[str, Any], of: dict[str, Any], words: Words) -> Facts:
    growth = of["growth"] or {}
    return [
        (words("panel.village"), facts.plain(row["village"], words)),
        (words("panel.crop"), facts.crop_name(row["crop"], words)),
        (words("panel.evidence_area"), facts.area(row["evidence_area_m2"], words)),
        (words("panel.yield"), facts.yields(row, words)),
        (words("panel.harvest"), facts.plain(growth.get("harvest_date"), words)),
        (words("panel.anomaly"), facts.number(row["anomaly"], words, 2)),
        (words("panel.hazard"), facts.number(row["hazard_index"], words)),
        (words("parcel.clear_dates"), facts.number(growth.get("clear_dates"), words, 0)),
    ]


def _areas(row: dict[str, Any], evidence: dict[str, Any], words: Words) -> Facts:
    return [
        (words("panel.declared_area"), facts.area(row["declared_area_m2"], words)),
        (words("panel.drawn_area"), facts.area(row["area_m2"], words)),
        (words("panel.seen_area"), facts.area(evidence.get("seen_area_m2"), words)),
        (words("parcel.registry_area"), facts.area(evidence.get("registry_area_m2"), words)),
        (words("panel.evidence_area"), facts.area(evidence.get("evidence_area_m2"), words)),
    ]


def _crops(
    row: dict[str, Any], crops: dict[str, Any], evidence: dict[str, Any], words: Words
) -> Facts:
    chance = crops.get("probability")
    plausible = [facts.crop_name(code, words) for code in crops.get("prediction_set") or []]
    source = "parcel.by_survey" if crops.get("surveyed") else "parcel.by_images"
    return [
        (words("panel.declared_crop"), facts.crop_name(row["declared_crop"], words)),
        (words("panel.crop"), facts.crop_name(row["crop"], words)),
        (
            words("parcel.probability"),
            f"{chance:.1%}" if facts.known(chance) else words("value.none"),
        ),
        (words("parcel.plausible"), ", ".join(plausible) or words("value.none")),
        (words("parcel.crop_source"), words(source) if crops else words("value.none")),
        (words("parcel.registry_crop"), facts.crop_name(evidence.get("registry_crop"), words)),
    ]


def _papers(evidence: dict[str, Any], words: Words) -> Facts:
    told: Facts = []
    if facts.known(evidence.get("proven_crop")):
        told.append((words("parcel.proven_crop"), facts.crop_name(evidence["proven_crop"], words)))
    if evidence.get("leased"):
        told.append((words("parcel.lease_to"), facts.plain(evidence.get("lease_to"), words)))
    if evidence.get("protected_m2"):
        told.append((words("parcel.protected"), facts.area(evidence["protected_m2"], words)))
    if evidence.get("rivals"):
        told.append((words("parcel.rivals"), ", ".join(evidence["rivals"])))
    return told


def _value(yields: dict[str, Any] | None, words: Words) -> list[tuple[str, str, str, str]]:
    """Return rows of name, low, median and high."""
    if yields is None or not facts.known(yields["yield_q50_t_ha"]):
        return []
    tell = shown_chinese if words.language == "zh" else shown

    def one(value: Any, money: bool) -> str:
        if not facts.known(value):
            return words("value.none")
        if money:
            return tell(int(value), yields["currency"])
        return words("unit.t_ha", value=f"{value:.2f}")

    def three(name: str, money: bool) -> tuple[str, str, str]:
        low, mid, high = (one(yields[name.format(q)], money) for q in ("q10", "q50", "q90"))
        return low, mid, high

    return [
        (words("parcel.yield"), *three("yield_{}_t_ha", False)),
        (words("parcel.price"), *three("price_{}_minor", True)),
        (words("parcel.gross"), *three("value_{}_per_ha_minor", True)),
        (
            words("parcel.prior"),
            "",
            words("unit.t_ha", value=f"{yields['prior_t_ha']:.2f}"),
            str(yields["prior_source"]),
        ),
    ]


def _hazards(hazards: dict[str, Any] | None, words: Words) -> list[dict[str, Any]]:
    if hazards is None:
        return []
    return [
        {"name": words(f"hazard.{name}"), "value": hazards[name],
         "text": facts.number(hazards[name], words)}
        for name in _HAZARDS
    ]  # fmt: skip


def _season(place: Place, parcel_id: str, words: Words) -> tuple[str, ...]:
    crop = place.record("crops", "parcel_id", parcel_id) or {}
    growth = place.record("growth", "parcel_id", parcel_id) or {}
    return (
        place.season,
        facts.crop_name(crop.get("crop"), words),
        facts.number(growth.get("peak"), words, 2),
        facts.number(growth.get("anomaly"), words, 2),
        facts.plain(growth.get("harvest_date"), words),
    )


def _rotation(history: dict[str, Any] | None, words: Words) -> Facts:
    if history is None:
        return []
    crops = " → ".join(facts.crop_name(code or None, words) for code in history["crops"])
    return [
        (words("parcel.rotation"), crops or words("value.none")),
        (words("parcel.stability"), facts.number(history["stability"], words, 2)),
        (words("parcel.regularity"), facts.number(history["regularity"], words, 2)),
        (words("parcel.idle"), facts.number(history["idle_seasons"], words, 0)),
    ]


def _outcomes(place: Place, parcel_id: str, words: Words) -> list[tuple[str, str, str]]:
    codes, told = outcome_codes(), []
    for stage in place.done():
        path = place.folder / "outcomes" / f"{stage.name}.parquet"
        rows = pd.read_parquet(path, filters=[("parcel_id", "=", parcel_id)])
        for row in rows.to_dict("records"):
            code = None if row["outcome"] == OK else codes.get(row["outcome"])
            text = words("parcel.ok") if row["outcome"] == OK else str(row["outcome"])
            if code is not None:
                text = words.pick(code.english, code.chinese)
            told.append((words.stage(stage.name, stage.title), text, str(row["detail"] or "")))
    return told


def _provenance(place: Place, of: dict[str, Any], words: Words) -> Facts:
    told: Facts = []
    for table in ("crops", "yields"):
        if of[table] is not None:
            told.append((words(f"parcel.model_{table}"), str(of[table]["model"] or "")))
    if of["fields"] is not None:
        told.append((words("parcel.method"), str(of["fields"]["method"])))
    if place.has("scenes"):
        lineage = read_lineage(place.path("scenes"))
        told += [
            (words("parcel.collection"), lineage.collection),
            (words("parcel.bands"), ", ".join(lineage.bands)),
            (words("parcel.mask"), f"{lineage.mask.kind} {lineage.mask.asset}"),
            (words("parcel.software"), lineage.software),
        ]
    return told
