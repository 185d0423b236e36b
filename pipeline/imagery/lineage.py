"""How scenes became pixels: what a table of scenes or observations says of itself.

Owns one entry in the files' own metadata (software, bands, mask, grid), so that a row leads to
item, baseline, offset, mask and version without the configuration at hand. The items' own words
stand in `scenes.parquet`, the offset and baseline of each row in `observations.parquet`.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pyarrow.parquet as pq
from pydantic import ValidationError

from fieldline.pipeline.imagery.masks import stated_mask
from fieldline.pipeline.imagery.settings import GridSettings, MaskSettings, SceneSettings
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.settings import Section

_KEY = "fieldline:imagery"


class Lineage(Section):
    """What holds for all rows of a table."""

    software: str
    """Name and version that wrote it."""
    collection: str
    """Collection that the scenes are of."""
    bands: tuple[str, ...]
    """Bands that a pixel must have."""
    mask: MaskSettings
    """How clear pixels were told."""
    grid: GridSettings
    """Grid that pixels were laid on."""

    @classmethod
    def of(cls, scenes: SceneSettings, grid: GridSettings) -> Lineage:
        """Return what is said of tables made by these settings, now."""
        return cls(
            software=f"fieldline {version('fieldline')}",
            collection=scenes.collection,
            bands=scenes.bands,
            mask=stated_mask(scenes.mask),
            grid=grid,
        )

    def notes(self) -> dict[str, str]:
        """Return the entry of a file's metadata."""
        return {_KEY: self.model_dump_json()}


def read_lineage(table: Path) -> Lineage:
    """Read what a table of scenes or observations says of itself.

    Raises:
        UserError: The file is absent, or says nothing: an earlier version wrote it.
    """
    if not table.is_file():
        raise UserError(f"{table} does not exist", "run the scenes stage first")
    told = (pq.read_schema(table).metadata or {}).get(_KEY.encode())
    try:
        return Lineage.model_validate_json(told or b"")
    except ValidationError as error:
        raise UserError(
            f"{table} does not say by which mask and grid it was made: it is of an earlier version",
            "run again from the scenes stage (`fieldline run --from scenes`)",
        ) from error
