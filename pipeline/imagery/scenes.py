"""The scenes of a season: which items of the archive count.

Owns the choice (season, as-of date, footprint, bands, radiometry, cloud) with one outcome per
item; which of them belong to one day is told by `scene_days`. A provider's scenes are pulled once
their words allow them; a raster is opened only where the item's words about its offset have to be
held against its pixels. What was chosen is kept (`scene_table`), so that a rerun and a replay read
the same scenes.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import geopandas as gpd

from fieldline.pipeline.imagery.addresses import DocumentError
from fieldline.pipeline.imagery.archive import SceneItem, item_id, parse_item
from fieldline.pipeline.imagery.area import ParcelArea
from fieldline.pipeline.imagery.catalog import ItemSource
from fieldline.pipeline.imagery.choice import Choice, as_word, distinct, lost_link, named
from fieldline.pipeline.imagery.county_plan import (
    CountyPlan,
    check_plan,
    plan_archive,
    plan_pull,
)
from fieldline.pipeline.imagery.cubes.conversion import convert_scenes
from fieldline.pipeline.imagery.cubes.store import is_cube
from fieldline.pipeline.imagery.fields import FieldError
from fieldline.pipeline.imagery.grid import Bounds, county_grid
from fieldline.pipeline.imagery.lineage import Lineage
from fieldline.pipeline.imagery.mask_files import mask_of_other_day
from fieldline.pipeline.imagery.offsets import SAMPLED_PARCELS, is_suspect, offset_conflict
from fieldline.pipeline.imagery.plausibility import Look, implausible, look_at
from fieldline.pipeline.imagery.pull import (
    PulledScene,
    WantedScene,
    cover_of,
    pull_of,
    pull_scenes,
)
from fieldline.pipeline.imagery.radar_items import radar_fault
from fieldline.pipeline.imagery.scene_days import solar_day
from fieldline.pipeline.imagery.scene_table import (
    kept_document,
    wanted_assets,
    with_defaults,
    write_items,
)
from fieldline.pipeline.imagery.settings import (
    GridSettings,
    PullSettings,
    RadarScenes,
    SceneSettings,
)
from fieldline.pipeline.imagery.sources.archive import ArchiveSource
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.outcomes import OK, Outcome, detail, write_outcomes
from fieldline.pipeline.records.settings import Season

STAGE = "scenes"
LOOKED_PARCELS = 8  # by every scene: enough for the bounds, and half of what a doubt is worth


def run_scenes(
    *,
    catalog: Path | None,
    parcels: Path,
    season: Season,
    scenes: SceneSettings,
    out: Path,
    outcomes: Path,
    remote: str | None = None,
    grid: GridSettings | None = None,
    pull: PullSettings | None = None,
    simulated: bool = False,
) -> None:
    """Choose the scenes of a season and write them as stac-geoparquet.

    Args:
        catalog: `catalog.json` of a static STAC archive, a folder of products or a Zarr cube; None
            where `remote` is given.
        parcels: `parcels.parquet`.
        season: Dates of the season and the as-of date.
        scenes: Collection, bands, mask and cloud limit.
        out: `scenes.parquet`; asset addresses are relative to its folder.
        outcomes: One row per item of the collection, item id in `parcel_id`.
        remote: A provider instead (`sources.source`); its scenes are pulled to a folder beside
            `out`.
        grid: The county's grid, to which they are cut.
        pull: How they are fetched.
        simulated: Whether the county is; a real one takes no simulated scene.

    Raises:
        UserError: The catalog or API cannot be read, holds no such collection, or holds simulated
            scenes for a real county.
    """
    outlines = gpd.read_parquet(parcels)
    chooser = _Chooser(ParcelArea(outlines), season, scenes, out.parent.resolve())
    if remote is not None:
        choices = _pulled(remote, outlines, chooser, grid or GridSettings(), pull or PullSettings())
    elif catalog is not None:
        settings = grid or GridSettings(), pull or PullSettings()
        choices = _of_archive(catalog, outlines, chooser, *settings)
    else:
        raise UserError("the county has no catalog", "set inputs.catalog")
    if not simulated:
        _check_real(choices)
    choices = _plausible(choices, chooser)
    lineage = Lineage.of(scenes, grid or GridSettings())
    write_items([c.kept for c in choices if c.kept is not None], out, lineage.notes())
    write_outcomes([Outcome(STAGE, c.name, "", c.code, c.detail) for c in named(choices)], outcomes)


def _check_real(choices: Sequence[Choice]) -> None:
    made = [choice.name for choice in choices if choice.item is not None and choice.item.simulated]
    if made:
        raise UserError(
            f"{len(made)} scenes such as {made[0]} say that they are simulated, and the county is "
            "real",
            "set inputs.catalog to real scenes, or say `simulated: true` of the county",
        )


def plan_scenes(
    *,
    catalog: Path | None,
    outlines: gpd.GeoDataFrame,
    season: Season,
    scenes: SceneSettings,
    grid: GridSettings,
    pull: PullSettings,
    folder: Path,
    remote: str | None = None,
) -> CountyPlan:
    """Plan the scenes of a season as `run_scenes` would choose them by their words.

    Args:
        catalog: `catalog.json` of a static STAC archive; None where `remote` is given.
        outlines: Parcel polygons, EPSG:4326.
        season: Dates of the season and the as-of date.
        scenes: Collection, bands, mask and cloud limit.
        grid: The county's grid.
        pull: How scenes are fetched.
        folder: Folder of the county and season, where the pull would write.
        remote: A provider instead of a catalog.

    Raises:
        UserError: The county has no parcel, or the catalog or API cannot be read.
    """
    chooser = _Chooser(ParcelArea(outlines), season, scenes, folder)
    asked = None if remote is None else pull_of(remote, outlines, scenes, grid, pull, folder)
    source = ArchiveSource(catalog or Path(), scenes.collection) if asked is None else asked.source
    with _uncollected():
        found = source.search(_bounds(outlines), season)
        choices, wanted = _by_words(found.sources, chooser)
    codes = Counter(choice.code for choice in choices if choice.code != OK)
    codes.update(link.code for link in found.broken)
    if asked is not None:
        return plan_pull(asked, [*wanted.values()], dict(codes))
    return plan_archive([scene.item for scene in wanted.values()], scenes, dict(codes))


def _of_archive(
    catalog: Path, outlines: gpd.GeoDataFrame, chooser: _Chooser, grid: GridSettings,
    settings: PullSettings,
) -> list[Choice]:  # fmt: skip
    """Judge what lies on disk; the dates of a cube become files first, those that count."""
    source = ArchiveSource(catalog, chooser.scenes.collection)
    found = source.search(_bounds(outlines), chooser.season)
    if is_cube(catalog):
        choices, wanted = _by_words(found.sources, chooser)
        cover = cover_of(outlines, county_grid(outlines, grid), settings, chooser.scenes)
        written = convert_scenes(catalog, [*wanted.values()], chooser.scenes, cover, chooser.folder)
        choices = _by_pixels(choices, wanted, written, chooser, "scene_unreadable")
    else:
        choices = distinct([chooser.choose(source) for source in found.sources])
    return choices + [lost_link(link) for link in found.broken]


def _plausible(choices: Sequence[Choice], chooser: _Chooser) -> list[Choice]:
    """Refuse chosen scenes whose pixels cannot be reflectances of fields."""
    looks = [
        chooser.look(c.item) if c.kept is not None and c.code == OK and c.item else None
        for c in choices
    ]
    return [
        choice
        if found is None
        else replace(choice, code="scene_implausible", detail=detail(**vars(found)), kept=None)
        for choice, found in zip(choices, implausible(looks), strict=True)
    ]


def _bounds(outlines: gpd.GeoDataFrame) -> Bounds:
    west, south, east, north = map(float, outlines.total_bounds)
    return west, south, east, north


def _pulled(
    remote: str, outlines: gpd.GeoDataFrame, chooser: _Chooser, grid: GridSettings,
    settings: PullSettings,
) -> list[Choice]:  # fmt: skip
    """Search a provider, pull what its items' words allow, then judge what lies on disk."""
    pull = pull_of(remote, outlines, chooser.scenes, grid, settings, chooser.folder)
    found = pull.source.search(_bounds(outlines), chooser.season)
    choices, wanted = _by_words(found.sources, chooser)
    if settings.budget.limits:
        check_plan(plan_pull(pull, [*wanted.values()], {}), settings.budget)
    pulled = pull_scenes(pull, [*wanted.values()])
    return _by_pixels(choices, wanted, pulled, chooser, "scene_provider_error")


