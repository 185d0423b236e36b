"""The indicators stage: every registered indicator of every farmer, one outcome per indicator.

Owns running the functions of the registry and writing indicators.parquet. An indicator that fails
is an outcome of that indicator; a value that is unknown or implausible is empty with its reason,
never a zero. Nothing here enters a decision.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from fieldline.lending.indicators.joined import Joined, joined
from fieldline.lending.indicators.registry import Indicator, measure_of, registered
from fieldline.lending.schemas import INDICATORS
from fieldline.lending.settings import IndicatorSettings
from fieldline.pipeline.records.outcomes import OK, Outcome, detail, write_outcomes
from fieldline.pipeline.records.tables import write_table

STAGE = "indicators"
UNKNOWN, NO_INPUT = "indicator_unknown", "indicator_no_input"
IMPLAUSIBLE, FAILED = "indicator_implausible", "indicator_failed"
_FAILURES = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What a function raises that does not fit what it was handed; anything else is the machine's."""


def run_indicators(
    *,
    parcels: Path,
    fields: Path,
    crops: Path,
    growth: Path,
    hazards: Path,
    yields: Path,
    history: Path,
    evidence: Path,
    harvests: Path,
    crop_values: Path,
    profiles: Path,
    relations: Path,
    county: str,
    settings: IndicatorSettings,
    out: Path,
    outcomes: Path,
) -> None:
    """Write indicators.parquet and one outcome for every indicator.

    Args:
        parcels: parcels.parquet.
        fields: fields.parquet.
        crops: crops.parquet.
        growth: growth.parquet.
        hazards: hazards.parquet.
        yields: yields.parquet.
        history: history.parquet.
        evidence: evidence.parquet.
        harvests: harvests.parquet.
        crop_values: crop_values.parquet.
        profiles: profiles.parquet.
        relations: relations.parquet.
        county: County code, for the layer.
        settings: The county layer.
        out: indicators.parquet.
        outcomes: outcomes/indicators.parquet.

    Raises:
        UserError: A row of the registry cannot be read, or names no function.
    """
    rows = registered(settings.layer, county)
    measures = {row.name: measure_of(row) for row in rows}
    paths = {
        "parcels": parcels, "fields": fields, "crops": crops, "growth": growth, "hazards": hazards,
        "yields": yields, "history": history, "evidence": evidence, "harvests": harvests,
        "crop_values": crop_values, "profiles": profiles, "relations": relations,
    }  # fmt: skip
    known = joined(paths, [column for row in rows for column in row.inputs])
    parts, told = [], []
    for row in rows:
        values, problem = _measured(row, known, measures[row.name])
        part = _column(row, known, values, problem)
        parts.append(part)
        told.append(_outcome(row, part, problem))
    empty = pd.DataFrame(columns=INDICATORS.names)
    write_table(pd.concat(parts, ignore_index=True) if parts else empty, INDICATORS, out)
    write_outcomes(told, outcomes)


def _measured(
    row: Indicator, known: Joined, measure: object
) -> tuple[pd.Series[float] | None, str]:  # fmt: skip
    """Return the values of an indicator, or why there are none."""
    lacking = [column for column in row.inputs if column not in known.columns]
    if lacking:
        return None, detail(lacks=lacking[0])
    try:
        assert callable(measure)
        values = measure(known).reindex(known.farmers.index).astype(np.float64)
    except _FAILURES as error:
        return None, detail(failed=type(error).__name__)
    return values, ""


def _column(
    row: Indicator, known: Joined, values: pd.Series[float] | None, problem: str
) -> pd.DataFrame:  # fmt: skip
    """Return one indicator as INDICATORS rows."""
    farmers = known.farmers.index
    if values is None:
        code = NO_INPUT if problem.startswith("lacks") else FAILED
        kept, codes = np.full(len(farmers), np.nan), np.full(len(farmers), code, dtype=object)
    else:
        kept = values.to_numpy(dtype=np.float64)
        beyond = ~np.isnan(kept) & ~((kept >= row.low) & (kept <= row.high))
        codes = np.where(np.isnan(kept), UNKNOWN, np.where(beyond, IMPLAUSIBLE, OK)).astype(object)
        kept = np.where(beyond, np.nan, kept)
    return pd.DataFrame({
        "farmer_id": farmers.to_numpy(dtype=object), "indicator": row.name, "family": row.family,
        "value": pd.Series(kept).astype("Float64").where(~np.isnan(kept), None),
        "unit": row.unit, "sign": row.sign, "version": row.version, "outcome": codes,
    })  # fmt: skip


def _outcome(row: Indicator, part: pd.DataFrame, problem: str) -> Outcome:
    name = f"indicator:{row.name}"
    counts = part["outcome"].value_counts()
    if problem:
        code = NO_INPUT if problem.startswith("lacks") else FAILED
        return Outcome(STAGE, name, "", code, problem)
    known = int(counts.get(OK, 0))
    told = detail(known=known, of=len(part), implausible=int(counts.get(IMPLAUSIBLE, 0)))
    return Outcome(STAGE, name, "", OK if known or part.empty else UNKNOWN, told)
