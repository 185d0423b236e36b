"""Watchlist: the file of warnings, which is also what the next run of them goes on from.

Owns its columns, words and reading. It is written whole and renamed into place, so that a killed
run leaves the list before it.
"""

from __future__ import annotations

import codecs
import csv
import datetime as dt
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from fieldline.lending.portfolio.codes import portfolio_codes
from fieldline.lending.portfolio.lines import Line
from fieldline.lending.portfolio.watch import OFF, ON, Warned
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.tables import write_text

COLUMNS = (
    "offer_id", "county", "season", "farmer_id", "code", "state", "since", "as_of", "value",
    "enter", "leave", "english", "chinese", "remedy",
)  # fmt: skip
_PLACES = 4

BOM = codecs.BOM_UTF8.decode()
"""Without it a spreadsheet reads Chinese as the code page of its machine."""


def rows_of(found: Sequence[Warned], lines: Mapping[str, Line]) -> list[dict[str, str]]:
    """Return warnings as rows of the file.

    Args:
        found: Warnings of lines that run.
        lines: These lines by offer.
    """
    return [_row(warned, lines[warned.offer_id]) for warned in found if warned.offer_id in lines]


def _row(warned: Warned, line: Line) -> dict[str, str]:
    code = portfolio_codes()[warned.code]
    whole = warned.code == "warn_hazard"
    shown = {
        "value": "" if warned.value is None else _shown(warned.value, whole=whole),
        "level": _shown(warned.enter, whole=whole),
    }
    county, season = line.folder
    return {
        "offer_id": warned.offer_id, "county": county, "season": season,
        "farmer_id": line.farmer_id, "code": warned.code, "state": warned.state,
        "since": warned.since.isoformat(), "as_of": warned.as_of.isoformat(),
        "value": "" if warned.value is None else f"{warned.value:.{_PLACES}f}",
        "enter": f"{warned.enter:g}", "leave": f"{warned.leave:g}",
        "english": code.english.format(**shown), "chinese": code.chinese.format(**shown),
        "remedy": code.remedy,
    }  # fmt: skip


def _shown(value: float, *, whole: bool) -> str:
    return f"{value:.0f}" if whole else f"{value:.0%}"


def write_watchlist(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    """Write the list, headed also where it is empty.

    Raises:
        UserError: It cannot be written.
    """
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    try:
        write_text(path, BOM + out.getvalue())
    except OSError as error:
        raise UserError(
            f"{path} cannot be written ({error.strerror})", "name a folder of yours with `--out`"
        ) from error


def read_watchlist(path: Path) -> list[Warned]:
    """Return the warnings of a list; none where there is no file yet.

    Raises:
        UserError: It was changed into something that is none, with row and column.
    """
    if not path.exists():
        return []
    try:
        text = path.read_text(encoding="utf-8-sig")
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(
            f"{path} cannot be read ({error})", "put the file back, or delete it"
        ) from error
    found = []
    for number, row in enumerate(rows, start=1):
        try:
            found.append(_warned(row))
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(
                f"{path}, row {number}, is no warning of this version ({error})",
                "put the file back as it was written, or delete it: warnings then begin anew",
            ) from error
    return found


def _warned(row: Mapping[str, str]) -> Warned:
    if row["state"] not in (ON, OFF):
        raise ValueError(f"state {row['state']!r}")
    if row["code"] not in portfolio_codes():
        raise ValueError(f"code {row['code']!r}")
    return Warned(
        row["offer_id"], row["code"], row["state"], dt.date.fromisoformat(row["since"]),
        dt.date.fromisoformat(row["as_of"]), float(row["value"]) if row["value"] else None,
        float(row["enter"]), float(row["leave"]),
    )  # fmt: skip
