"""Offers: what stands after a run, in two files that equal the database.

Owns the stage and its files; the transaction is `lending.store.posting`. Files are written from the
table after it, so a killed run leaves either the old offers or the new ones.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

import pandas as pd
import sqlalchemy as sa

from fieldline.lending.settings import AuditSettings, PolicySettings, PostingSettings
from fieldline.lending.store.anchors import add_anchor, take_anchor
from fieldline.lending.store.database import EXPIRED, LIVE, OFFERS, open_database, reading
from fieldline.lending.store.land import enter_land, land_rows
from fieldline.lending.store.places import PLACE_COLUMNS, places_of
from fieldline.lending.store.posting import BETWEEN, Posted, Shelf, post
from fieldline.lending.store.signer import Signer, signer
from fieldline.lending.workbook import FORMULA, workbook
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.money import plain, written
from fieldline.pipeline.records.outcomes import OK, Outcome, detail, write_outcomes
from fieldline.pipeline.records.tables import atomic_path, read_table
from fieldline.pipeline.vault.opening import erased_in

CSV_COLUMNS = (
    "offer_id", "county", "season", "farmer_id", "household_id", "product", "access", "currency",
    "limit", "annual_rate", "tenor_days", "day_basis", "valid_from", "valid_to", "reason_codes",
    "reasons", "reasons_zh", "decision_id", *PLACE_COLUMNS, "absent_inputs", "guarantor", "covered",
)  # fmt: skip
"""Terms, words and identity of a live offer; then what is no part of it: where the land lies and
which files the county did not give. Who covers how much of the line came later and stands last."""

QUEUE_COLUMNS = (
    "farmer_id", "household_id", "currency", "possible_limit", "annual_rate", "pd", "reason_codes",
    "reasons", "reasons_zh", "outcomes", "decision_id", *PLACE_COLUMNS, "absent_inputs",
)  # fmt: skip

_MARK = "\ufeff"
"""Byte order mark: without it a spreadsheet reads Chinese as the code page of its machine."""


def csv_text(rows: Iterable[dict[str, Any]], columns: Sequence[str]) -> str:
    """Return rows as CSV that no spreadsheet runs: a text like `=cmd` gets a leading apostrophe.

    Source: OWASP, CSV injection.
    """
    buffer = io.StringIO()
    _write_csv(buffer, rows, columns)
    return buffer.getvalue()


def _write_csv(into: TextIO, rows: Iterable[dict[str, Any]], columns: Sequence[str]) -> None:
    writer = csv.writer(into, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(row.get(name)) for name in columns] for row in rows)


def _write_file(path: Path, rows: Iterable[dict[str, Any]], columns: Sequence[str]) -> None:
    """Write rows as `csv_text` tells them, the byte order mark first, and hold none of it."""
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        file.write(_MARK)
        _write_csv(file, rows, columns)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(FORMULA) else text


Beside = Callable[[str], dict[str, str]]
"""Columns that stand beside an offer and are no part of it, by farmer."""


def _nothing(_: str) -> dict[str, str]:
    return {}


def offers_csv(rows: Iterable[dict[str, Any]], beside: Beside = _nothing) -> str:
    """Return live offers as CSV; money as plain decimals."""
    return csv_text(_told(rows, beside), CSV_COLUMNS)


def offers_text(rows: Iterable[dict[str, Any]], beside: Beside) -> str:
    """Return live offers as the content of `offers.csv`, its byte order mark included."""
    return _MARK + offers_csv(rows, beside)


def offers_workbook(rows: Iterable[dict[str, Any]], beside: Beside = _nothing) -> bytes:
    """Return live offers as `.xlsx`: the rows, columns and values of the CSV.

    Raises:
        UserError: There are more than a sheet holds.
    """
    return workbook(list(_told(rows, beside)), CSV_COLUMNS)


def _told(rows: Iterable[dict[str, Any]], beside: Beside) -> Iterator[dict[str, Any]]:
    for row in rows:
        limit = _money(row["limit_minor"], row["currency"])
        covered = _money(row.get("covered_minor"), row["currency"])
        yield {**row, "limit": limit, "covered": covered, **beside(row["farmer_id"])}


def live_offers(store: sa.Engine, county: str, season: str) -> list[dict[str, Any]]:
    """Return the live offers of a county and season, all its products, ordered by farmer.

    Raises:
        UserError: There are none.
    """
    here = (OFFERS.c.county == county, OFFERS.c.season == season)
    query = sa.select(OFFERS).where(OFFERS.c.status == LIVE, *here)
    with reading(store) as connection:
        rows = [row._asdict() for row in connection.execute(query)]
    if not rows:
        raise UserError(
            f"county {county} has no live offer of season {season}",
            "run the chain for them first",
        )
    return sorted(rows, key=lambda row: (row["farmer_id"], row["product"]))


def beside_offers(parcels: Path, evidence: Path, absent: Mapping[str, str]) -> Beside:
    """Return what stands beside each farmer's offer: its places and what the county lacks.

    Args:
        parcels: parcels.parquet.
        evidence: evidence.parquet.
        absent: Files that the county does not give, with what each absence costs.
    """
    places, lacking = places_of(parcels, evidence), told_absent(absent)
    return lambda farmer: {**places.get(farmer, {}), "absent_inputs": lacking}


def _money(minor: int | None, currency: str) -> str | None:
    return None if minor is None else written(minor, currency)


def queue_csv(decisions: pd.DataFrame, beside: Beside = _nothing) -> str:
    """Return the decisions that wait for a person as CSV, the largest possible limit first."""
    return csv_text(_queued(decisions, beside), QUEUE_COLUMNS)


def _queued(decisions: pd.DataFrame, beside: Beside) -> Iterator[dict[str, Any]]:
    waiting = decisions[decisions["access"] == "review"].copy()
    caps = [f"limit_{cap}_minor" for cap in ("need", "capacity", "policy", "exposure")]
    waiting["possible"] = waiting[caps].min(axis=1)
    waiting = waiting.sort_values(["possible", "farmer_id"], ascending=[False, True], kind="stable")
    for row in waiting.to_dict("records"):
        yield {**_queue_row(row), **beside(row["farmer_id"])}


def _queue_row(row: dict[Any, Any]) -> dict[str, Any]:
    rate, pd_ = row["annual_rate"], row["pd"]
    return {
        **{name: row[name] for name in ("farmer_id", "household_id", "currency", "decision_id")},
        "possible_limit": _money(int(row["possible"]), row["currency"]),
        "annual_rate": None if pd.isna(rate) else plain(rate.normalize()),
        "pd": None if pd.isna(pd_) else f"{pd_:.4f}",
        **{
            name: BETWEEN.join(row[name])
            for name in ("reason_codes", "reasons", "reasons_zh", "outcomes")
        },
    }


def told_absent(absent: Mapping[str, str]) -> str:
    """Write the files that a county lacks with what each absence costs its farmers."""
    return BETWEEN.join(f"{name}: {costs}" for name, costs in sorted(absent.items()))


def run_offers(
    *,
    decisions: Path,
    parcels: Path,
    evidence: Path,
    absent: Mapping[str, str],
    county: str,
    season: str,
    policy: PolicySettings,
    database: str | Path,
    offers: Path,
    queue: Path,
    outcomes: Path,
    farmers: Path | None = None,
    model: Path | None = None,
    crop_card: Path | None = None,
    settings: PostingSettings | None = None,
    audit: AuditSettings | None = None,
    confirm: bool = False,
    vault: str | Path | None = None,
) -> Posted:
    """Post the offers of one county and season and write offers.csv and review_queue.csv.

    Args:
        decisions: decisions.parquet.
        parcels: parcels.parquet.
        evidence: evidence.parquet.
        absent: Files that the county does not give, with what each absence costs: all its offers.
        county: County code.
        season: Season name.
        policy: Terms of the product.
        database: SQLite path or database URL.
        offers: offers.csv, one row per farmer, equal to the live rows of table `offers`.
        queue: review_queue.csv.
        outcomes: outcomes/offers.parquet.
        farmers: farmers.parquet: all of them must have been decided.
        model: models/pd.json, kept in the store.
        crop_card: models/crop_classifier.json, kept in the store.
        settings: How many offers may be withdrawn unasked.
        audit: Key of the audit chain, and where anchors go.
        confirm: A person confirmed that more may be withdrawn.
        vault: Whose erased farmers' land is not entered, although `parcels` still holds it.

    Returns:
        What was written, without the decisions; nothing where the inputs were those of the last
        posting.

    Raises:
        UserError: Farmers lack a decision, or as `lending.store.posting.post`.
    """
    frame = read_table(decisions)
    if farmers is not None:
        _refuse_cut(frame, read_table(farmers, ["farmer_id"]), decisions)
    document, crops = _json(model), _json(crop_card)
    audit = audit or AuditSettings()
    by = signer(audit.key_file)
    engine = open_database(database)
    try:
        posted = post(
            engine, frame, Shelf(county, season, policy.product), policy,
            settings=settings, confirm=confirm, by=by, model=document,
            crop_card=crops,
        )  # fmt: skip
        waiting = [record for record in posted.records if record["access"] == "review"]
        queued = pd.DataFrame(waiting, columns=frame.columns)
        told = _outcomes(posted)
        posted = replace(posted, records=[])
        del frame, waiting  # with the traces of all: land, and the files, need none of them
        erased = frozenset[str]() if vault is None else erased_in(vault)
        land = land_rows(parcels, county, season)
        enter_land(engine, county, season, [r for r in land if r["farmer_id"] not in erased])
        del land
        _anchor(engine, audit, by)
    finally:
        engine.dispose()
    beside = beside_offers(parcels, evidence, absent)
    _write_file(offers, _told(posted.live, beside), CSV_COLUMNS)
    _write_file(queue, _queued(queued, beside), QUEUE_COLUMNS)
    write_outcomes(told, outcomes)
    return posted


def _json(path: Path | None) -> Any:
    return None if path is None else json.loads(path.read_text(encoding="utf-8"))


def _refuse_cut(decisions: pd.DataFrame, farmers: pd.DataFrame, file: Path) -> None:
    """A table that lost rows must not take the offers of those farmers back."""
    lacking = sorted(set(farmers["farmer_id"]) - set(decisions["farmer_id"]))
    if lacking:
        raise UserError(
            f"{file} holds no decision of {len(lacking)} of {len(farmers)} farmers, such as "
            f"{lacking[0]}",
            "decide again (`fieldline run --from decide`); nothing was posted",
        )


def _anchor(engine: sa.Engine, audit: AuditSettings, by: Signer) -> None:
    if audit.anchor_file is not None:
        add_anchor(audit.anchor_file, take_anchor(engine, by))


def _outcomes(posted: Posted) -> list[Outcome]:
    ended = {row["farmer_id"] for row in posted.live if row["status"] == EXPIRED}
    found = []
    for record in posted.records:
        access = record["access"]
        code = OK if access == "approve" else "no_offer"
        if record["farmer_id"] in ended:
            code = "offer_expired"
        elif "limit_live_lines" in record["reason_codes"]:
            code = "lines_elsewhere"
        found.append(Outcome("offers", "", record["farmer_id"], code, detail(access=access)))
    return found
