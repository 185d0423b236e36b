"""Where and when a camera says that a photograph was taken.

Owns the reading of the place, the camera's clock and the satellites' clock out of EXIF, and the
day at the parcel; opens no file and believes nothing that is outside its own range. The one idea: a
day is the solar day of the parcel, so that no table of time zones is asked.

Source: CIPA DC-008-2019 (Exif 2.32), sections 4.6.5 D, F and 4.6.6.
"""

from __future__ import annotations

import datetime as dt
import math
import re
import struct
from dataclasses import dataclass
from typing import Any

from PIL import Image

_EXIF, _GPS = 0x8769, 0x8825
_DATE_TIME_ORIGINAL, _OFFSET_TIME_ORIGINAL = 0x9003, 0x9011
_LAT_REF, _LAT, _LON_REF, _LON, _TIME, _ERROR, _DATE = 1, 2, 3, 4, 7, 31, 29
_SIGNS = {"N": 1.0, "S": -1.0, "E": 1.0, "W": -1.0}
_OFFSET = re.compile(r"([+-])(\d\d):(\d\d)")
#: Clocks on land are between UTC-12 and UTC+14.
EARLIEST, LATEST = dt.timedelta(hours=-12), dt.timedelta(hours=14)
_DEGREES_AN_HOUR = 15.0


@dataclass(frozen=True)
class Place:
    """A position that a camera or a table states."""

    lon: float
    lat: float
    """Degrees, WGS84."""
    error_m: float | None = None
    """The camera's own word on how far it may be off."""


@dataclass(frozen=True)
class Clock:
    """What a camera says of the time."""

    local: dt.datetime | None
    """Clock on the wall where it was taken."""
    offset: dt.timedelta | None
    """How far that clock is ahead of UTC."""
    satellites: dt.datetime | None
    """UTC of the last fix of the position."""

    def day_at(self, lon: float) -> tuple[dt.date, str] | None:
        """Return the solar day at a longitude and what tells it; None where nothing does.

        Without an offset the camera's clock stands for the solar time of the place: apart by under
        three hours wherever a zone follows the sun, by four at China's western end.

        Args:
            lon: Degrees.
        """
        solar = dt.timedelta(hours=lon / _DEGREES_AN_HOUR)
        if self.local is not None and self.offset is not None:
            return (self.local - self.offset + solar).date(), "offset"
        if self.local is not None:
            return self.local.date(), "camera_clock"
        if self.satellites is not None:
            return (self.satellites + solar).date(), "satellites"
        return None

    def apart(self) -> dt.timedelta:
        """Return by how much the two clocks differ beyond what any time zone explains."""
        if self.local is None or self.satellites is None:
            return dt.timedelta()
        ahead = self.local - self.satellites
        low, high = (EARLIEST, LATEST) if self.offset is None else (self.offset, self.offset)
        return max(low - ahead, ahead - high, dt.timedelta())


def read_exif(picture: Image.Image) -> tuple[Place | None, Clock]:
    """Return the place and the clocks of an opened photograph; nothing where EXIF is damaged."""
    try:
        tags = picture.getexif()
        camera, fix = tags.get_ifd(_EXIF), tags.get_ifd(_GPS)
    except (SyntaxError, ValueError, TypeError, KeyError, OSError, OverflowError, struct.error):
        return None, Clock(None, None, None)
    clock = Clock(
        _moment(camera.get(_DATE_TIME_ORIGINAL)), _offset(camera.get(_OFFSET_TIME_ORIGINAL)),
        _fixed_at(fix),
    )  # fmt: skip
    return _place(fix), clock


def _place(fix: dict[int, Any]) -> Place | None:
    lat = _degrees(fix.get(_LAT), fix.get(_LAT_REF), "NS", 90.0)
    lon = _degrees(fix.get(_LON), fix.get(_LON_REF), "EW", 180.0)
    if lat is None or lon is None or (lat == 0 and lon == 0):
        return None  # 0, 0 is what a camera writes that has no fix
    error = _numbers((fix.get(_ERROR),), 1)
    return Place(lon, lat, error[0] if error and error[0] > 0 else None)


def _degrees(value: object, reference: object, letters: str, most: float) -> float | None:
    """Return signed degrees of degrees, minutes and seconds."""
    parts, letter = _numbers(value, 3), _text(reference)
    if parts is None or letter not in letters or letter == "":
        return None
    degrees = parts[0] + parts[1] / 60 + parts[2] / 3600
    return _SIGNS[letter] * degrees if degrees <= most else None


def _fixed_at(fix: dict[int, Any]) -> dt.datetime | None:
    parts, day = _numbers(fix.get(_TIME), 3), _text(fix.get(_DATE))
    try:
        midnight = dt.datetime.strptime(day, "%Y:%m:%d")
    except ValueError:
        return None
    if parts is None:
        return None
    hours, minutes, seconds = parts
    span = dt.timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return midnight + span if span < dt.timedelta(days=1, seconds=1) else None


def _numbers(value: object, count: int) -> tuple[float, ...] | None:
    """Return finite numbers that are not negative; None where one is none (0/0 is one such)."""
    if not isinstance(value, tuple) or len(value) != count:
        return None
    try:
        numbers = tuple(float(part) for part in value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return numbers if all(math.isfinite(n) and n >= 0 for n in numbers) else None


def _moment(value: object) -> dt.datetime | None:
    try:
        return dt.datetime.strptime(_text(value), "%Y:%m:%d %H:%M:%S")
    except ValueError:
        return None


def _offset(value: object) -> dt.timedelta | None:
    found = _OFFSET.fullmatch(_text(value))
    if found is None:
        return None
    span = dt.timedelta(hours=int(found[2]), minutes=int(found[3]))
    span = -span if found[1] == "-" else span
    return span if EARLIEST <= span <= LATEST else None


def _text(value: object) -> str:
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else value
    return text.strip("\0 ") if isinstance(text, str) else ""
