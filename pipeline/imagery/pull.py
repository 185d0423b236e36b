"""The pull: windows of a provider's scenes over the county, as files for all later stages.

Owns what is fetched, where it lies and in which order; how a file is copied is `copies`', which
scenes are wanted is `scenes`' choice. The one idea: a file counts only beside its record and what
arrived of an unfinished one is kept, so a rerun fetches what is not verified and nothing else, and
a killed pull ends in the same bytes as an undisturbed one.
"""

from __future__ import annotations

import hashlib
import logging
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import requests

from fieldline.pipeline.imagery.archive import Asset, SceneItem
from fieldline.pipeline.imagery.catalog import ItemSource
from fieldline.pipeline.imagery.copies import Request, is_verified, parts_of, write_copy
from fieldline.pipeline.imagery.crew import SharedMeter, crew, in_turn
from fieldline.pipeline.imagery.emptiness import is_empty, on_map, surely_shows
from fieldline.pipeline.imagery.grid import Grid, county_grid
from fieldline.pipeline.imagery.layout import Cover, LayoutError, read_layout
from fieldline.pipeline.imagery.limits import Guard, Meter, OutOfTimeError
from fieldline.pipeline.imagery.masks import mask_asset, mask_classes
from fieldline.pipeline.imagery.range_store import RangeStore
from fieldline.pipeline.imagery.remote_file import RemoteFile
from fieldline.pipeline.imagery.rendering import Rendering
from fieldline.pipeline.imagery.scene_table import wanted_assets
from fieldline.pipeline.imagery.settings import GridSettings, PullSettings, SceneSettings
from fieldline.pipeline.imagery.sources.providers import provider_of
from fieldline.pipeline.imagery.sources.source import (
    RemoteSource,
    RenderingSource,
    remote_source,
)
from fieldline.pipeline.imagery.tariffs import tariff_of
from fieldline.pipeline.imagery.verified_file import clear
from fieldline.pipeline.imagery.web import WebError, patient_session
from fieldline.pipeline.imagery.windows import places_of
from fieldline.pipeline.records.errors import ProviderError, UserError
from fieldline.pipeline.records.progress import Step, say

FOLDER = "scenes"
"""Folder of pulled files, beside `scenes.parquet`."""
_BETWEEN_S = 0.5
_log = logging.getLogger(__name__)
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,119}")


class PullError(ProviderError):
    """A file of a scene that could not be fetched in this run."""

    def __init__(self, asset: str, reason: str, attempts: int) -> None:
        self.asset, self.reason, self.attempts = asset, reason, attempts
        super().__init__(f"{asset}: {reason} ({attempts} attempts)")

    def __reduce__(self) -> tuple[type[PullError], tuple[str, str, int]]:
        """Travel from another process as it was raised."""
        return PullError, (self.asset, self.reason, self.attempts)


@dataclass(frozen=True)
class WantedScene:
    """A scene that its own words allow, still at the provider."""

    source: ItemSource
    item: SceneItem


@dataclass(frozen=True)
class PulledScene:
    """What became of a wanted scene."""

    source: ItemSource
    """Its document with the addresses of the files on disk, also of those that did not come: a
    stage that reads them then counts the date as lost, never as without data."""
    fault: PullError | None = None


@dataclass(frozen=True)
class WantedFile:
    """One file of a wanted scene."""

    asset: Asset
    path: Path
    """Where its copy belongs."""
    request: Request


