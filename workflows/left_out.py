"""Counties that a run left out, since one of their tables cannot be read.

Owns the sentence about each, kept beside what lies of the county until a run reads its tables or
makes their account anew: `fieldline status` tells it also of a county that was done before.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from fieldline.pipeline.records.tables import write_text
from fieldline.workflows.config.model import Config
from fieldline.workflows.stages import stage

STAGE = "inputs"
"""The stage that would have said it."""
_FOLDER = Path(".fieldline", "left_out")
"""Below the results; one file a county and season."""


def leave_out(results: Path, county: str, season: str, sentence: str) -> None:
    """Keep why a county is left out."""
    with suppress(OSError):  # of a full disk the jobs tell
        place = _place(results, county, season)
        place.parent.mkdir(parents=True, exist_ok=True)
        write_text(place, sentence)


def take_in(config: Config, counties: Iterable[str]) -> None:
    """Forget why counties were left out: their tables can be read, or are those of the last run."""
    wanted = set(counties)
    for county, season in config.runs():
        if county in wanted:
            with suppress(OSError):
                _place(config.results, county, season).unlink(missing_ok=True)


def why_left_out(results: Path, county: str, season: str, *, since: float | None) -> str:
    """Return why the last run left a county and season out; empty where it did not.

    Args:
        results: The results folder.
        county: County id.
        season: Season.
        since: When the run at work on it began, if one is: what an earlier one said counts no more.
    """
    place = _place(results, county, season)
    account = results / season / county / stage(STAGE).outcomes
    try:
        said = place.stat().st_mtime
        if said < (since or 0.0) or (account.exists() and said < account.stat().st_mtime):
            return ""
        return place.read_text(encoding="utf-8")
    except OSError:
        return ""


def _place(results: Path, county: str, season: str) -> Path:
    return results / _FOLDER / season / county
