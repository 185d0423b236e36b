"""The door for notebooks: open a results folder and see which counties and seasons it holds.

Owns finding `results/{season}/{county}`; what is inside is `County`. A folder counts as a county
from the moment that its parcels are read, so that an unfinished run can be looked at too.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from fieldline.artifacts import nearest
from fieldline.county import County
from fieldline.pipeline.records.errors import UserError

_PARCELS = "parcels.parquet"


class Results:
    """A results folder; open it with `fieldline.open`.

    Args:
        folder: The folder that a run writes into.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def counties(self) -> pd.DataFrame:
        """Seasons and counties there are: `season`, `county`, `parcels`, `decided`, `simulated`."""
        found = self._found()
        return pd.DataFrame(
            {
                "season": [county.season for county in found],
                "county": [county.id for county in found],
                "parcels": [county.artifacts.count("parcels") for county in found],
                "decided": [county.decided for county in found],
                "simulated": [county.simulated for county in found],
            }
        )

    def county(self, county: str, season: str | int | None = None) -> County:
        """Open one county's season.

        Args:
            county: County id.
            season: Season name; may be left out where only one season was decided.

        Raises:
            UserError: The county or season is not there, or several seasons are and none is named.
        """
        found = self._found()
        of_county = [one for one in found if one.id == county]
        if not of_county:
            raise UserError(
                f"{self.folder} holds no county {county!r}", nearest(county, {c.id for c in found})
            )
        if season is None:
            return self._only(of_county)
        chosen = [one for one in of_county if one.season == str(season)]
        if not chosen:
            held = ", ".join(one.season for one in of_county)
            raise UserError(
                f"{self.folder} holds no season {str(season)!r} of {county}",
                f"name one that is there ({held}), or `fieldline run --season {season}`",
            )
        return chosen[0]

    def _only(self, counties: list[County]) -> County:
        candidates = [one for one in counties if one.decided] or counties
        if len(candidates) > 1:
            held = ", ".join(one.season for one in candidates)
            raise UserError(
                f"{self.folder} holds the seasons {held} of {candidates[0].id}",
                f'name the one to open: county("{candidates[0].id}", season=...)',
            )
        return candidates[0]

    def _found(self) -> list[County]:
        found = sorted(self.folder.glob(f"[!.]*/[!.]*/{_PARCELS}"))
        return [County(path.parent) for path in found]

    @property
    def _title(self) -> str:
        return f"Fieldline results in {self.folder}"

    def __repr__(self) -> str:
        return f"{self._title}\n{self.counties.to_string(index=False)}"

    def _repr_html_(self) -> str:
        return f"<b>{self._title}</b>{self.counties.to_html(index=False)}"


def open(folder: str | Path = "results") -> Results:
    """Open the results folder of a run, read only.

    Args:
        folder: The folder that the configuration names as `results`.

    Returns:
        Its seasons and counties; print it to see them.

    Raises:
        UserError: There is no such folder, or no county has been read into it yet.
    """
    path = _folder(folder)
    if (path / _PARCELS).is_file():
        raise UserError(
            f"{path} is one county's season", f'open it with fieldline.open_county("{path}")'
        )
    results = Results(path)
    if results.counties.empty:
        raise UserError(
            f"{path} holds no county",
            "give the folder that the configuration names as `results`, or start `fieldline run`",
        )
    return results


def open_county(folder: str | Path) -> County:
    """Open one county's season by its own folder, read only.

    Args:
        folder: `results/{season}/{county}`.

    Raises:
        UserError: There is no such folder, or it holds no parcels.
    """
    path = _folder(folder)
    if not (path / _PARCELS).is_file():
        raise UserError(
            f"{path} holds no {_PARCELS}, so no county was run there",
            "give a folder such as results/2024/SIM001, or the whole results to fieldline.open",
        )
    return County(path.resolve())


def _folder(folder: str | Path) -> Path:
    path = Path(folder).expanduser()
    if not path.is_dir():
        raise UserError(
            f"{path} is no folder (looked for {path.absolute()})",
            "give the folder that the configuration names as `results`",
        )
    return path
