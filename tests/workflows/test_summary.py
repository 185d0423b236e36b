"""The last page of a run: what failed the county, what was not given, and the exit code of both."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import typer

from fieldline.pipeline.records.outcomes import Outcome, write_outcomes
from fieldline.workflows.cli import _finish
from fieldline.workflows.config.county import County
from fieldline.workflows.config.load import load_config
from fieldline.workflows.inputs.absent import ABSENT_COSTS, absent_inputs
from fieldline.workflows.inputs.tables import TABLES
from fieldline.workflows.summary import RunSummary, Summary, print_summary, summarise_outcomes


def finished(
    folder: Path,
    outcomes: list[tuple[str, str]],
    valued: list[int],
    pds: list[float | None],
    problem: str = "",
) -> RunSummary:
    """Summarise a run of one parcel per outcome and one farmer per value, as its artifacts say."""
    rows = [Outcome(stage, f"p{n}", "", code) for n, (stage, code) in enumerate(outcomes)]
    write_outcomes(rows, folder / "outcomes.parquet")
    levels = ["farmer"] * len(valued) + ["household"]
    profiles = pd.DataFrame({"level": levels, "parcels_valued": [*valued, 7]})
    profiles.to_parquet(folder / "profiles.parquet")
    pd.DataFrame({"pd": pd.Series(pds, dtype="float64")}).to_parquet(folder / "decisions.parquet")
    (folder / "models").mkdir()
    card = {"card": {"model": "pd", "problem": problem}}
    (folder / "models" / "pd.json").write_text(json.dumps(card), encoding="utf-8")
    return summarise_outcomes("C", "2024", folder, threshold=0.5)


def summary(*runs: RunSummary, absent: dict[str, str] | None = None) -> Summary:
    return Summary(runs, "sqlite://", {"C": absent or {}}, {"C": ["costs are SIMULATED"]})


def test_a_county_that_served_its_purpose_has_nothing_to_tell(tmp_path: Path) -> None:
    run = finished(tmp_path, [("intake", "ok"), ("yield", "price_stale")], [1], [0.05])
    assert run.findings == ()
    with pytest.raises(typer.Exit) as ended:
        _finish(summary(run), as_json=True)
    assert ended.value.exit_code == 0


def test_a_county_without_a_value_says_the_commonest_cause_and_its_remedy(tmp_path: Path) -> None:
    causes = [("intake", "ok"), ("yield", "no_crop"), ("yield", "no_price"), ("yield", "no_price")]
    run = finished(tmp_path, causes, [0, 0], [None, None], "loans=0 needed=200")
    (said,) = run.findings
    assert said == (
        "nothing could be valued, so nothing is offered: no price is known for the crop (no_price, "
        "2 rows). Add a dated price series in the county currency"
    )


def test_a_county_whose_parcels_never_came_to_a_value_says_what_stopped_them(
    tmp_path: Path,
) -> None:
    causes = [("intake", "ok"), ("intake", "ok"), ("observe", "too_cloudy")]
    (said,) = finished(tmp_path, causes, [0], [None]).findings
    assert "too few clear satellite dates (too_cloudy, 1 rows)" in said


def test_a_county_where_nobody_was_judged_says_why(tmp_path: Path) -> None:
    ok = [("intake", "ok"), ("yield", "ok")]
    run = finished(tmp_path, ok, [1, 0], [None, None], "loans=12 needed=200")
    (said,) = run.findings
    assert said.startswith("no farmer could be judged, since there is no default model (loans=12 ")


def test_one_farmer_judged_is_a_county_judged(tmp_path: Path) -> None:
    ok = [("intake", "ok"), ("yield", "ok")]
    assert finished(tmp_path, ok, [1, 0], [0.04, None]).findings == ()


def test_too_many_stopped_parcels_are_counted_against_the_threshold(tmp_path: Path) -> None:
    stops = [("intake", "ok"), ("intake", "too_large"), ("intake", "bow_tie"), ("yield", "ok")]
    (said,) = finished(tmp_path, stops, [1], [0.05]).findings
    assert said.startswith("2 of 3 parcels were stopped by an outcome, more than failure_threshold")


def test_findings_are_said_on_stderr_and_end_with_exit_code_3(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = finished(tmp_path, [("intake", "ok"), ("yield", "no_price")], [0], [None])
    with pytest.raises(typer.Exit) as ended:
        _finish(summary(run, absent={"prices": ABSENT_COSTS["prices"]}), as_json=False)
    assert ended.value.exit_code == 3
    printed = capsys.readouterr()
    assert printed.err.startswith("fieldline: C 2024: nothing could be valued, so nothing is")
    assert printed.err.count("\n") == 1
    told = "C: prices is not given: parcels are not valued, so nothing is offered.\n"
    assert printed.out.endswith(told + "C: costs are SIMULATED.\n")


def test_two_seasons_of_a_county_name_an_absence_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = finished(tmp_path, [("intake", "ok"), ("yield", "ok")], [1], [0.05])
    print_summary(summary(run, run, absent={"weather": "there are no hazard indices"}))
    assert capsys.readouterr().out.count("weather is not given") == 1
    print_summary(summary(run, run, absent={"weather": "none"}), as_json=True)
    both = json.loads(capsys.readouterr().out)
    assert [run["absent"] for run in both] == [{"weather": "none"}] * 2


def county(**inputs: Any) -> County:
    chosen = {"parcels": "p.gpkg", "catalog": "c.json", **inputs}
    seasons = load_config().county["SIM001"].seasons
    return County.model_validate({"title": "C", "inputs": chosen, "seasons": seasons})


def test_every_optional_input_of_a_run_says_what_its_absence_costs() -> None:
    optional = {
        name
        for name in type(county().inputs).paths()
        if not type(county().inputs).model_fields[name].is_required()
    }
    # Polygons belong to labelled_series and are nothing by themselves; outlines to learn from are a
    # wish of who has some: without them the field network that ships serves.
    silent = {name for name, table in TABLES.items() if table.optional}
    assert optional - {"labelled_fields", "field_outlines"} - silent == set(ABSENT_COSTS)


def test_absent_inputs_are_those_that_would_be_used() -> None:
    assert list(absent_inputs(county())) == [n for n in ABSENT_COSTS if n != "weather_cells"]
    given = {n: "x.csv" for n in ABSENT_COSTS if n not in ("labelled_series", "weather_cells")}
    assert absent_inputs(county(**given)) == {"weather_cells": ABSENT_COSTS["weather_cells"]}
    assert absent_inputs(load_config().county["SIM001"]) == {}
