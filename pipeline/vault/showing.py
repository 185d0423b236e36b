"""Showing: one person's data to one person, who says why and is written down first.

Owns the order of these two: the entry stands in the log before the record is opened.
"""

from __future__ import annotations

from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.vault.access import Act, record
from fieldline.pipeline.vault.erasure import erased_farmers, unknown_farmer
from fieldline.pipeline.vault.persons import Person, find_person
from fieldline.pipeline.vault.vault import Vault


def show_person(vault: Vault, farmer_id: str, purpose: str) -> Person:
    """Return who stands behind a pseudonym, as of the latest season by name.

    Args:
        vault: Open vault.
        farmer_id: Pseudonym.
        purpose: Why somebody looks.

    Raises:
        UserError: The farmer is unknown or was erased (the try is in the log all the same), or the
            record was changed.
    """
    with vault.writing() as connection:
        record(connection, vault, Act("show", {"farmer_id": farmer_id}, purpose))
    person = find_person(vault, farmer_id)
    if person is not None:
        return person
    erased_at = erased_farmers(vault).get(farmer_id)
    if erased_at is None:
        raise unknown_farmer(vault, farmer_id)
    raise UserError(
        f"the data of farmer {farmer_id} was erased at {erased_at}",
        "nobody can bring it back; a new consent lets the farmer apply again",
    )