@dataclass(frozen=True)
class Pull:
    """What a county asks of a source; shared by its threads, never changed."""

    address: str
    """The provider, as `inputs.catalog` states it."""
    source: RemoteSource
    scenes: SceneSettings
    grid: Grid
    """The county's grid."""
    cover: Cover
    folder: Path
    """Folder that is written."""
    settings: PullSettings
    meter: Meter

    def __getstate__(self) -> dict[str, Any]:
        """Travel without the account: who gets this opens the source with its own."""
        return {**vars(self), "source": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, source=_source_here(state))

    def files(self, item: SceneItem) -> list[WantedFile]:
        """Return the files that are wanted of a scene."""
        found = [item.find(band) for band in wanted_assets(self.scenes)]
        assets = {asset.key: asset for asset in found if asset is not None}
        folder = self.folder / file_name(item.id)
        return [
            WantedFile(asset, folder / f"{file_name(key)}.tif", self._request(item, asset))
            for key, asset in assets.items()
        ]

    @property
    def connections(self) -> int:
        """Scenes worked on at once: as many as both the settings and the provider allow."""
        allowed = self.source.provider.connections or self.settings.connections
        return min(self.settings.connections, allowed)

    def session(self, guard: Guard) -> requests.Session:
        """Return a session whose requests are signed for the source."""
        per_s = self.source.provider.retry_after_per_s
        session = patient_session(self.settings, guard, per_s)
        session.auth = self.source.auth
        return session

    def rendering(self, item: SceneItem) -> Rendering | None:
        """Return what a source that renders is asked of a scene; None where it gives files."""
        if not isinstance(self.source, RenderingSource):
            return None
        paths = {file.asset.key: file.path for file in self.files(item)}
        return Rendering(self.source, item, paths, self.grid, self.cover.places.boxes)

    def is_there(self, file: WantedFile) -> bool:
        """Whether a file's copy holds what is needed."""
        return is_verified(file.path, file.request, self.cover)

    def remote(self, session: requests.Session, file: WantedFile, store: RangeStore) -> RemoteFile:
        """Open a file where it is; a version that is not that of the ranges kept starts anew."""
        address = lambda: self.source.address_for_reading(file.asset.href)  # noqa: E731
        return RemoteFile(session, address, store)

    def _request(self, item: SceneItem, asset: Asset) -> Request:
        """Say whether absent pixels of a file can be told from data, and how."""
        mask = self.scenes.mask
        name = mask_asset(mask)
        masking = name is not None and item.find(name) == asset
        if masking and 0 not in mask_classes(mask).clear:
            return Request(asset.href, whole=False)
        stated = asset.radiometry.nodata
        return Request(asset.href, whole=stated is None, nodata=stated or None)


def _source_here(state: Mapping[str, Any]) -> RemoteSource:
    return remote_source(state["address"], state["scenes"], state["settings"])


def pull_of(
    remote: str, outlines: gpd.GeoDataFrame, scenes: SceneSettings, grid: GridSettings,
    settings: PullSettings, folder: Path,
) -> Pull:  # fmt: skip
    """Return what a county asks of a provider.

    Args:
        remote: The provider (`sources.providers`).
        outlines: Parcel polygons, EPSG:4326.
        scenes: Collection, bands and mask.
        grid: The county's grid.
        settings: How scenes are fetched.
        folder: Folder of the county and season.

    Raises:
        UserError: The county has no parcel, or the address means no provider.
    """
    county = county_grid(outlines, grid)
    cover = cover_of(outlines, county, settings, scenes)
    source = remote_source(remote, scenes, settings)
    tariff = tariff_of(provider_of(remote).address, settings.tariff)
    kind = Meter if settings.scheduler is None else SharedMeter
    meter = kind(settings.budget, tariff)
    meter.run_deadline = meter.clock() + settings.run_deadline_s
    return Pull(remote, source, scenes, county, cover, folder / FOLDER, settings, meter)


def cover_of(
    outlines: gpd.GeoDataFrame, grid: Grid, settings: PullSettings, scenes: SceneSettings
) -> Cover:
    """Return the land that is needed: the parcels and `settings.margin_m` around each.

    Where a cloud reaches farther than that, so does the land: its edge would look clear otherwise.
    """
    return Cover(places_of(outlines, grid, max(settings.margin_m, scenes.mask.reach_m)))


def pull_scenes(pull: Pull, wanted: Sequence[WantedScene]) -> list[PulledScene]:
    """Fetch what is not there yet of every wanted scene.

    Args:
        pull: Where they come from, where they go and what may be used.
        wanted: Scenes, in any order.

    Returns:
        One result for each wanted scene, in their order.

    Raises:
        UserError: The folder cannot be written, or the budget would be exceeded.
    """
    watch = _Watch(pull, len(wanted))
    if isinstance(pull.meter, SharedMeter):
        return _pull_by_crew(pull, pull.meter, wanted, watch)
    pull.meter.told = watch.say
    with ThreadPoolExecutor(max_workers=pull.connections) as pool:
        waiting = [pool.submit(_scene, pull, scene) for scene in wanted]
        for scene in waiting:
            scene.add_done_callback(watch.one_more)
        try:
            return [result.result() for result in waiting]
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _pull_by_crew(
    pull: Pull, meter: SharedMeter, wanted: Sequence[WantedScene], watch: _Watch
) -> list[PulledScene]:
    with crew(str(pull.settings.scheduler), pull.folder) as client:
        meter.lay_down(client)
        try:
            return in_turn(client, _scene, pull, wanted, pull.connections, watch.one_more)
        finally:
            meter.take_up()


