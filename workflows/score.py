"""Compares a finished run with the truth of its simulated county.

The truth is read here and nowhere else. Refusing to answer counts as wrong in every figure that is
compared with a goal; how often that happened stands beside it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, f1_score

from fieldline.desk.report.collect import SIZE_BANDS, size_band
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.tables import read_table, write_text
from fieldline.workflows.config.model import Config

Scores = dict[str, Any]
_AREA_TOLERANCE = 0.10


def score_county(config: Config, county: str, season: str) -> Scores:
    """Score one county and season and write `score.json` beside its artifacts.

    Raises:
        UserError: No truth is known for the county, or the run is not finished.
    """
    if county not in config.county:
        raise UserError(f"county {county!r} is not defined", f"use one of {sorted(config.county)}")
    if config.county[county].inputs.truth is None:
        raise UserError(f"no truth is known for {county}", "score a simulated county")
    folder = config.results / season / county
    (path,) = config.input_paths(county, season, "truth")
    truth = read_truth(path, config.county[county].inputs.truth_columns)
    scores: Scores = {
        "county": county,
        "season": season,
        "simulated": config.county[county].simulated,
        **score_tables(join_truth(truth, folder)),
    }
    write_text(folder / "score.json", json.dumps(scores, indent=2, sort_keys=True) + "\n")
    return scores


def read_truth(path: Path, columns: Mapping[str, str]) -> pd.DataFrame:
    """Read a truth table; a field survey may hold fewer columns than a simulation.

    Args:
        path: Parquet or CSV with parcel_id.
        columns: Own column names by Fieldline name.

    Raises:
        UserError: The file is absent or names no parcel.
    """
    if path.suffix == ".csv":
        if not path.exists():
            raise UserError(f"{path} does not exist", "check inputs.truth")
        truth = pd.read_csv(path)
    else:
        truth = read_table(path)
    truth = truth.rename(columns={own: name for name, own in columns.items()})
    if "parcel_id" not in truth:
        raise UserError(f"{path} has no column parcel_id", "name it under inputs.truth_columns")
    return truth


def join_truth(truth: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """Join the truth with what every stage said of the same parcel; suffix `_true` for truth."""
    joined = truth.rename(columns={c: f"{c}_true" for c in truth.columns if c != "parcel_id"})
    for name in ("crops", "fields", "growth", "yields", "evidence"):
        table = read_table(folder / f"{name}.parquet")
        keep = [c for c in table.columns if c == "parcel_id" or c not in joined.columns]
        joined = joined.merge(table[keep], on="parcel_id", how="left")
    if "ring_area_m2_true" not in joined:
        joined["ring_area_m2_true"] = joined["ring_area_m2"]
    if "land_use_true" not in joined:
        joined["land_use_true"] = "cropland"
    return joined


def score_tables(joined: pd.DataFrame) -> Scores:
    """Return all scores of a joined table (see `join_truth`)."""
    return {
        name: score(joined)
        for name, (column, score) in _PARTS.items()
        if f"{column}_true" in joined
    }


def _unsurveyed(joined: pd.DataFrame) -> pd.DataFrame:
    return joined[~joined["surveyed"].fillna(False).astype(bool)]


def score_crop(joined: pd.DataFrame) -> Scores:
    """Macro-F1 on parcels not surveyed; `cannot tell` counts as a miss."""
    crops = _unsurveyed(joined).dropna(subset=["crop_true"])
    crops = crops[crops["land_use_true"] == "cropland"]
    truth, seen = crops["crop_true"].astype(str), crops["crop"].fillna("cannot_tell").astype(str)
    classes = sorted(truth.unique())
    answered = seen != "cannot_tell"
    bands = size_band(crops["ring_area_m2_true"])
    by_class = f1_score(truth, seen, labels=classes, average=None, zero_division=0)
    right = pd.Series(truth == seen, index=crops.index).astype(float)
    return {
        "parcels": len(crops),
        "macro_f1": float(np.mean(by_class)),
        "overall_accuracy": float(accuracy_score(truth, seen)),
        "cannot_tell_share": float(1 - answered.mean()),
        "accuracy_where_answered": float(accuracy_score(truth[answered], seen[answered])),
        "f1_by_crop": dict(zip(classes, _rounded(by_class), strict=True)),
        "accuracy_by_band": _by_band(bands, right),
    }


def score_area(joined: pd.DataFrame) -> Scores:
    """Share of parcels whose planted area is within 10 % of the truth, by size band."""
    known = joined[(joined["planted_area_m2_true"] > 0)]
    error = (known["seen_area_m2"] - known["planted_area_m2_true"]) / known["planted_area_m2_true"]
    within = (error.abs() <= _AREA_TOLERANCE).astype(float)
    bands = size_band(known["ring_area_m2_true"])
    return {
        "parcels": len(known),
        "not_seen": int(error.isna().sum()),
        "within_10_percent_over_10_mu": _share(within[bands == "over 10 mu"]),
        "within_10_percent_by_band": _by_band(bands, within),
        "median_relative_error_by_band": _by_band(bands, error, np.nanmedian),
        "total_relative_error": float(
            known["seen_area_m2"].sum() / known["planted_area_m2_true"].sum() - 1
        ),
    }


def score_yield(joined: pd.DataFrame) -> Scores:
    """Interval coverage and error beside the county prior, on parcels not surveyed."""
    known = _unsurveyed(joined).dropna(subset=["yield_t_ha_true", "yield_q50_t_ha"])
    known = known[known["crop"] == known["crop_true"]]
    truth = known["yield_t_ha_true"]
    inside = (truth >= known["yield_q10_t_ha"]) & (truth <= known["yield_q90_t_ha"])
    relative = (known["yield_q50_t_ha"] - truth) / truth.clip(lower=0.1)
    prior = (known["prior_t_ha"] - truth) / truth.clip(lower=0.1)
    bands = size_band(known["ring_area_m2_true"])
    return {
        "parcels": len(known),
        "coverage_80": _share(inside.astype(float)),
        "coverage_80_by_band": _by_band(bands, inside.astype(float)),
        "coverage_80_by_crop": _by_group(known["crop_true"], inside.astype(float)),
        "rmse_t_ha": _rmse(known["yield_q50_t_ha"] - truth),
        "rmse_prior_t_ha": _rmse(known["prior_t_ha"] - truth),
        "rmse_mean_of_others_t_ha": _rmse(_mean_of_others(known["crop_true"], truth) - truth),
        "median_absolute_relative_error": float(relative.abs().median()),
        "median_absolute_relative_error_prior": float(prior.abs().median()),
    }


def _mean_of_others(crop: pd.Series, truth: pd.Series) -> pd.Series:
    """Return for each parcel the mean truth of the other parcels of its crop (leave one out)."""
    groups = truth.groupby(crop)
    return (groups.transform("sum") - truth) / (groups.transform("count") - 1).clip(lower=1)


def score_harvest(joined: pd.DataFrame) -> Scores:
    """Days between the estimated and the true harvest date."""
    known = joined.dropna(subset=["harvest_date_true", "harvest_date"])
    due = joined.dropna(subset=["harvest_date_true"])
    days = pd.to_datetime(known["harvest_date"]) - pd.to_datetime(known["harvest_date_true"])
    error = days.dt.days.astype(float)
    return {
        "parcels": len(known),
        "harvested_without_estimate": len(due) - len(known),
        "mean_absolute_error_days": float(error.abs().mean()),
        "median_error_days": float(error.median()),
        "within_10_days": _share((error.abs() <= 10).astype(float)),
    }


def score_income(joined: pd.DataFrame) -> Scores:
    """Farmer income (value minus cash cost) at the medians against the truth, same parcels.

    Estimate and truth are minor units of one currency, so that their ratios need no exponent.
    """
    net = joined["value_q50_per_ha_minor"] - joined["cost_per_ha_minor"]
    value = net * joined["evidence_area_m2"] / 1e4
    table = pd.DataFrame({
        "farmer": joined["farmer_id"],
        "estimate": value,
        "truth": joined["income_minor_true"],
    }).dropna()  # fmt: skip
    sums = table.groupby("farmer").sum()
    sums = sums[sums["truth"] > 0]
    ratio = sums["estimate"] / sums["truth"]
    return {
        "farmers": len(sums),
        "median_ratio": float(ratio.median()),
        "within_25_percent": _share((ratio.sub(1).abs() <= 0.25).astype(float)),
        "total_ratio": float(sums["estimate"].sum() / sums["truth"].sum()),
    }


_PLANTED = {
    "same_parcel": ("claimed_by_other", "claim_refuted"),
    "overdrawn": ("area_overdrawn", "area_conflict_registry"),
    "wrong_crop": ("crop_conflict", "crop_doubt"),
}


def score_evidence(joined: pd.DataFrame) -> Scores:
    """Recall and false alarms of each planted lie; the codes that count as finding it."""
    scores: Scores = {}
    for lie, codes in _PLANTED.items():
        if f"{lie}_true" not in joined:
            continue
        planted = joined[f"{lie}_true"].fillna(False).astype(bool)
        accused = pd.Series(
            [bool(set(codes) & set(c if c is not None else ())) for c in _lists(joined["codes"])],
            index=joined.index,
        )
        scores[lie] = {
            "planted": int(planted.sum()),
            "found": int((planted & accused).sum()),
            "honest": int((~planted).sum()),
            "honest_accused": int((~planted & accused).sum()),
        }
    return scores


#: Each part of the score, and the truth column without which it is left out.
_PARTS: dict[str, tuple[str, Callable[[pd.DataFrame], Scores]]] = {
    "crop": ("crop", score_crop),
    "area": ("planted_area_m2", score_area),
    "yield": ("yield_t_ha", score_yield),
    "harvest": ("harvest_date", score_harvest),
    "income": ("income_minor", score_income),
    "evidence": ("wrong_crop", score_evidence),
}


def _lists(column: pd.Series) -> list[list[str]]:
    return [list(value) if isinstance(value, list | np.ndarray) else [] for value in column]


def _by_band(
    bands: pd.Series, values: pd.Series, statistic: Callable[[Any], float] = np.nanmean
) -> dict[str, float | None]:
    return _by_group(
        pd.Series(bands, index=values.index).astype(str), values, statistic, list(SIZE_BANDS)
    )


def _by_group(
    groups: pd.Series,
    values: pd.Series,
    statistic: Callable[[Any], float] = np.nanmean,
    order: list[str] | None = None,
) -> dict[str, float | None]:
    names = order or sorted(groups.unique())
    found = {name: values[groups == name].dropna() for name in names}
    return {n: round(float(statistic(v)), 4) if len(v) else None for n, v in found.items()}


def _share(values: pd.Series) -> float | None:
    return round(float(values.mean()), 4) if len(values) else None


def _rmse(error: pd.Series) -> float:
    return float(np.sqrt((error**2).mean()))


def _rounded(values: Any) -> list[float]:
    return [round(float(v), 4) for v in values]


def print_scores(scores: Scores, *, as_json: bool) -> None:
    """Print the scores as a table or JSON."""
    if as_json:
        print(json.dumps(scores, indent=2, sort_keys=True))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{scores['county']} {scores['season']} against its truth")
    for name in ("part", "figure", "value"):
        table.add_column(name, justify="right" if name == "value" else "left")
    for part, figures in scores.items():
        if isinstance(figures, dict):
            for figure, value in figures.items():
                table.add_row(part, figure.replace("_", " "), _shown(value))
    Console().print(table)


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "  ".join(f"{k} {_shown(v)}" for k, v in value.items())
    return f"{value:.3f}" if isinstance(value, float) else str(value)
