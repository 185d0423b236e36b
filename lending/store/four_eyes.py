"""Four eyes: who may stand by what another has decided.

Owns what makes two people two: their names, however they are spelt, and the accounts from which
their acts were entered, as the audit chain tells them. Two names told from one account are one
person's word.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from fieldline.lending.store.audit import actor_of
from fieldline.lending.store.signer import Signer, account_of
from fieldline.pipeline.records.errors import UserError


def refuse_second(
    connection: sa.Connection, decided: Mapping[str, Any], second: str, officer: str, by: Signer
) -> None:
    """Refuse whoever may not confirm a decision.

    Args:
        connection: Of `posting`.
        decided: Row of table `reviews`: the decision.
        second: Who has confirmed it already; empty where nobody has.
        officer: Who wants to.
        by: Who signs that.

    Raises:
        UserError: It is the person or the account that decided, or somebody confirmed it before.
    """
    first, place = decided["officer"], f"review {decided['review_id']}"
    if folded(officer) == folded(first):
        raise UserError(f"{place} was decided by {first}", "another person must confirm it")
    if second:
        raise UserError(f"{place} was confirmed by {second}", "there is nothing to confirm")
    account = actor_of(connection, decided["review_id"])
    if not account:
        raise UserError(
            f"the audit chain does not say who entered {place}", "run `fieldline audit verify`"
        )
    if account_of(account) == account_of(by.actor):
        raise UserError(
            f"{place} was entered from the same account ({account})",
            "another person must confirm it from an account of their own",
        )


def folded(name: str) -> str:
    """Return a name without what does not tell two people apart: case, width, accents of Latin
    letters, blanks and marks."""
    wide = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", name).casefold())
    kept = (letter for letter in wide if not "\u0300" <= letter <= "\u036f")
    # Signs of vowels (categories M) are letters of their scripts.
    return "".join(letter for letter in kept if unicodedata.category(letter)[0] in "LMN")
