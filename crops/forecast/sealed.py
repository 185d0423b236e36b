"""Sealed forecasts: written before the truth is in, with what proves that they were not changed.

Owns the two files of a forecast (its rows, and the seal with their checksum, the data it learnt
from and its day) and how the truth is held against it later.
"""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fieldline.crops.forecast.county_years import CountyYears, spelt_as
from fieldline.crops.forecast.model import CountyForecast, story
from fieldline.crops.forecast.yield_units import one_unit
from fieldline.pipeline.records.canonical import canonical, file_hash
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.tables import atomic_path, write_text

_DIGITS = 6


def seal_of(forecast: Path) -> Path:
    """Return the path of a forecast's seal."""
    return forecast.with_suffix(".seal.json")


def write_sealed(
    path: Path, model: CountyForecast, rows: CountyYears, sources: list[Path], as_of: dt.date
) -> str:
    """Write a forecast and its seal.

    Args:
        path: CSV to write; neither it nor its seal may be there.
        model: What was learnt.
        rows: Counties and years to forecast; their yields, if any, are not read.
        sources: Files that were read.
        as_of: Day on which the forecast is made.

    Returns:
        The checksum of the seal, which holds that of the forecast: handed to whoever is to believe
        it, it binds rows, day and sources.

    Raises:
        UserError: One of the files is there, or a row is of a year that was learnt from.
    """
    for old in (path, seal_of(path)):
        if old.exists():
            raise UserError(f"{old} is there already", "a sealed forecast is not overwritten")
    known = set(zip(model.past.county.tolist(), model.past.year.tolist(), strict=True))
    told = [key for key in zip(rows.county.tolist(), rows.year.tolist(), strict=True)
            if key in known]  # fmt: skip
    if told:
        raise UserError(
            f"the yield of {told[0][0]} in {told[0][1]} was learnt from", "forecast other rows"
        )
    said = model.predict(rows)
    table = pd.DataFrame({
        "county": rows.county, "year": rows.year,
        "q10": said.q10, "q50": said.q50, "q90": said.q90,
    }).round(_DIGITS)  # fmt: skip
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")
    seal = {
        "forecast": path.name, "sha256": file_hash(path), "as_of": as_of.isoformat(),
        "sources": {source.name: file_hash(source) for source in sources}, "model": story(model),
        "unit": rows.unit or model.past.unit,
    }  # fmt: skip
    write_text(seal_of(path), canonical(seal) + "\n")
    return file_hash(seal_of(path))


def read_sealed(path: Path, checksum: str = "") -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return a forecast and its seal.

    Args:
        path: The CSV.
        checksum: What was handed out when it was sealed; empty: the seal beside it is believed.

    Raises:
        UserError: One is missing, the forecast is not what was sealed, or the seal not the one
            whose checksum was handed out.
    """
    if not path.is_file() or not seal_of(path).is_file():
        raise UserError(f"{path} has no forecast with a seal", "name the file that was sealed")
    try:
        seal = json.loads(seal_of(path).read_text(encoding="utf-8"))
        sealed, day = str(seal["sha256"]), str(seal["as_of"])
    except (ValueError, LookupError, TypeError) as error:
        raise UserError(f"{seal_of(path)} cannot be read", "restore it") from error
    if file_hash(path) != sealed:
        raise UserError(
            f"{path} is not what was sealed on {day}",
            "restore the file; a changed forecast proves nothing",
        )
    if checksum and checksum.strip().lower() != file_hash(seal_of(path)):
        raise UserError(
            f"{seal_of(path)} is not the seal whose checksum was handed out",
            "copy --checksum anew from what `seal` printed, or restore the seal",
        )
    return pd.read_csv(path, dtype={"county": str}), seal


def score_sealed(forecast: pd.DataFrame, truth: CountyYears, unit: str = "") -> dict[str, Any]:
    """Return how a forecast did, on the rows whose truth is in.

    Args:
        forecast: Its rows.
        truth: County-years with yields.
        unit: What the forecast is in, by its seal; empty where that does not say.

    Raises:
        UserError: No row of the truth was forecast, or it is in another unit.
    """
    one_unit(unit, truth.unit)
    truth = spelt_as(truth, forecast["county"].to_numpy(dtype=str))
    told = pd.DataFrame({"county": truth.county, "year": truth.year, "truth": truth.target})
    both = forecast.merge(told, on=["county", "year"])
    if both.empty:
        raise UserError(
            "no county and year of the truth was forecast", "check the names of the counties"
        )
    error = both["truth"] - both["q50"]
    below, above = both["truth"] < both["q10"], both["truth"] > both["q90"]
    return {
        "rows": len(both), "not_yet_known": len(forecast) - len(both),
        "rmse": float(np.sqrt(np.mean(error**2))), "bias": float(-error.mean()),
        "inside": float(1 - (below | above).mean()),
        "below_q10": float(below.mean()), "above_q90": float(above.mean()),
    }  # fmt: skip
