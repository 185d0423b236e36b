"""One thing that `fieldline init` found out or could not: its value and the sentence about it.

The same sentence stands on the screen and as a comment beside the value. It holds column names and
counts, never a cell: a cell may be somebody's name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Guess:
    """A setting of the county and why it was chosen."""

    place: str
    """Key of the county's entry to change, such as `inputs.parcel_columns.farmer_id`."""
    value: Any
    """What is written; None leaves the line as a comment."""
    said: str
    """What was found and chosen, one sentence."""
    blocking: bool = False
    """Whether the county does not run before a person settles it."""
    example: Any = None
    """What the commented line shows where there is no value."""


def counted(count: int, thing: str) -> str:
    """Return a number with its noun: `1 row`, `3 rows`."""
    return f"{count} {thing}{'' if count == 1 else 's'}"
