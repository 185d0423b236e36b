"""The arrays of a point archive, as other people write them.

Owns their names, what they may hold (a column of labels, labels that are none, fill values, bands
that the file itself names) and what is said about it. Which class a label means and what becomes of
the series is `points`'s.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fieldline.crops.series import Floats
from fieldline.pipeline.imagery.bands import spellings
from fieldline.pipeline.records.errors import UserError

BANDS = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
"""Order of the ten Sentinel-2 bands where a file does not say."""
SCALE = 1e-4
_LARGEST = 2.0
"""Greatest reflectance; clouds and snow reach 1.6, fill values begin at 3.2 (32767)."""
_OFFSET = 0.1
"""The offset of Sentinel-2 products of baseline 04.00 and later, as reflectance."""
_MANY = 0.1
"""Share of the dates that is worth a word."""
_NAMED = ("bands", "band_names")
_PLACES = (("lon", "lat"), ("longitude", "latitude"))
_READ = ("X", "y", "cdl_code", "lonlat", "zone", *_NAMED, *chain(*_PLACES))
_NO_LABEL = frozenset({"", "nan", "None", "NaT", "<NA>"})
_ALL = (*BANDS, "B01", "B09")


def read_arrays(path: Path, label: str) -> dict[str, NDArray[Any]]:
    """Return the arrays of an archive that count; others may hold anything.

    Raises:
        UserError: No such archive, or one of them holds objects.
    """
    if not path.is_file():
        raise UserError(f"{path} does not exist", "give a .npz archive")
    name = ""
    try:
        with np.load(path, allow_pickle=False) as archive:
            found = {}
            for name in archive.files:
                found[name] = archive[name] if name in (*_READ, label) else np.zeros(0)
            return found
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        remedy = (
            f"save its array {name} as numbers or text: {name}.astype(float) or {name}.astype(str)"
            if name else "save it again by numpy.savez"
        )  # fmt: skip
        raise UserError(
            f"{path} is not a NumPy archive of plain numbers ({error})", remedy
        ) from error


def need(arrays: Mapping[str, NDArray[Any]], name: str, path: Path, remedy: str) -> NDArray[Any]:
    """Return an array that must be there."""
    if name not in arrays:
        raise UserError(f"{path} has no array {name} (it has {', '.join(sorted(arrays))})", remedy)
    return arrays[name]


def bands_of(
    arrays: Mapping[str, NDArray[Any]], asked: Sequence[str], path: Path
) -> tuple[str, ...]:
    """Return the band of each last index: as asked, else as the file says, else the ten.

    Any spelling of `data/band_assets.csv` counts (`red`, `B4`); other names stay as they are.
    """
    told = next((arrays[name] for name in _NAMED if name in arrays), None)
    names = list(asked) or ([] if told is None else [_word(v) for v in np.ravel(told)])
    found = tuple(band_named(name) or name.strip() for name in names) or BANDS
    twice = sorted({name for name in found if found.count(name) > 1})
    if twice:
        raise UserError(
            f"{path}: the bands {','.join(names)} name {', '.join(twice)} twice",
            "name each band once by --bands",
        )
    return found


@cache
def _spelt() -> dict[str, str]:
    return {spelt: band for band in reversed(_ALL) for spelt in spellings(band)}


def band_named(name: str) -> str | None:
    """Return the Sentinel-2 band of a spelling (`red`, `B4`, `B04_10m`); None where it is none."""
    return _spelt().get(name.strip().lower())


def refuse_other_shape(values: NDArray[Any], bands: Sequence[str], path: Path) -> None:
    """Refuse what is not (series, dates, bands)."""
    if values.ndim == 3 and values.shape[2] == len(bands):
        return
    remedy = f"name its bands in order by --bands (now {','.join(bands)})"
    if values.ndim != 3:
        remedy = f"reshape it to (series, dates, bands), here {len(bands)} bands"
    elif values.shape[1] == len(bands):
        remedy = f"put the dates before the bands by X.transpose(0, 2, 1), or {remedy}"
    raise UserError(
        f"{path}: X has the shape {values.shape}, not (series, dates, {len(bands)} bands)", remedy
    )


def labels_of(written: NDArray[Any], name: str, path: Path) -> NDArray[np.str_]:
    """Return one label a series as text; empty where it is none (NaN, blank, below zero).

    Raises:
        UserError: There are several for each.
    """
    flat = written[:, 0] if written.ndim == 2 and written.shape[1] == 1 else written
    if flat.ndim != 1:
        raise UserError(
            f"{path}: {name} has the shape {written.shape}, not one label for each series",
            f"write one class a series, such as {name}.argmax(axis=1) of columns of 0 and 1",
        )
    if np.issubdtype(flat.dtype, np.number):
        numbers = flat.astype(float)
        told = np.isfinite(numbers) & (numbers >= 0)
        text = [f"{v:.0f}" if v == round(v) else f"{v:g}" for v in np.where(told, numbers, 0.0)]
        return np.where(told, np.asarray(text, dtype=np.str_), "")
    text = [_word(value).strip() for value in flat.tolist()]
    return np.asarray(["" if word in _NO_LABEL else word for word in text], dtype=np.str_)


def _word(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def places_of(arrays: Mapping[str, NDArray[Any]], count: int, path: Path) -> Floats:
    """Return longitude and latitude, (series, 2) degrees; NaN where unknown.

    Raises:
        UserError: They are no degrees, or latitude comes first.
    """
    pair = next(((a, b) for a, b in _PLACES if a in arrays and b in arrays), None)
    if "lonlat" in arrays:
        places = arrays["lonlat"]
    elif pair is not None:
        places = np.stack([np.ravel(arrays[name]) for name in pair], axis=-1)
    else:
        return np.full((count, 2), np.nan)
    if places.shape != (count, 2):
        raise UserError(
            f"{path}: its places have the shape {places.shape}, not ({count}, 2)",
            "write longitude and latitude of each series in lonlat",
        )
    places = places.astype(float)
    wrong = (np.abs(places[:, 1]) > 90) | (np.abs(places[:, 0]) > 360)
    if wrong.any():
        lon, lat = places[np.flatnonzero(wrong)[0]]
        raise UserError(
            f"{path}: {wrong.sum()} places are no longitude and latitude (first {lon:g}, {lat:g})",
            "write degrees, longitude first",
        )
    return places


def reflectance(values: NDArray[Any], path: Path) -> tuple[Floats, NDArray[np.bool_], list[str]]:
    """Return reflectance (fractions), the dates seen in all bands, and what was taken for what.

    Whole numbers, and fractional ones that are as large, are reflectance x 10000. What no land
    reflects (above 2: 65535, 32767, 1e20) is a fill value and missing, as are 0, below 0 and NaN.

    Raises:
        UserError: No date has all bands.
    """
    said = []
    numbers = values.astype(np.float64)
    whole = np.issubdtype(values.dtype, np.integer)
    there = np.isfinite(numbers) & (numbers > 0)
    low, usual = np.quantile(numbers[there], (0.05, 0.5)) if there.any() else (0.0, 0.0)
    if not whole and low > 10 * _LARGEST and usual * SCALE < _LARGEST:
        whole = True
        said.append("fractional numbers as large as reflectance x 10000 are taken for it")
    numbers *= SCALE if whole else 1.0
    high = there & (numbers > _LARGEST)
    if high.any() and (whole or usual < _LARGEST):
        said.append(
            f"{high.sum()} values above a reflectance of {_LARGEST:g} (the largest "
            f"{values[high].max():g}) are fill values and count as missing"
        )
        there &= ~high
    seen: NDArray[np.bool_] = np.asarray(there.all(axis=2))
    if not seen.any():
        never = np.flatnonzero(~there.any(axis=(0, 1)))
        which = f" (band {', '.join(str(at + 1) for at in never)} never is)" if len(never) else ""
        raise UserError(
            f"{path}: X holds no date with all bands above zero{which}",
            "leave out bands that hold nothing, and check what stands for missing",
        )
    parts = there.any(axis=2) & ~seen
    if parts.sum() > _MANY * there.any(axis=2).sum():
        rarest = int(there.sum(axis=(0, 1)).argmin()) + 1
        said.append(
            f"{parts.sum()} dates lack some bands and count as missing, band {rarest} most often: "
            "leave it out where it is no use"
        )
    if whole and float(numbers[seen].min()) >= _OFFSET:
        said.append(
            f"no value lies below {_OFFSET / SCALE:g}: if these are products of baseline 04.00 or "
            "later, subtract their offset of 1000 first"
        )
    return np.where(seen[..., None], numbers, np.nan), seen, said
