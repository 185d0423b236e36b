"""Documents: what decided, kept in the store by the hash of its content.

Owns the table `documents`: policies, reference tables, default models and the cards of crop models,
each once, under the very label that traces name it by. With them a stored decision can be reckoned
again from its features, whatever has become of the files since.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from fieldline.lending.decision.replay import read_trace
from fieldline.lending.store.audit import text_hash
from fieldline.lending.store.database import DOCUMENTS
from fieldline.pipeline.records.canonical import canonical
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.reference import table_hash, table_rows


def policy_label(version: str) -> str:
    """Return the label of a policy by the hash that a trace names."""
    return f"policy:{version}"


def table_label(name: str, version: str) -> str:
    """Return the label of a reference table by its name and the hash that a trace names."""
    return f"table:{name}:{version}"


def model_label(version: str) -> str:
    """Return the label of a default model by what a trace names it."""
    return f"model:{version}"


def crop_model_label(name: str) -> str:
    """Return the label of a crop model's card by what a trace names the model."""
    return f"crop_model:{name}"


def enter_documents(
    connection: sa.Connection,
    decisions: Iterable[Mapping[str, Any]],
    model: Mapping[str, Any] | None,
    crop_card: Mapping[str, Any] | None = None,
) -> dict[str, str]:
    """Keep what decided, where the store does not hold it yet.

    Args:
        connection: Of `posting`.
        decisions: Rows of table `decisions`.
        model: Document of the default model (models/pd.json), or None.
        crop_card: Card of the model that told the crops (models/crop_classifier.json), or None.

    Returns:
        Hash by label of what came in.
    """
    bodies: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    told = str((crop_card or {}).get("model", ""))
    label = crop_model_label(told)
    for decision in decisions:
        kind = (decision["policy"], decision["pd_model"])
        if kind not in seen:
            seen.add(kind)
            bodies.update(_of_trace(decision["trace"]))
        if told and label not in bodies and _crops_of(decision["trace"]) == told:
            bodies[label] = canonical(crop_card)
    used = {name for _, name in seen if name}
    if model is not None and (name := model.get("card", {}).get("version")) in used:
        bodies[model_label(str(name))] = canonical(model)
    held = set(
        connection.scalars(sa.select(DOCUMENTS.c.label).where(DOCUMENTS.c.label.in_(bodies)))
    )
    new = {label: body for label, body in sorted(bodies.items()) if label not in held}
    if new:
        rows = [{"label": label, "body": body} for label, body in new.items()]
        connection.execute(sa.insert(DOCUMENTS), rows)
    return {label: text_hash(body) for label, body in new.items()}


def _crops_of(trace: str) -> str:
    """Return the crop model that a trace names; empty where it names none or cannot be read."""
    try:
        return str(read_trace(trace).versions.get("crops", ""))
    except UserError:
        return ""


def _of_trace(trace: str) -> dict[str, str]:
    """Return policy and tables that a trace names, by label; no table that has changed since."""
    try:
        stored = read_trace(trace)
    except UserError:
        return {}
    tables = stored.versions.get("tables", {})
    found = {
        table_label(name, version): canonical(table_rows(name))
        for name, version in tables.items()
        if table_hash(name) == version
    }
    if "policy" in stored.versions:
        found[policy_label(stored.versions["policy"])] = canonical(stored.case["policy"])
    return found


def held_models(connection: sa.Connection) -> dict[str, Any]:
    """Return the documents of all stored default models by what traces name them."""
    prefix = model_label("")
    query = sa.select(DOCUMENTS).where(DOCUMENTS.c.label.startswith(prefix, autoescape=True))
    rows = connection.execute(query)
    return {row.label.removeprefix(prefix): json.loads(row.body) for row in rows}
