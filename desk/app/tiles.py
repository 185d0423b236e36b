"""Parcels as vector tiles: one PMTiles file per state of a county's tables.

Owns making the file, once for each version of the tables it is made from, and where it is kept: a
hidden folder of the results, or a temporary one where results cannot be written to. The page reads
it by ranges. What is drawn from afar, where a parcel is smaller than a dot, is `overview`.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import geopandas as gpd

from fieldline.desk.app.layer import LAYERS, Layer
from fieldline.desk.app.overview import cells, coarse_zooms, fine_zoom
from fieldline.desk.app.places import Place
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.tables import atomic_path

FORM = 4
"""Raised when the layers or fields of the file change."""
MOST_ZOOM = 14
Sources = Callable[[], tuple[Layer, gpd.GeoDataFrame]]
"""Gives a county's layer and the fields seen there."""
_FOLDER = ".desk"


@dataclass
class TileStore:
    """The PMTiles files of a desk; safe to be asked from several threads."""

    results: Path
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _making: dict[str, threading.Thread] = field(default_factory=dict)
    _failed: dict[str, str] = field(default_factory=dict)
    _spare: Path | None = None

    def name(self, place: Place, version: str) -> str:
        """Return the file's name for a state of the tables."""
        return f"{place.season}-{place.county}-{FORM}-{version}.pmtiles"

    def path(self, place: Place, version: str) -> Path:
        """Return where the file of a state of the tables is, or will be."""
        return self._folder() / self.name(place, version)

    def ready(self, place: Place, version: str, sources: Sources, wait: float) -> Path | None:
        """Return the file, made now where it is not there; None while that takes longer.

        Args:
            place: County and season.
            version: Of the tables that the layer is joined from.
            sources: Gives what is drawn.
            wait: Seconds to wait for the file.

        Raises:
            UserError: The file cannot be made.
        """
        path = self.path(place, version)
        with self._lock:
            if path.is_file():
                return path
            if path.name in self._failed:
                problem = self._failed.pop(path.name)
                raise UserError(f"the tiles of {place.key} cannot be made ({problem})", "try again")
            worker = self._making.get(path.name)
            if worker is None or not worker.is_alive():
                worker = threading.Thread(target=self._make, args=(path, sources), daemon=True)
                self._making[path.name] = worker
                worker.start()
        worker.join(wait)
        return path if path.is_file() else None

    def _make(self, path: Path, sources: Sources) -> None:
        try:
            with atomic_path(path) as draft:
                write_tiles(*sources(), draft)
        except (UserError, OSError, RuntimeError, ValueError) as error:
            self._failed[path.name] = str(error)
            return
        start = path.name.rpartition("-")[0]
        for old in path.parent.glob(f"{start}-*.pmtiles"):
            if old != path:
                old.unlink(missing_ok=True)

    def _folder(self) -> Path:
        folder = self.results / _FOLDER
        try:
            folder.mkdir(exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                return folder
        except OSError:
            self._spare = self._spare or Path(tempfile.mkdtemp(prefix="fieldline-desk-"))
            return self._spare


def write_tiles(layer: Layer, seen: gpd.GeoDataFrame, path: Path) -> None:
    """Write the parcels, the fields seen and the cells of each coarser zoom as PMTiles.

    Args:
        layer: The county's layer.
        seen: Of `seen_fields`.
        path: File to write; its ending does not matter.
    """
    import freestiler

    names = [f"{name}_class" for name in LAYERS]
    frame = layer.frame[["parcel_id", *names, "geometry"]].rename(
        columns={"parcel_id": "id", **dict(zip(names, LAYERS, strict=True))}
    )
    fine, coarse = fine_zoom(layer.frame), coarse_zooms(layer.frame)
    parts = {"parcels": freestiler.freestile_layer(frame, min_zoom=fine, max_zoom=MOST_ZOOM)}
    if len(seen):
        parts["seen"] = freestiler.freestile_layer(
            seen[["geometry"]].assign(one=1), min_zoom=fine, max_zoom=MOST_ZOOM
        )
    for zoom in coarse:
        least = 0 if zoom == coarse.start else zoom
        gathered = cells(layer.frame, zoom, LAYERS)
        parts[f"cells_{zoom}"] = freestiler.freestile_layer(gathered, min_zoom=least, max_zoom=zoom)
    draft = path.with_name(f"{path.name}.pmtiles")
    try:
        freestiler.freestile(parts, draft, min_zoom=0, max_zoom=MOST_ZOOM, quiet=True)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
