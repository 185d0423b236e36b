"""What the portfolio commands do: open the lines that run, tell of them, write tables.

Owns finding store and run folders by the configuration, and how figures are written (amounts in
units of their currency); what they are is `lending.portfolio`'s. There are no names in any of it.
"""

from __future__ import annotations

import csv
import datetime as dt
import glob
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fieldline.lending.portfolio.codes import LineOutcome, portfolio_codes
from fieldline.lending.portfolio.exposure import concentrations, exposures
from fieldline.lending.portfolio.folders import RunFolder, read_folder
from fieldline.lending.portfolio.lines import Line, lines_on, with_drawn
from fieldline.lending.portfolio.stress import LEVELS, Losses, losses
from fieldline.lending.portfolio.watch import ON, watch
from fieldline.lending.portfolio.watchlist import BOM, read_watchlist, rows_of, write_watchlist
from fieldline.lending.store.database import open_existing
from fieldline.lending.store.offers import csv_text
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.money import written
from fieldline.pipeline.records.tables import write_text
from fieldline.workflows.config.load import load_config
from fieldline.workflows.config.model import Config

WATCHLIST = "watchlist.csv"

Table = Sequence[Mapping[str, Any]]
Tables = Mapping[str, Table]


@dataclass(frozen=True)
class Asked:
    """Which lines a person asks about."""

    config_files: Sequence[Path]
    day: dt.date
    counties: tuple[str, ...] = ()
    movements: Path | None = None
    """Table of draws and repayments of many lines."""
    out: Path | None = None
    """Folder that tables are written to."""
    as_json: bool = False


@dataclass(frozen=True)
class Opened:
    """The lines that run, with what their runs keep."""

    config: Config
    day: dt.date
    lines: list[Line]
    folders: dict[tuple[str, str], RunFolder | None]
    outcomes: list[LineOutcome]


def open_portfolio(asked: Asked) -> Opened:
    """Return the lines asked about.

    Raises:
        UserError: There is no store or county, no line runs on the day, or a file cannot be read.
    """
    config = load_config(asked.config_files)
    engine = open_existing(config.database_url())
    try:
        lines = lines_on(engine, asked.day, asked.counties)
    finally:
        engine.dispose()
    known = {*config.county, *(line.folder[0] for line in lines)}
    for name in asked.counties:
        if name not in known:
            raise UserError(f"county {name!r} is not known", f"use one of {sorted(known)}")
    if not lines:
        where = f" of {', '.join(asked.counties)}" if asked.counties else ""
        raise UserError(
            f"no line{where} in the store runs on {asked.day}",
            "name a day on which approved offers may be signed or run, with `--on`",
        )
    outcomes: list[LineOutcome] = []
    if asked.movements is not None:
        lines, outcomes = with_drawn(lines, asked.movements, asked.day)
    folders = {
        shelf: read_folder(config.results / shelf[1] / shelf[0])
        for shelf in sorted({line.folder for line in lines})
    }
    return Opened(config, asked.day, lines, folders, outcomes)


def tell_exposure(asked: Asked) -> None:
    """Say what is lent, to whom and how concentrated."""
    opened = open_portfolio(asked)
    groups = exposures(opened.lines, opened.folders)
    lent = [
        {"currency": g.currency, "dimension": g.dimension, "group": g.group, "lines": g.lines,
         "limit": written(g.limit_minor, g.currency),
         "exposure": written(g.exposure_minor, g.currency), "share": round(g.share, 6)}
        for g in groups
    ]  # fmt: skip
    held = [
        {"currency": c.currency, "dimension": c.dimension, "groups": c.groups,
         "largest": c.largest, "largest_share": round(c.largest_share, 6), "hhi": round(c.hhi, 6)}
        for c in concentrations(groups)
    ]  # fmt: skip
    tell(asked, {"exposure": lent, "concentration": held,
                 "outcomes": outcome_rows(opened.outcomes)})  # fmt: skip


