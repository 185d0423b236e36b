"""Contacts: what farmers gave as phone, account, address and identity, as marks that only compare.

Owns how a contact is written alike before it is marked and which are too short to tell anybody
apart. Only the keyed mark leaves this module, and it says nothing but whether two farmers gave the
same; who shares what with whom is `lending.relations`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Any

import pandas as pd

from fieldline.pipeline.parcels.schemas import CONTACTS
from fieldline.pipeline.records.privacy import Kind, pseudonymiser
from fieldline.pipeline.records.settings import PrivacySettings

_PHONE_DIGITS = 10
"""Last digits of a number that are compared: what precedes them is the way of dialling a country,
`+86`, `0086` or `0`, or the leading 1 of every mobile number of China."""
_LEAST_PHONE, _LEAST = 7, 6
"""Shorter ones are extensions and fillers."""


def phone_digits(text: str) -> str:
    """Return the digits of a phone number that tell it from others; empty for a filler."""
    digits = "".join(c for c in unicodedata.normalize("NFKC", text) if c.isdecimal())
    filler = len(digits) < _LEAST_PHONE or len(set(digits[-_PHONE_DIGITS:])) == 1
    return "" if filler else digits[-_PHONE_DIGITS:]


def letters_and_digits(text: str) -> str:
    """Return letters and digits alone, in one case; empty for a filler such as `000000`."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    kept = "".join(c for c in folded if c.isalnum())
    return "" if len(kept) < _LEAST or len(set(kept)) == 1 else kept


_ALIKE: dict[Kind, Callable[[str], str]] = {
    "phone": phone_digits,
    "bank_account": letters_and_digits,
    "address": letters_and_digits,
    "id_number": letters_and_digits,
}
"""Kinds of contact, each with how it is written alike; also the column of the parcel file."""


def contact_marks(frame: pd.DataFrame, privacy: PrivacySettings) -> pd.DataFrame:
    """Return the marks of every farmer's contacts, none of them twice.

    Args:
        frame: Rows as read with `pseudonym` (empty where a row names no farmer) and the columns of
            contacts, None where blank.
        privacy: Key of the marks.

    Returns:
        CONTACTS rows.

    Raises:
        UserError: The key is missing or too weak.
    """
    parts = [_of_kind(frame, kind, alike, privacy) for kind, alike in _ALIKE.items()]
    found = pd.concat(parts, ignore_index=True).drop_duplicates()
    return found.sort_values(list(CONTACTS.key), kind="stable").reset_index(drop=True)


def _of_kind(
    frame: pd.DataFrame, kind: Kind, alike: Callable[[str], str], privacy: PrivacySettings
) -> pd.DataFrame:
    if kind not in frame:
        return pd.DataFrame(columns=CONTACTS.names, dtype="str")
    known = frame.loc[(frame["pseudonym"] != "") & frame[kind].notna(), ["pseudonym", kind]]
    hide = pseudonymiser(privacy, kind)
    marks: dict[Any, str] = {}
    for text in known[kind].unique():
        same = alike(str(text))
        marks[text] = hide(same) if same else ""
    rows = pd.DataFrame(
        {"farmer_id": known["pseudonym"], "kind": kind, "mark": known[kind].map(marks)}
    )
    return rows[rows["mark"] != ""]
