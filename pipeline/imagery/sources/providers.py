"""Which provider an address in a configuration means: a row of a table, or an API by its own root.

Owns `data/scene_providers.csv` and the words of `inputs.catalog`; asks nobody.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from urllib.parse import urlsplit

PRESET = "stac:"
"""Begins an address that names a row of `data/scene_providers.csv`."""


_SCHEMES = ("https", "http")


@dataclass(frozen=True)
class Provider:
    """One row of `data/scene_providers.csv`."""

    name: str
    kind: str
    """Source that knows how to ask it (`sources.source`)."""
    root: str
    """Root of its STAC API."""
    sign: str
    """Service that signs addresses of files; empty where they are public."""
    source: str
    """Where that is documented."""


@cache
def providers() -> dict[str, Provider]:
    """Return the known providers by name."""
    table = files("fieldline") / "data" / "scene_providers.csv"
    with table.open(encoding="utf-8") as handle:
        return {row["name"]: Provider(**row) for row in csv.DictReader(handle)}


def is_provider(address: str) -> bool:
    """Whether an address means a provider and not a catalog on disk."""
    return "://" in address or address.startswith(PRESET)


def provider_of(address: str) -> Provider:
    """Return the provider that an address means: a row of the table, or one by its own root.

    Raises:
        ValueError: An unknown name, or an address that no source takes.
    """
    if address.startswith(PRESET):
        name = address.removeprefix(PRESET).strip()
        if name not in providers():
            known = ", ".join(f"{PRESET}{known}" for known in providers())
            raise ValueError(f"{name!r} is no known provider; write one of {known}")
        return providers()[name]
    parts = urlsplit(address)
    if parts.scheme.lower() not in _SCHEMES or not parts.hostname:
        raise ValueError(
            "a catalog is a catalog.json on disk, the https:// root of a STAC API, or "
            f"{PRESET} and the name of a provider"
        )
    if parts.path.lower().endswith(".json"):
        raise ValueError(
            "a catalog.json is read on disk only: give the path of a copy, or the root of an API"
        )
    if "@" in parts.netloc or parts.query:
        raise ValueError("the root of a STAC API holds no user, password or key: leave them out")
    return Provider(parts.hostname, "stac", address.rstrip("/"), "", "")