def tell_stress(asked: Asked) -> None:
    """Say what the lines may lose: expected, and together under named scenarios."""
    opened = open_portfolio(asked)
    settings = opened.config.lending.portfolio
    found, outcomes = losses(opened.lines, opened.folders, settings)
    tell(asked, {
        "expected": [_expected(one) for one in found],
        "stress": [row for one in found for row in _scenarios(one)],
        "stress_by_group": [row for one in found for row in _by_group(one)],
        "draws": [{
            "draws": settings.draws, "seed": settings.seed,
            "cells_yield_correlation": settings.cells_yield_correlation,
            "drought_quantile": settings.drought_quantile, "price_fall": settings.price_fall,
        }],
        "outcomes": outcome_rows([*opened.outcomes, *outcomes]),
    })  # fmt: skip


def tell_watch(asked: Asked) -> None:
    """Say which lines the newest runs speak against, and go on from what was warned of before."""
    opened = open_portfolio(asked)
    path = (asked.out or opened.config.results / "portfolio") / WATCHLIST
    before = read_watchlist(path)
    newest = {
        county: newest_run(opened.config.results, county, asked.day)
        for county in {line.folder[0] for line in opened.lines}
    }
    found, outcomes = watch(opened.lines, newest, before, opened.config.lending.portfolio)
    lines = {line.offer_id: line for line in opened.lines}
    rows = rows_of(found, lines)
    write_watchlist(path, [*rows, *_of_others(path, asked.counties)])
    warned = [row for row in rows if row["state"] == ON]
    tell(
        replace(asked, out=None),
        {"warnings": warned, "left": [row for row in rows if row["state"] != ON],
         "outcomes": outcome_rows([*opened.outcomes, *outcomes])},
        hidden=("season", "state", "enter", "leave", "chinese", "remedy"),
    )  # fmt: skip
    if not asked.as_json:
        print(f"{len(warned)} warnings of {len(lines)} lines: {path}")


def _of_others(path: Path, counties: Sequence[str]) -> list[dict[str, str]]:
    """Return the list's rows of counties that were not asked about."""
    if not counties or not path.exists():
        return []
    with path.open(encoding="utf-8-sig", newline="") as handle:
        return [row for row in csv.DictReader(handle) if row["county"] not in counties]


def newest_run(results: Path, county: str, day: dt.date) -> RunFolder | None:
    """Return the run of a county, of whatever season, that knows most by a day."""
    found = [read_folder(path) for path in sorted(results.glob(f"*/{glob.escape(county)}"))]
    dated = [run for run in found if run is not None and run.as_of is not None]
    return max((run for run in dated if _known_by(run, day)), key=_as_of, default=None)


def _known_by(run: RunFolder, day: dt.date) -> bool:
    return _as_of(run) <= day


def _as_of(run: RunFolder) -> dt.date:
    return run.as_of or dt.date.min


def _expected(one: Losses) -> dict[str, Any]:
    return {
        "currency": one.currency, "lines": one.lines,
        "exposure": written(one.exposure_minor, one.currency),
        "judged_exposure": written(one.judged_minor, one.currency),
        "expected_loss": written(round(one.expected_minor), one.currency),
        "share": _share(one.expected_minor, one.judged_minor),
        "drawn_lines": one.drawn_lines, "drawn_exposure": written(one.drawn_minor, one.currency),
    }  # fmt: skip


def _scenarios(one: Losses) -> list[dict[str, Any]]:
    rows = []
    for found in one.scenarios if one.drawn_lines else ():
        row = {
            "currency": one.currency, "scenario": found.scenario,
            "mean_loss": written(round(found.mean), one.currency),
            "mean_error": written(round(found.mean_error), one.currency),
            "share": _share(found.mean, one.drawn_minor),
        }  # fmt: skip
        for level in LEVELS:
            told = [written(round(value), one.currency) for value in found.quantiles[level]]
            name = f"q{level * 100:.0f}"
            row |= {name: told[0], f"{name}_low": told[1], f"{name}_high": told[2]}
        row |= {"lines_short": round(found.lines_mean, 2),
                "harvests_lack": written(round(found.missing_mean), one.currency)}  # fmt: skip
        rows.append(row)
    return rows


