"""`fieldline inputs check`: every file of a county looked at before a run, what is wrong first.

Owns the looking without a run and the telling; writes nothing. Parcels are screened as intake
would, tables are read as the chain would, and both are told in the same words.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fieldline.pipeline.inputs.schema import Problem
from fieldline.pipeline.parcels.intake import Check, check_files
from fieldline.pipeline.parcels.parcel_files import Choices
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.outcomes import OK, outcome_codes
from fieldline.workflows import exits
from fieldline.workflows.config.load import load_config
from fieldline.workflows.config.model import Config
from fieldline.workflows.inputs.absent import absent_inputs
from fieldline.workflows.inputs.account import USED_ALL_THE_SAME, FileAccount, Known, row_counts
from fieldline.workflows.inputs.county_tables import circumstances, tables_of
from fieldline.workflows.inputs.tables import account_for

_ROWS_SHOWN = 5
_WIDTH = 120


@dataclass(frozen=True)
class Checked:
    """What was found in the files of a county and season."""

    accounts: tuple[FileAccount, ...]
    parcels: pd.DataFrame
    """Columns row, parcel_id, outcome, effect, detail of every outline."""
    unreadable: tuple[str, ...]
    """A sentence for each file that cannot be read."""
    absent: Mapping[str, str]
    """What each input costs that the county does not have."""

    @property
    def code(self) -> int:
        """Exit code: 2 where a run would stop, 3 where rows are refused, else 0."""
        if self.unreadable:
            return exits.USER_ERROR
        refused = any(account.refused for account in self.accounts)
        return exits.FOUND if refused or (self.parcels["effect"] == "stop").any() else exits.OK


def check_inputs(config_files: Sequence[Path], county: str, season: str, *, as_json: bool) -> int:
    """Print what a county's files hold, what would be refused and what joins nothing.

    Returns:
        The exit code.

    Raises:
        UserError: The county or season is not configured.
    """
    config = load_config(config_files)
    refuse_unknown(config, county, season)
    checked = look(config, county, season)
    if as_json:
        print(json.dumps(_document(checked), indent=2, ensure_ascii=False))
    else:
        _tell(checked)
    return checked.code


def refuse_unknown(config: Config, county: str, *seasons: str) -> None:
    """Refuse a county or seasons of it that are not configured.

    Raises:
        UserError: With the known ones.
    """
    if county not in config.county:
        known = ", ".join(sorted(config.county))
        raise UserError(f"county {county!r} is not configured", f"use one of {known}")
    for season in seasons:
        if season not in config.county[county].seasons:
            known = ", ".join(sorted(config.county[county].seasons))
            raise UserError(f"county {county} has no season {season!r}", f"use one of {known}")


def look(config: Config, county: str, season: str) -> Checked:
    """Read every file of a county and season."""
    unreadable: list[str] = []
    paths = tables_of(config, county, season)
    known: dict[str, Known] = {}
    parcels = pd.DataFrame(columns=["row", "parcel_id", "outcome", "effect", "detail"])
    try:
        check = _parcels(config, county, season)
        parcels, known = check.rows, _known(check)
    except UserError as error:
        unreadable.append(str(error))
    around = circumstances(config, county, season, known)
    accounts = []
    for name, path in paths.items():
        try:
            accounts.append(account_for(name, path, paths, around))
        except UserError as error:
            unreadable.append(str(error))
    absent = absent_inputs(config.county[county])
    return Checked(tuple(accounts), parcels, tuple(unreadable), absent)


def _parcels(config: Config, county: str, season: str) -> Check:
    inputs = config.county[county].inputs
    boundary = config.input_paths(county, season, "boundary")
    return check_files(
        config.input_paths(county, season, "parcels"),
        Choices(
            inputs.parcel_columns, inputs.parcel_crs, inputs.parcel_layers, inputs.parcel_prefixes
        ),
        boundary=boundary[0] if boundary else None,
        settings=config.intake,
    )


def _known(check: Check) -> dict[str, Known]:
    drawn = set(check.rows["parcel_id"])
    return {
        "parcel_id": lambda ids: ids.isin(drawn).to_numpy(dtype=bool),
        "farmer_id": lambda ids: ids.isin(check.farmers).to_numpy(dtype=bool),
    }


def _document(checked: Checked) -> dict[str, object]:
    outcomes = checked.parcels["outcome"].value_counts().to_dict()
    return {
        "unreadable": list(checked.unreadable),
        "parcels": {"rows": len(checked.parcels), "outcomes": outcomes},
        "files": [
            {
                "input": account.input,
                "file": str(account.path),
                "rows": account.rows,
                "used": account.used,
                "encoding": account.encoding,
                "columns": dict(account.headers),
                "outcomes": row_counts(account),
                "problems": [vars(problem) for problem in account.problems],
                "remarks": list(account.remarks),
            }
            for account in checked.accounts
        ],
        "absent": dict(checked.absent),
    }


def _tell(checked: Checked) -> None:
    for sentence in checked.unreadable:
        print(f"cannot be read: {sentence}")
    _tell_parcels(checked.parcels)
    for account in checked.accounts:
        _tell_codes(account, stopping=True)
    for account in checked.accounts:
        _tell_codes(account, stopping=False)
        for remark in account.remarks:
            print(f"{account.input} {account.path.name}: {remark}")
    _totals(checked)
    for name, costs in checked.absent.items():
        print(f"{name} is not given: {costs}")


def _tell_parcels(parcels: pd.DataFrame) -> None:
    for outcome, rows in parcels[parcels["effect"] == "stop"].groupby("outcome"):
        code = outcome_codes()[str(outcome)]
        named = ", ".join(f"{r.row} ({r.parcel_id})" for r in rows.head(_ROWS_SHOWN).itertuples())
        print(f"parcels: {len(rows):,} refused: {code.english} (row {named}); {code.remedy}")


def _tell_codes(account: FileAccount, *, stopping: bool) -> None:
    for name in (name for name in row_counts(account) if name != OK):
        code = outcome_codes()[name]
        if (code.effect == "stop") is not stopping:
            continue
        found = [problem for problem in account.problems if problem.code == name]
        set_aside = "used all the same" if name in USED_ALL_THE_SAME else "not used"
        word = "refused" if stopping else set_aside
        more = "; ..." if len(found) > _ROWS_SHOWN else ""
        rows = "; ".join(_cell(problem) for problem in found[:_ROWS_SHOWN])
        print(
            f"{account.input} {account.path.name}: {len(found):,} of {account.rows:,} {word}: "
            f"{code.english} ({rows}{more}); {code.remedy}"
        )


def _cell(problem: Problem) -> str:
    value = repr(problem.value) if problem.value else ""
    return " ".join(part for part in (f"row {problem.row}", problem.column, value) if part)


def _totals(checked: Checked) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None)
    for name in ("input", "file", "rows", "used", "refused", "joins nothing", "set aside", "as"):
        text = name in ("input", "file", "as")
        table.add_column(name, justify="left" if text else "right", no_wrap=True)
    stopped = int((checked.parcels["effect"] == "stop").sum())
    rows = len(checked.parcels)
    table.add_row("parcels", "", f"{rows:,}", f"{rows - stopped:,}", f"{stopped:,}", "", "", "")
    for a in checked.accounts:
        numbers = (a.rows, a.used, a.refused, a.unmatched, a.set_aside)
        shown = [f"{number:,}" for number in numbers]
        table.add_row(a.input, a.path.name, *shown, a.encoding)
    Console(width=_WIDTH).print(table)
