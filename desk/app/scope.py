"""Who asks, and for what: the one place where a request's user and scope are known.

A desk on loopback has one local user, the account that started it, who may see every county of the
results and decide reviews. A served desk has accounts: its door (`desk.access.door`) says who has
signed in, and the scope says which permissions, counties and farmers that is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from fastapi import Request

from fieldline.desk.access.roles import DECIDE, LOCAL, OPEN
from fieldline.desk.app.places import NotHereError, Place, Shelf
from fieldline.pipeline.records.actor import actor
from fieldline.pipeline.records.errors import UserError


class NotAllowedError(UserError):
    """Something that this user may not do; told with status 403."""


@dataclass(frozen=True)
class Scope:
    """What one request may see and do."""

    user: str
    """Name that acts carry in the audit chain."""
    counties: frozenset[str] | None = None
    """Counties that may be seen; None for all."""
    may: frozenset[str] = LOCAL
    """Permissions of `desk.access.roles`."""
    farmers: frozenset[str] | None = None
    """Farmers that may be seen, by pseudonym; None for all of the counties."""
    signed_in: bool = False
    """Whether there is a session that can be ended."""

    @property
    def may_decide(self) -> bool:
        """Whether reviews may be decided."""
        return DECIDE in self.may

    def sees(self, county: str) -> bool:
        """Whether a county may be seen."""
        return self.counties is None or county in self.counties

    def sees_farmer(self, farmer_id: str) -> bool:
        """Whether a farmer may be seen, where the county may."""
        return self.farmers is None or farmer_id in self.farmers

    def refuse_farmer(self, farmer_id: str) -> None:
        """Refuse a farmer who may not be seen.

        Raises:
            NotHereError: The farmer may not; it sounds like one who is not there.
        """
        if not self.sees_farmer(farmer_id):
            raise NotHereError(
                "there is nothing of that number here", "look among your own farmers"
            )

    def require(self, permission: str) -> None:
        """Refuse what this user may not do.

        Raises:
            NotAllowedError: The user may not.
        """
        if permission != OPEN and permission not in self.may:
            raise NotAllowedError(
                f"{self.user} may not do this", "ask somebody whose role allows it"
            )

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


NOBODY = Scope("nobody", frozenset(), frozenset(), frozenset())
"""Who has not signed in: sees what needs nobody."""


class Door(Protocol):
    """Says who asks."""

    @property
    def hosts(self) -> frozenset[str]:
        """Host names that are answered."""

    def scope(self, request: Request) -> Scope | None:
        """Return what a request may see and do; None where somebody must sign in first."""


class LocalDoor:
    """The door of a desk on loopback: whoever can ask is the account that started it."""

    hosts = frozenset({"127.0.0.1", "localhost", "::1"})

    def scope(self, request: Request) -> Scope | None:  # noqa: ARG002 - as every door
        """Return the scope of the local user."""
        return local_user()


def local_user() -> Scope:
    """Return the scope of the local user."""
    return Scope(actor())