def _by_group(one: Losses) -> list[dict[str, Any]]:
    """Return a row for each crop and weather cell, with its mean loss under every scenario."""
    names = sorted({name for found in one.scenarios for name in found.by_group})
    return [
        {"currency": one.currency, "dimension": name.partition(":")[0],
         "group": name.partition(":")[2],
         **{found.scenario: written(round(found.by_group[name]), one.currency)
            for found in one.scenarios}}
        for name in names
    ]  # fmt: skip


def _share(part: float, whole: int) -> float | None:
    return round(part / whole, 6) if whole else None


def outcome_rows(outcomes: Sequence[LineOutcome]) -> Table:
    """Return outcomes of lines with their words."""
    return [
        {"offer_id": one.offer_id, "outcome": one.code, "detail": one.detail,
         "english": portfolio_codes()[one.code].english,
         "chinese": portfolio_codes()[one.code].chinese,
         "remedy": portfolio_codes()[one.code].remedy}
        for one in outcomes
    ]  # fmt: skip


def tell(asked: Asked, tables: Tables, hidden: Sequence[str] = ()) -> None:
    """Print tables as text or JSON, and write each as CSV where a folder is named.

    Args:
        asked: How and where.
        tables: By name.
        hidden: Columns that would make the text too wide.

    Raises:
        UserError: The folder cannot be written to.
    """
    if asked.out is not None:
        write_tables(asked.out, tables)
    if asked.as_json:
        print(json.dumps({"on": asked.day.isoformat(), **tables}, ensure_ascii=False, indent=1))
        return
    for name, rows in tables.items():
        if rows:
            print(f"{name.replace('_', ' ')}, {asked.day}")
            shown = [{n: v for n, v in row.items() if n not in hidden} for row in rows]
            print(_text(_counted(rows) if name == "outcomes" else shown))


def _counted(rows: Table) -> Table:
    """Return outcomes as counts: a list of all lines says nothing on a screen."""
    counts: dict[str, int] = {}
    for row in rows:
        counts[row["outcome"]] = counts.get(row["outcome"], 0) + 1
    codes = portfolio_codes()
    return [{"outcome": code, "lines": count, "what": codes[code].english,
             "remedy": codes[code].remedy} for code, count in counts.items()]  # fmt: skip


def write_tables(folder: Path, tables: Tables) -> None:
    """Write each table as NAME.csv; one without rows is written empty, so that none stays behind.

    Raises:
        UserError: The folder cannot be written to.
    """
    try:
        for name, rows in tables.items():
            text = csv_text([dict(row) for row in rows], list(rows[0]) if rows else [])
            write_text(folder / f"{name}.csv", BOM + text if rows else "")
    except OSError as error:
        raise UserError(
            f"{folder} cannot be written to ({error.strerror})", "name a folder of yours"
        ) from error


def _text(rows: Table) -> str:
    """Return rows in columns, numbers to the right."""
    names = list(rows[0])
    cells = [["" if row[name] is None else str(row[name]) for name in names] for row in rows]
    wide = [max(len(name), *(len(row[i]) for row in cells)) for i, name in enumerate(names)]
    right = [all(_is_number(row[i]) for row in cells) for i in range(len(names))]

    def line(row: Sequence[str]) -> str:
        parts = [cell.rjust(wide[i]) if right[i] else cell.ljust(wide[i])
                 for i, cell in enumerate(row)]  # fmt: skip
        return "  " + "  ".join(parts).rstrip()

    return "\n".join([line(names), *map(line, cells)]) + "\n"


def _is_number(cell: str) -> bool:
    return not cell or cell.lstrip("-").replace(".", "", 1).isdigit()
