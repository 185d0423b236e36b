"""What a scene archive offers a county: collection, bands, cloud mask, radiometry and dates.

Owns the reading of a static STAC catalog for `fieldline init`, through the same reader that a run
uses; opens no raster. A value that the items do not state is left to a person and said.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import shapely

from fieldline.pipeline.imagery.archive import SceneItem, parse_item
from fieldline.pipeline.imagery.scene_days import solar_day
from fieldline.pipeline.imagery.settings import S2_BANDS, ClearSettings
from fieldline.pipeline.imagery.sources.archive import archive_collections, archive_items
from fieldline.pipeline.records.errors import ProviderError, UserError
from fieldline.pipeline.records.settings import Season
from fieldline.workflows.init.guess import Guess, counted

Box = tuple[float, float, float, float]

#: A band or mask counts as the archive's where this share of the scenes has it; the few others are
#: then left out by the run, with their outcome.
_MOST_SCENES = 0.9
_RED = "B04"
_NEAR_INFRARED = ("B08", "B8A")
_MASKS = ("clm", "cloud_mask", "cloudmask", "cloud-mask", "cldmask", "clouds")
_YEAR = dt.timedelta(days=365)
_MONTH = dt.timedelta(days=30)
_REMOTE = "leave --catalog out and write a STAC API's root as inputs.catalog of the new file"


@dataclass(frozen=True)
class Scene:
    """One item of the archive, as far as a configuration needs it."""

    item: SceneItem
    day: dt.date
    """Solar day over the county."""
    known: dt.date
    """Day on which it could be known."""


@dataclass(frozen=True)
class Archive:
    """The collection that suits the county best."""

    collection: str
    scenes: tuple[Scene, ...]
    """Scenes over the county, in catalog order."""
    unreadable: int
    elsewhere: int
    """Scenes of the collection that do not touch the county."""
    others: tuple[str, ...]
    """Other collections of the catalog."""
    bands: tuple[str, ...]
    """Sentinel-2 bands that most of the scenes have."""


def local_catalog(given: str) -> Path:
    """Return the path of a catalog given on the command line.

    Raises:
        UserError: A URL, or no such file.
    """
    if "://" in given or given.startswith("/vsi"):
        raise UserError(
            f"{given} is not on disk, and `fieldline init` looks at local static catalogs only",
            _REMOTE,
        )
    path = Path(given)
    document = path / "catalog.json"
    path = document if document.is_file() else path
    if not path.exists():
        raise UserError(
            f"{path} does not exist",
            "give the catalog.json of a static STAC archive, or a folder of .SAFE products",
        )
    return path


def read_archive(catalog: Path, box: Box | None) -> Archive:
    """Read a catalog and choose the collection with the most bands over the county.

    Args:
        catalog: `catalog.json` of a static STAC archive.
        box: West, south, east, north of the outlines, degrees; None where unknown.

    Raises:
        UserError: No catalog, no scene over the outlines, or no red and near-infrared band.
    """
    names = list(dict.fromkeys(archive_collections(catalog)))
    if not names:
        raise UserError(f"{catalog} holds no item", "point --catalog to an archive with scenes")
    read = [_collection(catalog, name, names, box) for name in names]
    covering = [archive for archive in read if archive.scenes]
    if not covering:
        raise UserError(
            f"none of the {sum(a.elsewhere + a.unreadable for a in read)} scenes of {catalog} "
            "covers the outlines",
            "give the catalog of this place, or look at the coordinates of the outlines",
        )
    best = max(covering, key=lambda archive: (_usable(archive.bands), len(archive.bands)))
    if not _usable(best.bands):
        raise UserError(
            f"no collection of {catalog} has a red and a near-infrared Sentinel-2 band "
            f"(collections: {', '.join(names)})",
            "give a catalog whose items have assets B04 and B08 or B8A",
        )
    return best


def _usable(bands: Sequence[str]) -> bool:
    return _RED in bands and any(band in bands for band in _NEAR_INFRARED)


def _collection(catalog: Path, name: str, names: Sequence[str], box: Box | None) -> Archive:
    area = None if box is None else shapely.box(*box)
    longitude = 0.0 if box is None else (box[0] + box[2]) / 2
    scenes: list[Scene] = []
    elsewhere = 0
    found = archive_items(catalog, name)
    unreadable = len(found.broken)
    for source in found.sources:
        try:
            item = parse_item(source.read(), source.folder)
        except ProviderError:
            unreadable += 1
            continue
        if area is not None and not item.footprint.intersects(area):
            elsewhere += 1
            continue
        day = solar_day(item.datetime, longitude)
        scenes.append(Scene(item, day, max(day, item.known_since.date())))
    others = tuple(other for other in names if other != name)
    bands = tuple(band for band in S2_BANDS if _in_most(scenes, band))
    return Archive(name, tuple(scenes), unreadable, elsewhere, others, bands)


def _in_most(scenes: Sequence[Scene], asset: str) -> bool:
    having = sum(scene.item.find(asset) is not None for scene in scenes)
    return bool(scenes) and having >= _MOST_SCENES * len(scenes)


def guess_scenes(archive: Archive) -> list[Guess]:
    """Return the guesses of the `scenes` section."""
    count = len(archive.scenes)
    rest = [f"{archive.elsewhere} more lie elsewhere"] if archive.elsewhere else []
    rest += [f"{archive.unreadable} cannot be read"] if archive.unreadable else []
    rest += [f"other collections: {', '.join(archive.others)}"] if archive.others else []
    tail = f" ({'; '.join(rest)})" if rest else ""
    lacking = [band for band in S2_BANDS if band not in archive.bands]
    without = f"; without {', '.join(lacking)}" if lacking else ""
    part = sum(any(s.item.find(b) is None for b in archive.bands) for s in archive.scenes)
    left_out = f"; {counted(part, 'scene')} without one of them will be left out" if part else ""
    return [
        Guess(
            "scenes.collection",
            archive.collection,
            f"{counted(count, 'scene')} over the outlines{tail}",
        ),
        Guess(
            "scenes.bands",
            list(archive.bands),
            f"{len(archive.bands)} of the {len(S2_BANDS)} Sentinel-2 bands are in the items"
            f"{without}{left_out}",
        ),
        _mask(archive),
        *_radiometry(archive),
    ]


def _mask(archive: Archive) -> Guess:
    place = "scenes.mask"
    if _in_most(archive.scenes, "SCL"):
        return Guess(place, {"kind": "scl"}, "scene classes (SCL) tell clouds from land")
    keys = Counter(key for scene in archive.scenes for key in scene.item.assets)
    for key in keys:
        if key.casefold() in _MASKS and _in_most(archive.scenes, key):
            return Guess(
                place,
                {"kind": "values", "asset": key, "clear": [0]},
                f"asset `{key}` looks like a cloud mask; that 0 means clear is a guess: look it up",
            )
    return Guess(
        place,
        {"kind": "none"},
        "no SCL and no known cloud mask in the items: every pixel with data counts as clear, which "
        "is right for composites only",
    )


def _radiometry(archive: Archive) -> list[Guess]:
    """Return the lines to decide where items do not state scale and offset; none where all do."""
    silent = [scene for scene in archive.scenes if not _complete(scene.item, archive.bands)]
    if not silent:
        return []
    baselines = sorted({scene.item.baseline or "unknown" for scene in silent})
    said = (
        f"{len(silent)} of {len(archive.scenes)} scenes do not state scale and offset (processing "
        f"baseline {', '.join(baselines)}) and are left out until you do: ask who made the archive "
        "whether digital number 0 or 1000 is zero reflectance (offset 0 or -0.1), since a wrong "
        "0.1 looks like a healthy crop"
    )
    every = len(silent) == len(archive.scenes)
    return [
        Guess("scenes.default_scale", None, said, blocking=every, example=0.0001),
        Guess("scenes.default_offset", None, "goes with default_scale", example=0),
    ]


def _complete(item: SceneItem, bands: Sequence[str]) -> bool:
    assets = [item.find(band) for band in bands]
    return all(asset is None or asset.radiometry.complete for asset in assets)


def guess_season(archive: Archive | None, given: Mapping[str, Any], today: dt.date) -> list[Guess]:
    """Return the season's name and dates: the archive's last year, unless given.

    Args:
        archive: Scenes over the county, None where there is no catalog.
        given: `name`, `start`, `end`, `as_of` from the command line, None where not given.
        today: Stands in for the last scene where there is no catalog.
    """
    days = [today] if archive is None else sorted(scene.day for scene in archive.scenes)
    end = given.get("end") or days[-1]
    start = given.get("start") or _season_start(days, end, known=archive is not None)
    inside = [s for s in archive.scenes if start <= s.day <= end] if archive else []
    known = max((scene.known for scene in inside), default=end)
    as_of = given.get("as_of") or known
    name = given.get("name") or str(end.year)
    basis = _season_basis(archive, inside, days)
    season = {"start": start, "end": end, "as_of": as_of}
    said = (
        f"season {name} is {start} to {end}: {basis}; set it to your crop calendar",
        f"the last of those scenes could be known on {known}; nothing later enters a decision"
        if archive
        else "nothing known later enters a decision",
    )
    return [
        Guess(f"seasons.{name}", {k: str(v) for k, v in season.items()}, said[0]),
        Guess(f"seasons.{name}.as_of", None, said[1]),
        *_too_few(inside, archive),
    ]


def _season_start(days: Sequence[dt.date], end: dt.date, *, known: bool) -> dt.date:
    """Return the first of the month of the year's first scene, at most a year before the end."""
    year_before = end - _YEAR + dt.timedelta(days=1)
    within = [day for day in days if year_before <= day <= end]
    if not known or not within:
        return year_before
    start = max(within[0].replace(day=1), year_before)
    return start if start < end else end - _MONTH


