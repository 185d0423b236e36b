"""Meanwhile: what others have done on an offer since somebody looked at it.

Owns the last act on a farmer there and the refusal to act on what has changed. It is asked under
the lock of the act itself, so that of two people at once one is told of the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from fieldline.lending.store.database import REVIEWS
from fieldline.pipeline.records.errors import UserError

_PLACE = ("county", "season", "product", "farmer_id")


def last_act(connection: sa.Connection, offer: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the last act on an offer's farmer there; None where nobody has acted.

    Args:
        connection: Open connection.
        offer: Row of table `offers`.
    """
    here = [REVIEWS.c[name] == offer[name] for name in _PLACE]
    query = sa.select(REVIEWS).where(*here).order_by(REVIEWS.c.seq.desc()).limit(1)
    found = connection.execute(query).one_or_none()
    return None if found is None else found._asdict()


def refuse_unseen(connection: sa.Connection, offer: Mapping[str, Any], seen: str | None) -> None:
    """Raise where somebody has acted since.

    Args:
        connection: Of `posting`.
        offer: Row of table `offers`.
        seen: Id of the last act that was looked at, empty for none; None lets everything pass.

    Raises:
        UserError: The last act is another one.
    """
    act = None if seen is None else last_act(connection, offer)
    if act is not None and act["review_id"] != seen:
        raise UserError(
            f"{act['officer']} has acted on offer {offer['offer_id']} meanwhile ({act['act']})",
            "look at the offer again, then decide",
        )
