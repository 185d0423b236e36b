"""Kinds of papers as data: what each is about, must hold and is called.

Owns the loader of `data/document_kinds.csv`; what a paper changes is done by whoever reads it
(`lending.evidence`, `lending.profile`). A kind that is not in the table is a refused row.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

from fieldline.pipeline.records.reference import table_rows

#: Papers by which a tenant holds land that the registry gives to somebody else.
LEASES = ("lease_contract", "landlord_confirmation")
#: Papers that tell which crop stands or is sown on a parcel.
CROP_PROOFS = ("field_photo", "seed_receipt")


@dataclass(frozen=True)
class DocumentKind:
    """One row of `data/document_kinds.csv`."""

    kind: str
    about: Literal["parcel", "farmer"]
    verified: bool
    """Whether it proves nothing until somebody of the lender has checked it."""
    needs: tuple[str, ...]
    """Columns without which a row of the kind says nothing."""
    greatest_age_days: int | None
    """Days from its issue for which it says how things stand; None where its last day says so. An
    assumption of the lender: a photo or receipt is of this season, a record of the last year."""
    names: tuple[str, ...]
    """Other names that offices give it."""
    english: str
    chinese: str
    effect: str


@cache
def document_kinds() -> dict[str, DocumentKind]:
    """Return the kinds by code."""
    return {
        row["kind"]: DocumentKind(
            row["kind"],
            "parcel" if row["about"] == "parcel" else "farmer",
            row["verified"] == "1",
            tuple(row["needs"].split()),
            int(row["greatest_age_days"]) if row["greatest_age_days"] else None,
            tuple(row["names"].split("|")),
            row["english"],
            row["chinese"],
            row["effect"],
        )
        for row in table_rows("document_kinds.csv")
    }


@cache
def _by_name() -> dict[str, str]:
    return {
        _spelt(name): kind.kind
        for kind in document_kinds().values()
        for name in (kind.kind, kind.english, kind.chinese, *kind.names)
    }


def kind_named(name: str) -> str | None:
    """Return the code of a kind by any of its names; None where there is no such kind."""
    return _by_name().get(_spelt(name))


def _spelt(name: str) -> str:
    return " ".join(name.replace("_", " ").split()).casefold()
