"""Roles: who may do what; the table that the permission matrix of the tests is held against.

A permission is a word that stands at every route (`desk.app.routes`). Which counties and farmers a
person sees is the account's, not the role's.
"""

from __future__ import annotations

from collections.abc import Mapping

OPEN = "open"
"""Needs nobody: signing in, styles and scripts, whether the server lives."""
HOME = "home"
COUNTY = "county"
"""A county as a whole: map, tiles, images, search."""
PEOPLE = "people"
"""One parcel or farmer at a time."""
EXPORT = "export"
REVIEWS = "reviews"
"""To look at cases that wait for a person."""
DECIDE = "decide"
ACCOUNTS = "accounts"
CLIENT = "client"
"""A program with a key of its own."""

ROLES: Mapping[str, frozenset[str]] = {
    "analyst": frozenset({HOME, COUNTY, PEOPLE, EXPORT, REVIEWS}),
    "account_manager": frozenset({HOME, PEOPLE, REVIEWS}),
    "approver": frozenset({HOME, COUNTY, PEOPLE, REVIEWS, DECIDE}),
    "auditor": frozenset({HOME, COUNTY, PEOPLE, EXPORT, REVIEWS}),
    "admin": frozenset({ACCOUNTS}),
}
OWN_FARMERS = frozenset({"account_manager"})
"""Roles that see the farmers named in the account and no others."""
LOCAL = frozenset({HOME, COUNTY, PEOPLE, EXPORT, REVIEWS, DECIDE})
"""The one person of a desk on loopback."""
