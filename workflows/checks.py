"""Commands that look and report, and change nothing: parcel files, audit chain and replays."""

from __future__ import annotations

import json
import sys
from collections.abc import Hashable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fieldline.pipeline.records.errors import UserError
from fieldline.workflows import exits
from fieldline.workflows.config.load import load_config
from fieldline.workflows.config.model import Config
from fieldline.workflows.inputs_absent import absent_inputs
from fieldline.workflows.money_checks import assumptions
from fieldline.workflows.preflight import preflight
from fieldline.workflows.summary import told_of_inputs


def check_config(file: Path, *, as_json: bool) -> int:
    """Print what a run of this configuration would stumble over; return the exit code."""
    config = load_config([file])
    problems = [str(problem) for problem in preflight(config)]
    absent = {name: absent_inputs(config.county[name]) for name in config.counties}
    assumed = {name: [] if problems else assumptions(config, name) for name in config.counties}
    if as_json:
        told = {"problems": problems, "absent": absent, "assumed": assumed}
        document = {**told, "config": config.model_dump(mode="json")}
        print(json.dumps(document, indent=2, ensure_ascii=False))
        return exits.USER_ERROR if problems else exits.OK
    for line in told_of_inputs(absent, assumed):
        print(line)
    if problems:
        print(*(f"fieldline: {problem}" for problem in problems), sep="\n", file=sys.stderr)
    else:
        runs = ", ".join(f"{county} {season}" for county, season in config.runs())
        print(f"{file} is valid and ready to run: {runs}; results go to {config.results}")
    return exits.USER_ERROR if problems else exits.OK


def check_parcels(
    file: Path, config_files: Sequence[Path], county: str | None, *, as_json: bool
) -> int:
    """Print what intake would make of each row; return the exit code."""
    from fieldline.pipeline.parcels.intake import check_file

    config = load_config(config_files)
    frame = check_file(file, **_columns_and_limits(config, county), settings=config.intake)
    if as_json:
        print(json.dumps(frame.to_dict("records"), indent=2, ensure_ascii=False))
    else:
        _print_rows(frame.to_dict("records"))
    return exits.OK if not (frame["effect"] == "stop").any() else exits.FOUND


def _columns_and_limits(config: Config, county: str | None) -> dict[str, Any]:
    """Return a county's column names, CRS and boundary; none of them where no county is named."""
    if county is None:
        return {"columns": {}, "crs": None, "boundary": None}
    if county not in config.county:
        raise UserError(f"county {county!r} is not defined", f"use one of {sorted(config.county)}")
    inputs = config.county[county].inputs
    boundary = config.input_paths(county, config.seasons[0], "boundary")
    return {
        "columns": inputs.parcel_columns,
        "crs": inputs.parcel_crs,
        "boundary": boundary[0] if boundary else None,
    }


def _print_rows(rows: list[dict[Hashable, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None)
    names = [
        n for n in ("row", "parcel_id", "outcome", "detail", "remedy") if rows and n in rows[0]
    ]
    for name in names:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(str(row[name]) for name in names))
    Console().print(table)


def verify_audit(config_files: Sequence[Path], *, as_json: bool) -> int:
    """Recompute the audit chain; return the exit code."""
    from fieldline.lending.store.audit import verify
    from fieldline.lending.store.database import open_existing

    engine = open_existing(load_config(config_files).database_url())
    try:
        report = verify(engine)
    finally:
        engine.dispose()
    if as_json:
        print(json.dumps(asdict(report), indent=2))
        return exits.FOUND if report.problems else exits.OK
    for problem in report.problems:
        print(problem)
    print(f"{report.entries} audit entries, {len(report.problems)} problems, head {report.head}")
    return exits.FOUND if report.problems else exits.OK


def replay_decisions(
    config_files: Sequence[Path], decision_id: str | None, *, as_json: bool
) -> int:
    """Replay one stored decision, or all; return the exit code."""
    from fieldline.lending.store.database import open_existing
    from fieldline.lending.store.replays import replay_stored

    engine = open_existing(load_config(config_files).database_url())
    try:
        report = replay_stored(engine, decision_id)
    finally:
        engine.dispose()
    if as_json:
        print(json.dumps(asdict(report), indent=2, ensure_ascii=False))
        return exits.FOUND if report.problems else exits.OK
    for stored_id, problem in report.problems.items():
        print(f"{stored_id}: {problem}")
    formats = ", ".join(f"{count} of format {name}" for name, count in report.formats.items())
    print(f"{report.replayed} of {report.decisions} decisions replay ({formats or 'none stored'})")
    return exits.FOUND if report.problems else exits.OK