class _Watch:
    """Says how far a pull is, twice a second at most."""

    def __init__(self, pull: Pull, total: int) -> None:
        self._pull, self._total, self._done = pull, total, 0
        self._start = self._said = time.monotonic()
        self._lock = threading.Lock()

    def one_more(self, _scene: object = None) -> None:
        """Count a scene that is done with."""
        with self._lock:
            self._done += 1
        self.say(now=self._done == self._total)

    def say(self, *, now: bool = False) -> None:
        """Say it, if it is time or must be now."""
        moment = time.monotonic()
        with self._lock:
            if not now and moment - self._said < _BETWEEN_S:
                return
            self._said = moment
        used, seconds = self._pull.meter.used.bytes, moment - self._start
        say(Step("scenes", str(self._pull.folder), self._done, self._total, used, seconds))


def _scene(pull: Pull, scene: WantedScene) -> PulledScene:
    """Fetch one scene band by band; the first fault ends it for this run."""
    files = pull.files(scene.item)
    paths = {file.asset.key: file.path for file in files}
    local = replace(scene.source, document=relocated(scene.source.read(), paths))
    guard = pull.meter.scene(pull.settings.scene_deadline_s)
    rendering = pull.rendering(scene.item)
    with pull.session(guard) as session:
        try:
            if rendering is not None:
                _rendered(rendering, session, guard)
            else:
                for file in files:
                    _file(pull, session, file)
                    _check_not_empty(pull, scene.item, file)
        except PullError as fault:
            _log.warning("%s: %s", scene.item.id, fault)
            return PulledScene(local, fault)
    return PulledScene(local)


def _rendered(rendering: Rendering, session: requests.Session, guard: Guard) -> None:
    """Have the files of a scene rendered that are not there yet."""
    try:
        with writing(rendering.folder):
            rendering.run(session, guard)
    except WebError as fault:
        raise PullError("window", fault.reason, fault.attempts) from fault
    except OutOfTimeError as fault:
        raise PullError("window", fault.reason, 0) from fault


def _file(pull: Pull, session: requests.Session, file: WantedFile) -> None:
    if pull.is_there(file):
        return
    with writing(file.path), RangeStore(parts_of(file.path)) as store:
        clear(file.path)  # only once no other run is at it
        _again_if_changed(lambda: _fetch(pull, session, file, store), file.asset.key)


def _again_if_changed(fetch: Callable[[], None], asset: str) -> None:
    """Fetch a file; once more where what an earlier run kept is of an older version of it."""
    try:
        try:
            fetch()
        except WebError as fault:
            if fault.reason != "changed":
                raise
            fetch()
    except WebError as fault:
        raise PullError(asset, fault.reason, fault.attempts) from fault
    except LayoutError as fault:
        raise PullError(asset, fault.reason, 1) from fault


def _fetch(pull: Pull, session: requests.Session, file: WantedFile, store: RangeStore) -> None:
    try:
        remote = pull.remote(session, file, store)
        layout = read_layout(remote)
        whole = file.request.covers_gaps(layout.nodata, layout.dtype)
        tiles = pull.cover.tiles(layout.geometry, layout.tile, whole=whole)
        layout.fetch(remote, tiles, pull.settings)
        write_copy(file.path, file.request, remote, layout, tiles)
    except LayoutError:
        store.clear()  # what cannot be read may be right when it is fetched again
        raise
    store.clear()


def _check_not_empty(pull: Pull, item: SceneItem, file: WantedFile) -> None:
    """Refuse a file without a pixel where the scene says that it shows a parcel.

    Raises:
        PullError: The file is such a one; it is removed, so that nobody reads it as cloud.
    """
    if not is_empty(file.path, file.asset.radiometry.nodata):
        return
    places = pull.cover.places
    if surely_shows(on_map(item.footprint, places.crs), places.boxes):
        clear(file.path)
        raise PullError(file.asset.key, "empty_answer", 1)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the disk refuses into one sentence.

    Raises:
        UserError: The block could not write.
    """
    try:
        yield
    except OSError as error:
        raise UserError(
            f"{path} cannot be written ({error.strerror or error})",
            "free or mount disk space for the results folder and run again",
        ) from error


def file_name(name: str) -> str:
    """Return a name as it is where every disk takes it, else a checksum of it."""
    return name if _PLAIN.fullmatch(name) else hashlib.sha256(name.encode()).hexdigest()[:24]


def relocated(document: Mapping[str, Any], paths: Mapping[str, Path]) -> dict[str, Any]:
    """Return an item's document with the addresses of files on disk, by the keys of its assets."""
    assets = dict(document["assets"])
    for key, path in paths.items():
        assets[key] = {**assets[key], "href": path.absolute().as_uri()}
    return {**document, "assets": assets}
