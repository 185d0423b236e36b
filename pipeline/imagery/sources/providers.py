"""Which provider an address in a configuration means: a row of a table, or an API by its own root.

Owns `data/scene_providers.csv` and the words of `inputs.catalog`; asks nobody and knows no secret.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from urllib.parse import urlsplit

_SCHEMES = ("https", "http")
_API = "stac"
"""Source of an API that is given by its own root."""
_UNITS = {"s": 1.0, "ms": 1000.0}


@dataclass(frozen=True)
class Provider:
    """One row of `data/scene_providers.csv`."""

    name: str
    kind: str
    """Source that knows how to ask it (`sources.source`)."""
    root: str
    """Root of its API."""
    sign: str = ""
    """Service that signs addresses of files; empty where they are public."""
    account: str = ""
    """Account whose secrets it takes (`accounts`); empty where it takes none."""
    token: str = ""
    """Service that gives tokens to the account."""
    client: str = ""
    """Public OAuth client of that service, for accounts that have a name and a password only."""
    s3: str = ""
    """Endpoint of its `s3://` addresses."""
    connections: int | None = None
    """Connections that it allows at once; None where it does not say."""
    retry_after_per_s: float = 1.0
    """What `Retry-After` counts in a second: 1000 where the provider states milliseconds."""
    source: str = ""
    """Where that is documented."""

    @property
    def address(self) -> str:
        """What `inputs.catalog` calls it."""
        return f"{self.kind}:{self.name}"


@cache
def providers() -> dict[str, Provider]:
    """Return the known providers by what `inputs.catalog` calls them, such as `stac:cdse`."""
    table = files("fieldline") / "data" / "scene_providers.csv"
    with table.open(encoding="utf-8") as handle:
        rows = [_provider(row) for row in csv.DictReader(handle)]
    return {row.address: row for row in rows}


def _provider(row: dict[str, str]) -> Provider:
    unit, most = row.pop("retry_after"), row.pop("connections")
    words: dict[str, str] = row
    return Provider(
        **words, connections=int(most) if most else None, retry_after_per_s=_UNITS[unit]
    )


def is_provider(address: str) -> bool:
    """Whether an address means a provider and not a catalog on disk."""
    kinds = {known.kind for known in providers().values()}
    return "://" in address or address.partition(":")[0] in kinds


def provider_of(address: str) -> Provider:
    """Return the provider that an address means: a row of the table, or one by its own root.

    Raises:
        ValueError: An unknown name, or an address that no source takes.
    """
    if "://" not in address:
        kind, _, name = address.partition(":")
        if f"{kind}:{name.strip()}" not in providers():
            known = ", ".join(providers())
            raise ValueError(f"{name.strip()!r} is no known provider; write one of {known}")
        return providers()[f"{kind}:{name.strip()}"]
    parts = urlsplit(address)
    if parts.scheme.lower() not in _SCHEMES or not parts.hostname:
        raise ValueError(
            "a catalog is a catalog.json on disk, the https:// root of a STAC API, or the name of "
            f"a provider such as {next(iter(providers()))}"
        )
    if parts.path.lower().endswith(".json"):
        raise ValueError(
            "a catalog.json is read on disk only: give the path of a copy, or the root of an API"
        )
    if "@" in parts.netloc or parts.query:
        raise ValueError("the root of a STAC API holds no user, password or key: leave them out")
    return Provider(parts.hostname, _API, address.rstrip("/"))