def _season_basis(archive: Archive | None, inside: Sequence[Scene], days: Sequence[dt.date]) -> str:
    if archive is None:
        return "a placeholder, the twelve months up to today"
    dates = len({scene.day for scene in inside})
    text = f"the archive has {counted(dates, 'date')} in it, of {len(set(days))} "
    text += f"from {days[0]} to {days[-1]}"
    earlier = sum(day < min((s.day for s in inside), default=days[-1]) for day in days)
    return f"{text}, and earlier seasons written here become the history" if earlier else text


def _too_few(inside: Sequence[Scene], archive: Archive | None) -> list[Guess]:
    least, dates = ClearSettings().min_dates, len({scene.day for scene in inside})
    if archive is None or dates >= least:
        return []
    return [
        Guess(
            "seasons",
            None,
            f"{counted(dates, 'date')}, fewer than the {least} clear ones that a parcel needs "
            "(observe.clear.min_dates): every parcel would be too_cloudy",
        )
    ]


def season_of(guesses: Sequence[Guess]) -> tuple[str, Season]:
    """Return the guessed season by name, checked.

    Raises:
        UserError: Its days are in no order.
    """
    name = guesses[0].place.split(".", 1)[1]
    days = guesses[0].value
    try:
        return name, Season.model_validate(days)
    except ValueError as error:
        raise UserError(
            f"season {name} runs {days['start']} to {days['end']}, as of {days['as_of']}",
            "give --start before --end and before --as-of",
        ) from error
