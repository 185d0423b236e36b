"""Outlook: how a field's curve goes on to the season's end, as earlier seasons of the county say.

Owns what earlier seasons say (their courses over thermal time) and the interval. A crop that is as
far by thermal time goes on as others of it did that stood as it stands: at each thermal step the
rest of the course is a ridge regression on NDVI now and on its mean so far. The interval is what
courses that were left out (whole seasons where there are several) say that it takes. Days ahead get
their thermal time from the usual weather of the same days.

Source: Vovk et al. (2005) on conformal intervals from held-out errors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from fieldline.crops.growth.curves import Curves
from fieldline.crops.growth.thermal import Names, ThermalRows
from fieldline.crops.growth.vigour import STEP, Courses
from fieldline.crops.series import Floats, Ints

_RIDGE = 1e-3
_FOLDS = 5
_MOST = 1000
"""Courses of a crop that are learnt from; more make it slower and no better."""
_TAIL = 0.1
_Z80 = 1.2816
_SHIFT = 100.0
"""Degree days by which one season's crop is ahead of another's at the same thermal time, sd ..."""
_LEVEL = 0.04
"""... and NDVI by which it is greener, sd: one earlier season cannot tell. Chosen on the second
season of a simulated county, learnt from its first (docs/agronomy.md)."""
_LEAST_STEP = 4
"""Thermal steps from green-up before anything is foretold."""


@dataclass(frozen=True)
class Rest:
    """The rest of the courses of one crop from one thermal step on."""

    centre: Floats
    """(2,) NDVI at the step and mean so far of a usual course."""
    middle: Floats
    """(steps ahead,) of a usual course."""
    slopes: Floats
    """(2, steps ahead)."""
    low: Floats
    """(steps ahead,) lower tenth of held-out errors."""
    high: Floats


@dataclass
class Outlook:
    """What earlier seasons say of each crop."""

    known: Mapping[str, tuple[Floats, Ints]]
    """Courses (courses, steps), NaN after their last look, and the season of each, by crop."""
    _rests: dict[tuple[str, int], Rest | None] = field(default_factory=dict, repr=False)

    @classmethod
    def learnt(cls, parts: Sequence[tuple[Courses, Names]], least: int) -> Outlook:
        """Return what the courses of earlier seasons say.

        Args:
            parts: Courses and crops of each earlier season, laid to their last observation.
            least: Courses of a crop that make an outlook.
        """
        known = {}
        crops = sorted({c for _, names in parts for c in names if isinstance(c, str)})
        for crop in crops:
            rows = [done.ndvi[names == crop] for done, names in parts]
            season = np.repeat(np.arange(len(rows)), [len(part) for part in rows])
            found = _lasting(np.concatenate(rows), season, least)
            if found is not None:
                known[crop] = found
        return cls(known)

    def rest(self, crop: str, step: int) -> Rest | None:
        """Return the rest of a crop's courses from a thermal step on; None where nothing is known.

        Args:
            crop: Crop code.
            step: Thermal steps since green-up.
        """
        found = self.known.get(crop)
        if found is None or not _LEAST_STEP <= step < found[0].shape[1] - 1:
            return None
        if (crop, step) not in self._rests:
            self._rests[(crop, step)] = _rest(*found, step)
        return self._rests[(crop, step)]


def _lasting(courses: Floats, season: Ints, least: int) -> tuple[Floats, Ints] | None:
    """Return the courses as far as enough of them were watched.

    Those that end early stay: they are the late and the slow ones, and without them the rest of a
    course looks surer than it is.
    """
    length = np.isfinite(courses).sum(axis=1)
    rows = np.flatnonzero(length >= _LEAST_STEP + 2)
    if len(rows) < least:
        return None
    if len(rows) > _MOST:
        rows = rows[np.linspace(0, len(rows) - 1, _MOST).astype(np.int64)]
    reach = int(np.sort(length[rows])[-least])
    return courses[rows, :reach], season[rows]


def _rest(courses: Floats, season: Ints, step: int) -> Rest | None:
    """Learn the rest of courses, with errors of those left out; None where too few go on."""
    going = np.isfinite(courses[:, step + 1])
    courses, season = courses[going], season[going]
    several = len(np.unique(season)) > 1
    fold = season if several else np.arange(len(courses)) % _FOLDS
    errors = np.full((len(courses), courses.shape[1] - step - 1), np.nan)
    for part in np.unique(fold):
        centre, middle, slopes = _fitted(courses[fold != part], step)
        held = courses[fold == part]
        errors[fold == part] = held[:, step + 1 :] - (
            middle + (_seen(held, step) - centre) @ slopes
        )
    ahead = int((np.isfinite(errors).sum(axis=0) > 1).sum())  # as far as a fold foretells another
    if not ahead:
        return None
    low, high = np.nanquantile(errors[:, :ahead], [_TAIL, 1 - _TAIL], axis=0)
    centre, middle, slopes = _fitted(courses, step)
    middle, slopes = middle[:ahead], slopes[:, :ahead]
    if not several:
        year = _Z80 * _between_years(middle)
        low, high = -np.hypot(np.minimum(low, 0.0), year), np.hypot(np.maximum(high, 0.0), year)
    return Rest(centre, middle, slopes, low, high)


def _between_years(middle: Floats) -> Floats:
    """Return the spread of seasons about one of them: earlier or later, and greener or less."""
    slope = np.gradient(middle) / STEP if len(middle) > 1 else np.zeros(len(middle))
    return np.hypot(slope * _SHIFT, _LEVEL)


def _seen(courses: Floats, step: int) -> Floats:
    return np.column_stack([courses[:, step], courses[:, : step + 1].mean(axis=1)])


def _fitted(courses: Floats, step: int) -> tuple[Floats, Floats, Floats]:
    """Fit each later step on NDVI now and its mean so far, by the courses that reach it.

    Returns:
        The centre of both, the value of each later step there, and its slopes; NaN where no course
        reaches.
    """
    seen, rest = _seen(courses, step), courses[:, step + 1 :]
    centre = seen.mean(axis=0)
    told = np.isfinite(rest)
    count = told.sum(axis=0)
    of_all = np.maximum(count, 1)
    far = seen - centre
    about = told.T.astype(float) @ far / of_all[:, None]  # centre of those that reach a step
    mean = np.where(told, rest, 0.0).sum(axis=0) / of_all
    form = np.einsum("ns,ni,nj->sij", told, far, far) / of_all[:, None, None]
    form += _RIDGE * np.eye(2) - about[:, :, None] * about[:, None, :]
    pull = np.where(told, rest - mean, 0.0).T @ far / of_all[:, None]
    slopes = np.linalg.solve(form, pull[:, :, None])[:, :, 0].T
    middle = np.where(count > 0, mean - (about * slopes.T).sum(axis=1), np.nan)
    return centre, middle, slopes


@dataclass(frozen=True)
class Ahead:
    """The curves of a batch after their last observation, on the same grid."""

    q10: Floats
    """(parcels, grid days ahead of the season's first); NaN where nothing is foretold."""
    q50: Floats
    q90: Floats

    def of(self, parcel: int) -> list[Floats | None]:
        """Return what is foretold of a parcel, from the first grid day after its last; or None."""
        told = np.isfinite(self.q50[parcel])
        if not told.any():
            return [None] * 3
        return [values[parcel][told] for values in (self.q10, self.q50, self.q90)]


def ahead(
    outlook: Outlook, found: Courses, curves: Curves, crops: Names, usual: ThermalRows, length: int
) -> Ahead:
    """Foretell the curves of a batch of parcels to the season's end.

    Args:
        outlook: What earlier seasons say.
        found: Courses of the parcels to their last observation.
        curves: Their curves.
        crops: Crop of each, null where unknown.
        usual: Thermal time of the usual weather of the same days.
        length: Days of the season.
    """
    grid = np.arange(0, length, curves.step_days, dtype=float)
    low, middle, high = (np.full((len(crops), len(grid)), np.nan) for _ in range(3))
    steps = found.reached
    last = curves.last * float(curves.step_days)
    later = grid > last[:, None]
    since = usual.between(np.where(curves.last >= 0, last, np.nan), grid) + found.now[:, None]
    since[~later] = np.nan
    table = [(c if isinstance(c, str) else "", int(s)) for c, s in zip(crops, steps, strict=True)]
    groups: dict[tuple[str, int], list[int]] = {}
    for place, key in enumerate(table):
        groups.setdefault(key, []).append(place)
    for (crop, step), places in groups.items():
        rest = outlook.rest(crop, step)
        if rest is None:
            continue
        rows = np.array(places)
        seen = np.column_stack([found.ndvi[rows, step], found.means[rows, step]])
        told = rest.middle + (seen - rest.centre) @ rest.slopes
        # The error grows from nothing at the step that was seen.
        begin = found.ndvi[rows, step][:, None]
        course = np.hstack([begin, told])
        time = since[rows] / STEP - step
        for into, error in ((low, rest.low), (middle, np.zeros_like(rest.low)), (high, rest.high)):
            into[rows] = _between(course + np.append(0.0, error), time)
    return Ahead(*(np.clip(values, -1.0, 1.0) for values in (low, middle, high)))


def _between(course: Floats, time: Floats) -> Floats:
    """Return values of courses at thermal steps that need not be whole, held at their last."""
    place = np.clip(np.nan_to_num(time), 0, course.shape[1] - 1)
    left = np.minimum(place.astype(np.int64), course.shape[1] - 2)
    here = np.arange(len(course))[:, None]
    value = course[here, left] + (place - left) * (course[here, left + 1] - course[here, left])
    return np.asarray(np.where(np.isnan(time), np.nan, value))
