"""Who asks, and for what: the one place where a request's user and scope are known.

Today the desk has one local user, the account that started it, who may see every county of the
results and decide reviews. Accounts and roles have to come in here and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass

from fieldline.desk.app.places import NotHereError, Place, Shelf
from fieldline.pipeline.records.actor import actor


@dataclass(frozen=True)
class Scope:
    """What one request may see and do."""

    user: str
    """Name that acts carry in the audit chain."""
    counties: frozenset[str] | None = None
    """Counties that may be seen; None for all."""
    may_decide: bool = True
    """Whether reviews may be decided."""

    def sees(self, county: str) -> bool:
        """Whether a county may be seen."""
        return self.counties is None or county in self.counties

    def places(self, shelf: Shelf) -> list[Place]:
        """Return the places of the results that may be seen."""
        return [place for place in shelf.places() if self.sees(place.county)]

    def place(self, shelf: Shelf, season: str, county: str) -> Place:
        """Return a county and season.

        Raises:
            NotHereError: There is none of that name, or it may not be seen: both sound alike.
        """
        if not self.sees(county):
            raise NotHereError(
                f"these results hold no county {county!r} in season {season!r}",
                "choose one from the first page",
            )
        return shelf.place(season, county)


def local_user() -> Scope:
    """Return the scope of the local user."""
    return Scope(actor())
