"""Protocols: which labelled series an evaluation learns from and which it holds out.

Owns how a protocol is written, the draws, zones and spatial blocks, and what becomes of classes too
rare to be held out. It fits and scores nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fieldline.crops.recognise.folds import fold_numbers
from fieldline.crops.recognise.forest import Labels
from fieldline.crops.recognise.labels import OTHER
from fieldline.crops.recognise.places import blocks
from fieldline.crops.recognise.points import Points, same_series
from fieldline.crops.settings import ClassifySettings
from fieldline.pipeline.records.errors import UserError

_PROTOCOL = re.compile(r"(per-class|blocks):(\d+)")


@dataclass(frozen=True)
class Protocol:
    """How series are held out."""

    kind: str
    """`per-class`: so many labels of each class are learnt, all other series are the test.
    `blocks`: spatial blocks of so many metres are held out in folds."""
    size: int
    """Labels per class, or metres."""
    holdout: str = ""
    """`zone`: each zone is tested on labels of the others alone."""

    @classmethod
    def of(cls, text: str, holdout: str = "") -> Protocol:
        """Read a protocol as the command line writes it.

        Raises:
            UserError: It is none.
        """
        match = _PROTOCOL.fullmatch(text)
        if match is None or int(match[2]) < 2:
            raise UserError(
                f"protocol {text!r} is unknown", "give per-class:300 or blocks:1000 (metres)"
            )
        if holdout not in ("", "zone"):
            raise UserError(f"holdout {holdout!r} is unknown", "give zone or leave it out")
        return cls(match[1], int(match[2]), holdout)


@dataclass(frozen=True)
class Split:
    """One division of the series into learnt and held out."""

    name: str
    seed: int
    train: NDArray[np.int64]
    test: NDArray[np.int64]


def with_rare_joined(points: Points, least: int) -> Points:
    """Return the points with classes of fewer series than this taken together as `other`."""
    counts = np.bincount(points.labels, minlength=len(points.classes))
    rare = {name: int(c) for name, c in zip(points.classes, counts, strict=True)
            if c < least and name != OTHER}  # fmt: skip
    if not rare:
        return points
    names = np.asarray([OTHER if name in rare else name for name in points.classes])
    classes, labels = np.unique(names[points.labels], return_inverse=True)
    if len(classes) < 2:
        raise UserError(
            f"no two classes have {least} series or more", "give more series, or a smaller protocol"
        )
    said = f"classes with fewer than {least} series are taken for {OTHER}: {rare}"
    return replace(points, labels=labels.astype(np.int64), classes=tuple(map(str, classes)),
                   remarks=(*points.remarks, said))  # fmt: skip


def splits(points: Points, protocol: Protocol, seeds: int, folds: int) -> Iterator[Split]:
    """Yield the divisions of a protocol; what equals a learnt series to the last digit is no test.

    Raises:
        UserError: The file has no zones, or no places, or too few of them; or all that is held out
            stands among what is learnt.
    """
    alike, tested = same_series(points.cube), False
    for split in _divided(points, protocol, seeds, folds):
        told = np.isin(alike[split.test], alike[split.train])
        if not told.all():
            tested = True
            yield replace(split, test=split.test[~told])
    if not tested:
        raise UserError(
            "every series that is held out stands among those learnt, to the last digit",
            "give series of different parcels",
        )


def _divided(points: Points, protocol: Protocol, seeds: int, folds: int) -> Iterator[Split]:
    everyone = np.arange(len(points.labels))
    if protocol.kind == "blocks":
        yield from _block_splits(points, protocol.size, seeds, folds)
        return
    parts = [("", everyone, everyone)]
    if protocol.holdout:
        zone = np.asarray([""] if points.zone is None else points.zone)
        zones = np.unique(zone[zone != ""])
        if len(zones) < 2:
            raise UserError("the file has no two zones", "leave --holdout out")
        parts = [(f"zone {z}", everyone[(zone != z) & (zone != "")], everyone[zone == z])
                 for z in zones.tolist()]  # fmt: skip
    for name, source, target in parts:
        for seed in range(seeds):
            train = _draw(points.labels, source, protocol.size, seed)
            yield Split(name, seed, train, np.setdiff1d(target, train))


def _draw(labels: Labels, rows: NDArray[np.int64], size: int, seed: int) -> NDArray[np.int64]:
    """Draw so many rows of each class; of a class with fewer than twice as many, half of it."""
    random = np.random.default_rng(seed)
    chosen = []
    for at in np.unique(labels[rows]):
        mine = rows[labels[rows] == at]
        chosen.append(random.choice(mine, min(size, len(mine) // 2), replace=False))
    return np.sort(np.concatenate(chosen))


def _block_splits(points: Points, edge_m: int, seeds: int, folds: int) -> Iterator[Split]:
    without = int((~np.isfinite(points.lonlat).all(axis=1)).sum())
    if without:
        raise UserError(
            f"{without} of {len(points.lonlat)} series have no place",
            "give lon and lat of each, --fields, or a protocol per-class",
        )
    for seed in range(seeds):
        # Which blocks share a fold hangs on their labels far more than on a seed: the first draw's
        # blocks lie on the grid of the places, and every further draw cuts the land elsewhere.
        east, north = np.random.default_rng(seed).random(2) if seed else (0.0, 0.0)
        where = np.asarray(blocks(points.lonlat, float(edge_m), (east, north)))
        if len(np.unique(where)) < 2:
            raise UserError(f"all series lie in one block of {edge_m} m", "give smaller blocks")
        settings = ClassifySettings(folds=folds, seed=seed)
        fold = fold_numbers(points.labels, where.tolist(), settings)
        for number in np.unique(fold):
            train, test = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
            yield Split(f"fold {number}", seed, train, test)
