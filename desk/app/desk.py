"""The desk's state: the results folder, the store, and what was read of a county.

Owns what is kept between requests, each under the version of the tables it was read from, so that a
county that is run again is read again. Everything kept is bounded; nothing of it is an artifact.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from fieldline.desk.app.indicator_facts import TABLE as INDICATORS
from fieldline.desk.app.indicator_facts import Spread, county_spread
from fieldline.desk.app.layer import TABLES, Layer, read_layer
from fieldline.desk.app.pictures import Scenes
from fieldline.desk.app.places import Place, Shelf
from fieldline.desk.app.reviewing import Store
from fieldline.desk.app.seen import POLYGONS, seen_fields
from fieldline.desk.app.series import Rows, norm
from fieldline.desk.app.tiles import TileStore

Value = TypeVar("Value")

_LAYERS = 8
_NORMS = 60
_PICTURES = 600


class Kept:
    """The last values by key; the oldest go first. Safe to be asked from several threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[object, object] = OrderedDict()
        self._lock = threading.Lock()
        self._making: dict[object, threading.Lock] = {}

    def get(self, key: object, make: Callable[[], Value]) -> Value:
        """Return the value of a key, made where it is not kept; made once, whoever asks."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]  # type: ignore[return-value]
            one = self._making.setdefault(key, threading.Lock())
        with one:
            with self._lock:
                if key in self._values:
                    return self._values[key]  # type: ignore[return-value]
            try:
                value = make()
                with self._lock:
                    self._values[key] = value
                    while len(self._values) > self._most:
                        self._values.popitem(last=False)
            finally:
                with self._lock:
                    self._making.pop(key, None)
        return value


@dataclass
class Desk:
    """One running desk."""

    shelf: Shelf
    database: str
    """Address of the offer store."""
    audit_key_file: Path | None = None
    """Where the key of the audit chain is, if the lender has one."""
    suppress_below: int = 5
    """Cells with fewer farmers than this are not told to outsiders."""
    tiles: TileStore = field(init=False)
    store: Store = field(init=False)
    _layers: Kept = field(default_factory=lambda: Kept(_LAYERS))
    _scenes: Kept = field(default_factory=lambda: Kept(_LAYERS))
    _norms: Kept = field(default_factory=lambda: Kept(_NORMS))
    _spreads: Kept = field(default_factory=lambda: Kept(_LAYERS))
    pictures: Kept = field(default_factory=lambda: Kept(_PICTURES))
    """Tiles and chips as PNG."""

    def __post_init__(self) -> None:
        self.tiles = TileStore(self.shelf.results)
        self.store = Store(self.database, self.audit_key_file)

    def version(self, place: Place) -> str:
        """Return the version of a place's layer."""
        return place.version((*TABLES, POLYGONS))

    def drawn(self, place: Place, wait: float) -> Path | None:
        """Return the file of a place's tiles as its tables are now; None while it is being made."""
        version = self.version(place)
        sources = lambda: (self.layer(place), seen_fields(place))  # noqa: E731
        return self.tiles.ready(place, version, sources, wait)

    def layer(self, place: Place) -> Layer:
        """Return a place's layer as its tables are now."""
        key = (place.key, self.version(place))
        return self._layers.get(key, lambda: read_layer(place))

    def scenes(self, place: Place) -> Scenes:
        """Return a place's scenes as they are now."""
        key = (place.key, place.version(["scenes", "parcels"]))
        return self._scenes.get(key, lambda: Scenes.of(place, self.layer(place).frame))

    def norm(self, place: Place, crop: str) -> Rows:
        """Return the spread of a crop's curves in a county."""
        key = (place.key, place.version(["growth", "crops"]), crop)
        return self._norms.get(key, lambda: norm(place, crop))

    def spread(self, place: Place) -> Spread:
        """Return how the indicators lie in a county."""
        key = (place.key, place.version([INDICATORS]))
        return self._spreads.get(key, lambda: county_spread(place, self.suppress_below))

    def villages(self, place: Place) -> dict[str, str]:
        """Return the first village of each farmer."""
        key = (place.key, place.version(["parcels"]), "villages")

        def read() -> dict[str, str]:
            frame = place.table("parcels", ["farmer_id", "village"]).dropna(subset=["village"])
            return dict(frame.groupby("farmer_id")["village"].first().astype(str))

        return self._norms.get(key, read)

    def parcels_of(self, place: Place | None, farmer_id: str) -> list[str]:
        """Return the ids of a farmer's parcels; none where the county is not in the results."""
        if place is None:
            return []
        frame = self.layer(place).frame
        return list(frame.loc[frame["farmer_id"] == farmer_id, "parcel_id"].astype(str))

    def offers_of(self, place: Place, farmer_id: str) -> list[dict[str, Any]]:
        """Return a farmer's offers of a season as they were posted, the last one first."""
        return self.store.offers(place.county, place.season, farmer_id)
