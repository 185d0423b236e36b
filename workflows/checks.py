"""Commands that look and report, and change nothing: configuration and parcel files."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fieldline.pipeline.records.errors import UserError
from fieldline.workflows import exits
from fieldline.workflows.config.load import load_config
from fieldline.workflows.config.model import Config
from fieldline.workflows.inputs.absent import absent_inputs
from fieldline.workflows.money_checks import assumptions
from fieldline.workflows.preflight import preflight
from fieldline.workflows.summary import told_of_inputs

if TYPE_CHECKING:
    from fieldline.pipeline.parcels.parcel_files import Choices

#: Rows of one outcome that are printed: the tenth thousand says no more than the twentieth row.
_MOST = 20


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
    files: Sequence[Path],
    config_files: Sequence[Path],
    county: str | None,
    *,
    as_json: bool,
    every_row: bool,
) -> int:
    """Print what intake would make of each row, what is wrong first; return the exit code."""
    from fieldline.pipeline.parcels.intake import check_files

    config = load_config(config_files)
    choices, boundary = choices_of(config, county, files)
    check = check_files(files, choices, boundary=boundary, settings=config.intake)
    rows: list[dict[Hashable, Any]] = check.rows.to_dict("records")
    if as_json:
        print(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        _print_check(rows, check.said, every_row=every_row)
    return exits.OK if not (check.rows["effect"] == "stop").any() else exits.FOUND


def choices_of(
    config: Config, county: str | None, files: Sequence[Path]
) -> tuple[Choices, Path | None]:
    """Return what a county says about its files, and its boundary; nothing where none is named."""
    from fieldline.pipeline.parcels.parcel_files import Choices

    if county is None:
        return Choices({}), None
    if county not in config.county:
        raise UserError(f"county {county!r} is not defined", f"use one of {sorted(config.county)}")
    inputs = config.county[county].inputs
    boundary = config.input_paths(county, config.seasons[0], "boundary")
    # A prefix of another of the county's files says nothing about those that are looked at.
    others = {n for p in inputs.parcels for n in (p.name, p.stem)}
    others -= {n for file in files for n in (file.name, file.stem)}
    prefixes = {name: p for name, p in inputs.parcel_prefixes.items() if name not in others}
    choices = Choices(inputs.parcel_columns, inputs.parcel_crs, inputs.parcel_layers, prefixes)
    return choices, boundary[0] if boundary else None


def _print_check(rows: list[dict[Hashable, Any]], said: Sequence[str], *, every_row: bool) -> None:
    """Print refused rows, then noted ones, totals per outcome and what was read."""
    order = [effect for effect in ("stop", "continue", "ok") if every_row or effect != "ok"]
    by_code: dict[tuple[int, str], list[dict[Hashable, Any]]] = {}
    for row in rows:
        if row["effect"] in order:
            key = (order.index(row["effect"]), str(row["outcome"]))
            by_code.setdefault(key, []).append(row)
    shown = [r for key in sorted(by_code) for r in by_code[key][: None if every_row else _MOST]]
    if shown:
        _print_rows(shown, ("row", "parcel_id", "outcome", "detail", "remedy"))
    totals = [
        {"outcome": code, "rows": count, "effect": effect, "meaning": meaning}
        for (effect, code, meaning), count in sorted(
            Counter((r["effect"], r["outcome"], r["meaning"]) for r in rows).items(),
            key=lambda item: (("stop", "continue", "ok").index(item[0][0]), -item[1]),
        )
    ]
    _print_rows(totals, ("outcome", "rows", "effect", "meaning"))
    hidden = sum(len(found) for found in by_code.values()) - len(shown)
    if hidden:
        print(f"{hidden} more rows of these outcomes: --all shows every row")
    print(*said, sep="\n")


def _print_rows(rows: Sequence[Mapping[Any, Any]], names: Sequence[str]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None)
    for name in names:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(str(row[name]) for name in names))
    Console().print(table)