def _by_pixels(
    choices: list[Choice], wanted: Iterable[int], written: Sequence[PulledScene],
    chooser: _Chooser, lost: str,
) -> list[Choice]:  # fmt: skip
    """Judge what lies on disk now of the wanted ones; `lost` is the outcome of those that do not.

    A lost one stays in the table, so that its date counts as lost.
    """
    found = {
        place: chooser.choose(scene.source).without(scene.fault, lost)
        for place, scene in zip(wanted, written, strict=True)
    }
    return [found.get(place, choice) for place, choice in enumerate(choices)]


@contextmanager
def _uncollected() -> Iterator[None]:
    """Leave garbage in circles alone: thousands of documents are read and none is garbage yet.

    The collector would walk all of them again and again, a fifth of the time; nor need it walk them
    when it comes back, so they go to its oldest generation.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.freeze()
            gc.unfreeze()
            gc.enable()


def _by_words(
    sources: Sequence[ItemSource], chooser: _Chooser
) -> tuple[list[Choice], dict[int, WantedScene]]:
    """Judge items by their words alone; return those that may be used by their place too."""
    read = [chooser.by_words(source) for source in sources]
    choices = distinct([choice for choice, _ in read])
    wanted = {
        place: WantedScene(sources[place], item)
        for place, (_, item) in enumerate(read)
        if item is not None and choices[place].code == OK
    }
    return choices, wanted


class _Chooser:
    """Judges one document after the other by the same season, county and settings."""

    def __init__(
        self, area: ParcelArea, season: Season, scenes: SceneSettings, folder: Path
    ) -> None:
        self._area, self.season, self.scenes, self.folder = area, season, scenes, folder

    def choose(self, source: ItemSource) -> Choice:
        """Judge an item by its words and, where they are doubtful, by its pixels."""
        choice, item = self.by_words(source)
        if item is None:
            return choice
        conflict, said = self._offset(item)
        if conflict:
            return Choice(item.id, "scene_offset_conflict", conflict, item)
        kept = kept_document(item, source.address, self.scenes, self.folder)
        return replace(choice, detail=" ".join([choice.detail, *said]), kept=kept)

    def by_words(self, source: ItemSource) -> tuple[Choice, SceneItem | None]:
        """Judge an item without opening a raster; return it too where it may be used."""
        document: object = None
        try:
            document = source.read()
            item = parse_item(document, source.folder, wanted_assets(self.scenes))
            item = with_defaults(item, self.scenes)
        except DocumentError as error:
            words = detail(document=as_word(source.name), reason=error.reason)
            return Choice(Path(source.name).name, "scene_invalid_item", words), None
        except FieldError as error:
            name = _name_of(document) or Path(source.name).name
            return Choice(name, *_invalid(error, source.name)), None
        code, words = self._verdict(item, source)
        return Choice(item.id, code, words, item), item if code == OK else None

    def _verdict(self, item: SceneItem, source: ItemSource) -> tuple[str, str]:
        season, limit = self.season, self.scenes.max_cloud_percent
        day, known = solar_day(item.datetime, self._area.longitude), item.known_since.date()
        if not season.start <= day <= season.end:
            return "scene_outside_season", detail(date=day)
        if known > season.as_of:
            return "scene_after_as_of", detail(known=known, as_of=season.as_of)
        if not self._area.touches(item.footprint):
            return "scene_outside_county", ""
        if item.cloud_cover is not None and item.cloud_cover > limit:
            return "scene_too_cloudy", detail(cloud=item.cloud_cover, limit=limit)
        return self._verdict_on_assets(item, source)

    def _verdict_on_assets(self, item: SceneItem, source: ItemSource) -> tuple[str, str]:
        wanted = {name: item.find(name) for name in wanted_assets(self.scenes)}
        missing = [name for name, asset in wanted.items() if asset is None]
        if missing:
            return "scene_missing_band", detail(bands=",".join(missing))
        for asset in wanted.values():
            if asset is not None and asset.fault is not None:
                return _invalid(asset.fault, source.name)
        bands = {band: item.find(band) for band in self.scenes.bands}
        if isinstance(self.scenes, RadarScenes) and (fault := radar_fault(item, self.scenes)):
            return fault
        silent = [band for band, asset in bands.items() if asset and not asset.radiometry.complete]
        if silent:
            return "scene_no_radiometry", detail(bands=",".join(silent))
        if fault := mask_of_other_day(item, self.scenes):
            return fault
        return OK, detail(cloud=item.cloud_cover, baseline=item.baseline)

    def look(self, item: SceneItem) -> Look | None:
        """Look at an item's pixels over a few of the parcels under it."""
        return look_at(item, self._area.sample(item.footprint, LOOKED_PARCELS), self.scenes)

    def _offset(self, item: SceneItem) -> tuple[str, list[str]]:
        """Return the words of a conflict, or those of an offset that the item's flag settled."""
        if is_suspect(item, self.scenes):
            parcels = self._area.sample(item.footprint, SAMPLED_PARCELS)
            found = offset_conflict(item, parcels, self.scenes)
            if found is not None:
                return detail(**vars(found)), []
        stated = {
            asset.radiometry.stated_offset
            for band in self.scenes.bands
            if (asset := item.find(band)) is not None
        }
        said = sorted(offset for offset in stated if offset is not None)
        return "", [detail(offset_applied="true", stated_offset=said[0])] if said else []


def _invalid(error: FieldError, document: str) -> tuple[str, str]:
    words = detail(field=as_word(error.field), value=error.value, reason=error.reason)
    return "scene_invalid_item", f"{words} {detail(document=as_word(document))}"


def _name_of(document: object) -> str | None:
    try:
        return item_id(document)
    except FieldError:
        return None
