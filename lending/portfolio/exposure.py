"""Exposure: what is lent by county, crop, weather cell, guarantor, product and size of holding.

Owns how a line is shared out among the groups of a dimension (by the area that counted when it was
granted, so that groups add up to the whole) and how concentrated a dimension is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from fieldline.lending.fairness import size_band
from fieldline.lending.portfolio.folders import RunFolder
from fieldline.lending.portfolio.lines import Line, by_currency
from fieldline.pipeline.records.money import split_evenly
from fieldline.pipeline.records.units import in_mu

UNKNOWN, NONE = "unknown", "none"

Folders = Mapping[tuple[str, str], RunFolder | None]
Weights = dict[str, int]


@dataclass(frozen=True)
class Group:
    """What is lent to a group; amounts in minor units."""

    currency: str
    dimension: str
    group: str
    lines: int
    """Lines of which any part is the group's."""
    limit_minor: int
    exposure_minor: int
    share: float
    """Of the exposure in this currency."""


@dataclass(frozen=True)
class Concentration:
    """How much of a currency's exposure its groups hold."""

    currency: str
    dimension: str
    groups: int
    largest: str
    largest_share: float
    hhi: float
    """Herfindahl-Hirschman index: the sum of squared shares, 1 where all is one group's."""


def _by_parcel(line: Line, name: Callable[[str, str | None], str]) -> Weights:
    """Return the area that counts by group, 0.01 m2; `name` is of parcel and valued crop."""
    areas: Weights = defaultdict(int)
    for parcel in line.case.parcels:
        if parcel.counts and parcel.evidence_area_m2 > 0:
            area = int(parcel.evidence_area_m2 * 100)
            areas[name(parcel.parcel_id, parcel.valued_crop)] += area
    return dict(areas) or {UNKNOWN: 1}


def _cells(line: Line, folder: RunFolder | None) -> Weights:
    known = {} if folder is None else folder.cells
    return _by_parcel(line, lambda parcel, _: known.get(parcel, UNKNOWN))


_PARTS = 10_000
"""A covered share is told to the ten-thousandth."""


def _guarantors(line: Line, folder: RunFolder | None) -> Weights:
    """Return who guarantees: a company or pool the share that it covers, people the rest in equal
    parts."""
    people = _people(line, folder)
    if line.covered is None:
        return people
    name, share = line.covered
    covered, count = round(share * _PARTS), len(people)
    rest = {one: (_PARTS - covered) * weight for one, weight in people.items()}
    return {name: covered * count, **{one: part for one, part in rest.items() if part}}


def _people(line: Line, folder: RunFolder | None) -> Weights:
    names = {one.guarantor_id for one in line.case.guarantors}
    told = folder is not None and line.farmer_id in folder.guarantors
    if folder is not None and told:
        names |= set(folder.guarantors[line.farmer_id])
    if line.case.farmer.guaranteed_minor > 0 and not names:
        return {UNKNOWN: 1}
    return dict.fromkeys(sorted(names), 1) or {NONE if told else UNKNOWN: 1}


DIMENSIONS: Mapping[str, Callable[[Line, RunFolder | None], Weights]] = {
    "county": lambda line, _: {line.folder[0]: 1},
    "crop": lambda line, _: _by_parcel(line, lambda _, crop: str(crop)),
    "weather_cell": _cells,
    "guarantor": _guarantors,
    "product": lambda line, _: {str(line.offer["product"]): 1},
    "size": lambda line, _: {size_band(float(in_mu(line.case.evidence_area_m2))): 1},
}
"""Dimensions, each with the weights of a line's groups."""


def exposures(lines: Sequence[Line], folders: Folders) -> list[Group]:
    """Return every group of every dimension by currency, the largest exposure first.

    Args:
        lines: Lines that run.
        folders: What the run of each county and season keeps.
    """
    return [
        group
        for currency, own in by_currency(lines)
        for name in DIMENSIONS
        for group in _groups(currency, own, name, folders)
    ]


def _groups(currency: str, lines: Sequence[Line], name: str, folders: Folders) -> list[Group]:
    counts: Weights = defaultdict(int)
    limits: Weights = defaultdict(int)
    amounts: Weights = defaultdict(int)
    for line in lines:
        weights = DIMENSIONS[name](line, folders.get(line.folder))
        names, parts = list(weights), list(weights.values())
        limit = split_evenly(line.limit_minor, parts)
        exposed = split_evenly(line.exposure_minor, parts)
        for group, granted, lent in zip(names, limit, exposed, strict=True):
            counts[group] += 1
            limits[group] += granted
            amounts[group] += lent
    whole = sum(amounts.values())
    return [
        Group(currency, name, group, counts[group], limits[group], amounts[group],
              float(Decimal(amounts[group]) / whole) if whole else 0.0)
        for group in sorted(counts, key=lambda one: (-amounts[one], one))
    ]  # fmt: skip


def concentrations(groups: Sequence[Group]) -> list[Concentration]:
    """Return how concentrated each currency and dimension is; lines that nobody guarantees are
    no group of guarantors, and what is not known is one group."""
    found: dict[tuple[str, str], list[Group]] = defaultdict(list)
    for group in groups:
        found[group.currency, group.dimension].append(group)
    told = []
    for (currency, dimension), own in found.items():
        named = [group for group in own if group.group != NONE]
        if named:
            most = max(named, key=lambda group: group.share)
            told.append(
                Concentration(currency, dimension, len(named), most.group, most.share,
                              sum(group.share**2 for group in named))
            )  # fmt: skip
    return told
