"""What `fieldline offers export` does: the live offers of the store beside the county's places.

Owns finding the store and the artifacts by the configuration; rows and files are the lending
room's. There are no names in it: those leave by `fieldline vault export` alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fieldline.lending.store.offers import (
    beside_offers,
    live_offers,
    offers_text,
    offers_workbook,
)
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.tables import atomic_path
from fieldline.workflows.config.load import load_config
from fieldline.workflows.inputs.absent import absent_inputs
from fieldline.workflows.store_checks import opened_store


def export_offers(
    config_files: Sequence[Path], shelf: tuple[str, str], out: Path, *, as_workbook: bool
) -> str:
    """Write the live offers of a county and season; return what to tell.

    Raises:
        UserError: There is no such county, it has no live offers, or the file cannot be written.
    """
    config = load_config(config_files)
    county, season = shelf
    if county not in config.county:
        raise UserError(f"county {county!r} is not defined", f"use one of {sorted(config.county)}")
    with opened_store(config_files) as (engine, _):
        rows = live_offers(engine, county, season)
    folder = config.results / season / county
    absent = absent_inputs(config.county[county])
    beside = beside_offers(folder / "parcels.parquet", folder / "evidence.parquet", absent)
    content = offers_workbook(rows, beside) if as_workbook else offers_text(rows, beside).encode()
    _write(out, content)
    return f"{len(rows):,} live offers of county {county}, season {season}: {out}"


def _write(out: Path, content: bytes) -> None:
    try:
        with atomic_path(out) as part:
            part.write_bytes(content)
    except OSError as error:
        raise UserError(
            f"{out} cannot be written ({error.strerror})", "name a file in a folder of yours"
        ) from error
