"""The stored tables of one county and season, read only.

Owns finding and reading files in `results/{season}/{county}`, and the sentence that tells what is
not there. Every read goes to the file: nothing is kept, so a rerun is seen at once, and one
parcel's rows are read without the rest of its table.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.tables import read_rows, read_table

_SUFFIX = ".parquet"


@dataclass(frozen=True)
class Artifacts:
    """The files of one county and season."""

    folder: Path
    """`results/{season}/{county}`."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the tables that are there, in alphabetical order."""
        return tuple(sorted(path.stem for path in self.folder.glob(f"[!.]*{_SUFFIX}")))

    def has(self, name: str) -> bool:
        """Whether a table is there."""
        return name in self.names

    def file(self, name: str) -> Path:
        """Return the path of a file of the folder.

        Raises:
            UserError: The run has not made it, or its name is misspelt.
        """
        path = self.folder / name
        if not path.is_file():
            held = ", ".join(self.names) or "no table"
            raise UserError(
                f"{self.folder} has no {name} (it holds {held})",
                "check the name, or let `fieldline run` come to the stage that writes it",
            )
        return path

    def parquet(self, name: str) -> Path:
        """Return the path of a table."""
        return self.file(f"{name}{_SUFFIX}")

    def table(self, name: str, columns: Iterable[str] | None = None) -> pd.DataFrame:
        """Read a table, or some of its columns, as it is stored."""
        return read_table(self.parquet(name), None if columns is None else list(columns))

    def rows(self, name: str, column: str, value: str) -> pd.DataFrame:
        """Read the rows of a table that hold `value` in `column`."""
        return pd.DataFrame(read_rows(self.parquet(name), column, value).to_pandas())

    def records(self, name: str, column: str, value: str) -> list[dict[str, Any]]:
        """Read the same rows as plain values: `None`, `Decimal`, `date` and lists stay exact."""
        return list(read_rows(self.parquet(name), column, value).to_pylist())

    def outcomes(self, parcel_id: str | None = None) -> pd.DataFrame:
        """Return what became of every row, or of one parcel; of the stages so far if unfinished.

        Raises:
            UserError: No stage has told its outcomes yet.
        """
        parts = sorted((self.folder / "outcomes").glob(f"[!.]*{_SUFFIX}"))
        if self.has("outcomes") or not parts:
            parts = [self.parquet("outcomes")]
        if parcel_id is None:
            return pd.concat([read_table(part) for part in parts], ignore_index=True)
        found = [pd.DataFrame(read_rows(p, "parcel_id", parcel_id).to_pandas()) for p in parts]
        return pd.concat(found, ignore_index=True)

    def count(self, name: str) -> int:
        """Return the number of rows of a table; none where it is not there."""
        return int(pq.read_metadata(self.parquet(name)).num_rows) if self.has(name) else 0


def nearest(wanted: str, known: Iterable[str]) -> str:
    """Return a hint at the names nearest to a misspelt one: `did you mean 'A' or 'B'?`.

    Args:
        wanted: The name that was asked for.
        known: Every name there is.
    """
    names = sorted(known)
    found = [repr(name) for name in get_close_matches(wanted, names, n=3)]
    if found:
        return f"did you mean {' or '.join(found)}?"
    few = ", ".join(repr(name) for name in names[:3])
    rest = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    return f"give one that is there ({few}{rest})" if names else "there is none"


def facts_as_text(title: str, facts: Mapping[str, str]) -> str:
    """Return a title and its facts as one line for the console."""
    return f"{title}: " + "; ".join(f"{name} {value}" for name, value in facts.items())


def facts_as_html(title: str, facts: Mapping[str, str]) -> str:
    """Return the same as a small table for a notebook."""
    rows = "".join(
        f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
        f"<td style='text-align:left'>{html.escape(value)}</td></tr>"
        for name, value in facts.items()
    )
    return f"<b>{html.escape(title)}</b><table>{rows}</table>"
