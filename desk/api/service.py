"""Service: what the API stands on: the store, the keys, and the chain that decides.

Owns what is kept between requests. The chain is handed in (`Chain`), because the table of stages
and the configuration are those of `workflows`, which this room does not know.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol

import sqlalchemy as sa

from fieldline.desk.access.clients import Client, Keys, Rates
from fieldline.desk.app.places import NotHereError
from fieldline.lending.store.applied import Held, held_columns, refuse_ended
from fieldline.lending.store.database import OFFERS, Looking

Row = dict[str, Any]


class Chain(Protocol):
    """How counties are known and decided."""

    def seasons(self, county: str) -> list[str]:
        """Return a county's decided seasons, oldest first; none for an unknown county."""

    def product(self) -> str:
        """Return the product that is offered."""

    def pseudonym(self, county: str, reference: str) -> str:
        """Return a farmer's pseudonym."""

    def refuse_erased(self, county: str, farmer_id: str) -> None:
        """Refuse a farmer who was erased.

        Raises:
            UserError: The farmer was.
        """

    def withdrawn(self, county: str, farmer_id: str) -> dt.date | None:
        """Return the last day on which a farmer withdrew by the county's table of consents."""

    def forget(self, county: str, season: str, farmer_id: str) -> None:
        """Have later runs of a county know nothing of what a farmer applied with."""

    def seal(self, county: str, reference: str) -> str:
        """Return a farmer's number sealed, to wait for the chain."""

    def today(self, county: str, season: str) -> dt.date:
        """Return the knowledge date of a season."""

    def decide_stored(self, county: str, season: str, farmer_id: str) -> Row:
        """Decide a farmer on what the county knows; post it and return the offer.

        Raises:
            UserError: The county knows nothing of the farmer.
        """

    def ranges(self, county: str, season: str) -> Mapping[str, Range]:
        """Return by crop what was decided for those who grow it."""


@dataclass(frozen=True)
class Range:
    """What was decided for the farmers of one crop."""

    farmers: int
    approved: int
    low_per_m2: Decimal
    """Tenth percentile of the approved limits by area, units of the currency."""
    high_per_m2: Decimal
    currency: str


_OFFER = (
    sa.select(*OFFERS.c, *held_columns(OFFERS.c.county, OFFERS.c.farmer_id))
    .order_by(OFFERS.c.seq.desc())
    .limit(1)
)
"""An offer with the farmer's consents: one statement, for it is what is asked most."""


@dataclass
class Service:
    """One running decision API."""

    engine: sa.Engine
    chain: Chain
    rates: Rates = field(default_factory=Rates)
    suppress_below: int = 5
    """Fewest farmers from whom an estimate is told."""

    def __post_init__(self) -> None:
        self.looking = Looking(self.engine)
        self.keys = Keys(self.engine)

    def place(self, client: Client, county: str, season: str | None) -> tuple[str, str]:
        """Return county and season that a client asks about.

        Raises:
            NotHereError: There is none of that name, or the client may not ask of it: both sound
                alike.
        """
        seasons = self.chain.seasons(county) if client.sees(county) else []
        if not seasons or (season is not None and season not in seasons):
            raise NotHereError(
                "there is no such county and season", "ask the operator which this key is for"
            )
        return county, season or seasons[-1]

    def offer(self, client: Client, offer_id: str) -> Row:
        """Return the last offer of an id.

        Raises:
            NotHereError: There is none that the client may see.
            ConsentError: The farmer's consent has ended.
        """
        query = _OFFER.where(OFFERS.c.offer_id == offer_id)
        found = self.looking.first(query)
        if found is None or not client.sees(found.county):
            raise NotHereError("there is no such offer", "copy `offer_id` of an application")
        refuse_ended(Held.of(found), self.chain.withdrawn(found.county, found.farmer_id))
        return found._asdict()
