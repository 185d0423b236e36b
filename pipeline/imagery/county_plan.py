"""What a county's imagery would cost, told before a byte of it is fetched.

Owns the count of scenes, tiles, windows, ranges, bytes and units; chooses no scene and fetches no
pixel. The one idea: the plan reads the tile table of each file and asks `layout` what the pull will
ask it, so the bytes it tells are those that come. The tables stay where the pull looks for them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import unquote, urlsplit

import requests

from fieldline.pipeline.imagery.archive import Asset, SceneItem
from fieldline.pipeline.imagery.copies import parts_of
from fieldline.pipeline.imagery.layout import UNTABLED_STEP, LayoutError, read_layout
from fieldline.pipeline.imagery.limits import Use, check_budget
from fieldline.pipeline.imagery.pull import Pull, WantedFile, WantedScene, writing
from fieldline.pipeline.imagery.range_store import RangeStore
from fieldline.pipeline.imagery.rendering import Rendering
from fieldline.pipeline.imagery.scene_table import wanted_assets
from fieldline.pipeline.imagery.settings import BudgetSettings, SceneSettings
from fieldline.pipeline.imagery.tariffs import Tariff, answer_bytes, processing_units
from fieldline.pipeline.imagery.web import WebError
from fieldline.pipeline.imagery.windows import window_count


@dataclass(frozen=True)
class FilePlan:
    """What one file of a scene takes."""

    bytes_there: int = 0
    """Bytes that lie on disk already."""
    bytes_to_come: int = 0
    tiles: int = 0
    windows: int = 0
    """Groups of tiles that touch each other."""
    ranges: int = 0
    """Byte ranges that are still to be asked for, one request each; of a file without a tile table
    as many as all of it takes."""
    bound: bool = False
    """Whether the bytes to come are the whole file's, because it has no tile table."""
    unknown: bool = False
    """Whether nothing says how many bytes it takes."""
    fault: str = ""
    """Why its header cannot be read: its bytes are the whole file's, where they are known."""


@dataclass(frozen=True)
class ScenePlan:
    """What one scene takes: its files together."""

    id: str
    date: str
    """Day of the acquisition, UTC."""
    cloud_percent: float | None
    files: int
    files_there: int
    bytes_there: int
    bytes_to_come: int
    tiles: int
    windows: int
    """Windows of its finest file."""
    requests: int
    bound_files: int
    """Files without a tile table: their size as a whole is counted, a bound."""
    unknown_files: int
    """Files of unknown size."""
    rendered_files: int = 0
    """Files still to be rendered: windows are counted as large as before they are compressed."""
    faults: tuple[str, ...] = ()
    """Why headers of its files cannot be read, one reason for each file; they count as a whole."""
    units: float = 0.0
    """Processing units of what is still to be rendered."""


@dataclass(frozen=True)
class CountyPlan:
    """What a county and season takes."""

    scenes: tuple[ScenePlan, ...]
    left_out: dict[str, int]
    """Items that are not used, by outcome."""
    tariff: Tariff
    looked: Use = field(default_factory=Use)
    """What the look itself took: requests and bytes of file headers."""
    units: float = 0.0
    """Processing units."""

    @property
    def to_come(self) -> Use:
        """What a pull would still take."""
        return Use(
            sum(scene.requests for scene in self.scenes),
            sum(scene.bytes_to_come for scene in self.scenes),
            self.units,
        )

    @property
    def money(self) -> Decimal | None:
        """Price of what is to come; None where the provider's prices are not known."""
        return self.tariff.price(self.to_come.bytes, self.units)


def plan_pull(pull: Pull, wanted: Sequence[WantedScene], left_out: dict[str, int]) -> CountyPlan:
    """Plan what is still to come of a provider's scenes.

    Args:
        pull: Where they come from, where they go and what may be used.
        wanted: Scenes that their words allow.
        left_out: Items that they do not allow, by outcome.

    Raises:
        UserError: The folder cannot be written, or the budget does not allow the look itself.
    """
    with ThreadPoolExecutor(max_workers=pull.connections) as pool:
        waiting = [pool.submit(_planned, pull, scene.item) for scene in wanted]
        try:
            scenes = tuple(result.result() for result in waiting)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    units = sum(scene.units for scene in scenes)
    return CountyPlan(scenes, left_out, pull.meter.tariff, pull.meter.used, units)


def check_plan(plan: CountyPlan, budget: BudgetSettings) -> None:
    """Refuse a plan that would exceed a budget, what its own look took among it.

    Raises:
        BudgetError: It would; nothing of the imagery has been fetched.
    """
    check_budget(plan.looked.plus(plan.to_come), budget, plan.tariff)


def plan_archive(
    items: Sequence[SceneItem], scenes: SceneSettings, left_out: dict[str, int]
) -> CountyPlan:
    """Plan an archive's scenes: nothing is fetched, their files are read where they lie."""
    plans = []
    for item in items:
        found = [item.find(band) for band in wanted_assets(scenes)]
        files = [_on_disk(asset) for asset in found if asset is not None]
        plans.append(_scene(item, files))
    return CountyPlan(tuple(plans), left_out, Tariff(price_per_gb=Decimal(0)))


def _on_disk(asset: Asset) -> FilePlan:
    href = asset.href
    path = unquote(urlsplit(href).path) if href.startswith("file:") else href
    try:
        return FilePlan(bytes_there=os.stat(path).st_size)  # noqa: PTH116  a third of Path's time
    except (OSError, ValueError):
        # The dates of a cube share the files of a variable; a zip's own table says its members'.
        return FilePlan(bytes_there=asset.size or 0, unknown=asset.size is None)


def _planned(pull: Pull, item: SceneItem) -> ScenePlan:
    guard = pull.meter.scene(pull.settings.scene_deadline_s)
    rendering = pull.rendering(item)
    if rendering is not None:
        return _rendered(item, rendering)
    with pull.session(guard) as session:
        return _scene(item, [_file(pull, session, file) for file in pull.files(item)])


def _rendered(item: SceneItem, rendering: Rendering) -> ScenePlan:
    """Plan what a service renders: as many bytes as its answers hold before they are compressed."""
    bands, parts = len(rendering.keys), rendering.to_come()
    there = [path for key, path in rendering.paths.items() if key not in rendering.keys]
    return ScenePlan(
        id=item.id, date=item.datetime.date().isoformat(), cloud_percent=item.cloud_cover,
        files=len(rendering.paths), files_there=len(there),
        bytes_there=sum(path.stat().st_size for path in there),
        bytes_to_come=sum(answer_bytes(part.height, part.width, bands) for part in parts),
        tiles=0, windows=len(rendering.windows), requests=len(parts), bound_files=0,
        unknown_files=0, rendered_files=bands if parts else 0,
        units=sum(processing_units(part.height, part.width, bands) for part in parts),
    )  # fmt: skip


def _scene(item: SceneItem, files: Sequence[FilePlan]) -> ScenePlan:
    return ScenePlan(
        id=item.id, date=item.datetime.date().isoformat(), cloud_percent=item.cloud_cover,
        files=len(files),
        files_there=sum(file.bytes_there > 0 and not file.ranges for file in files),
        bytes_there=sum(file.bytes_there for file in files),
        bytes_to_come=sum(file.bytes_to_come for file in files),
        tiles=sum(file.tiles for file in files),
        windows=max((file.windows for file in files), default=0),
        requests=sum(file.ranges for file in files),
        bound_files=sum(file.bound for file in files),
        unknown_files=sum(file.unknown for file in files),
        faults=tuple(file.fault for file in files if file.fault),
    )  # fmt: skip


def _file(pull: Pull, session: requests.Session, file: WantedFile) -> FilePlan:
    if pull.is_there(file):
        return FilePlan(bytes_there=file.path.stat().st_size)
    with writing(file.path), RangeStore(parts_of(file.path)) as store:
        try:
            return _by_table(pull, session, file, store)
        except (LayoutError, WebError) as error:
            size = store.size or file.asset.size
            ranges = _requests(store, size or 1)
            return FilePlan(0, size or 0, unknown=size is None, ranges=ranges, fault=error.reason)


def _by_table(
    pull: Pull, session: requests.Session, file: WantedFile, store: RangeStore
) -> FilePlan:
    layout = read_layout(pull.remote(session, file, store))
    whole = file.request.covers_gaps(layout.nodata, layout.dtype)
    tiles = pull.cover.tiles(layout.geometry, layout.tile, whole=whole)
    told: dict[str, Any] = {"tiles": int(tiles.sum()), "windows": window_count(tiles)}
    if layout.table is None:  # its tiles are found while they are fetched
        size = store.size or 0
        to_come, ranges = size - store.bytes_held, _requests(store, size)
        return FilePlan(store.bytes_held, to_come, bound=True, ranges=ranges, **told)
    missing = [
        gap for start, end in layout.ranges(tiles, pull.settings)
        for gap in store.missing(start, end)
    ]  # fmt: skip
    to_come = sum(end - start for start, end in missing)
    return FilePlan(store.bytes_held, to_come, ranges=len(missing), **told)


def _requests(store: RangeStore, size: int) -> int:
    """Return the most requests that a way through a file takes: one for each gap of each step
    that its reads are rounded to."""
    starts = range(0, size, UNTABLED_STEP)
    return sum(len(list(store.missing(at, min(at + UNTABLED_STEP, size)))) for at in starts)
