"""Several files and layers of one county as one table, and what the county says about them.

Owns how layers become one numbered table, which column of a layer means what and which CRS it is
in; opens no file and reads no cell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from pyproj import CRS

from fieldline.pipeline.parcels.crs import Stated, crs_name
from fieldline.pipeline.parcels.layers import Layer
from fieldline.pipeline.parcels.places import Places
from fieldline.pipeline.parcels.prefixes import Numbered, prefixes_of
from fieldline.pipeline.parcels.rings import Geometries
from fieldline.pipeline.parcels.shapes import Shapes
from fieldline.pipeline.parcels.short_names import full_name, lengthened
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.units import M2_PER_HA, M2_PER_MU

REQUIRED = ("parcel_id", "farmer_id")
TEXT = (
    *REQUIRED, "name", "phone", "id_number", "bank_account", "address", "village", "declared_crop",
)  # fmt: skip
AREA_UNITS = {
    "declared_area_m2": 1.0,
    "declared_area_ha": float(M2_PER_HA),
    "declared_area_mu": M2_PER_MU,
}


@dataclass(frozen=True)
class ParcelFile:
    """All rows of one or more files, in file order."""

    frame: pd.DataFrame
    """Text columns of `TEXT` (None where absent or blank), `declared_area_m2`, `text_note`."""
    shapes: Shapes
    """One per row."""
    crs: CRS | None
    """CRS of the (first) file; None where it carries none."""
    map_shift: str = ""
    """`GCJ-02` or `BD-09` where outlines in degrees were drawn on such a map, as configured."""
    places: Places = field(default_factory=Places)
    """Where each row stands."""
    said: tuple[str, ...] = ()
    """What was read and how it was understood, one sentence each; never a cell."""

    @property
    def geometries(self) -> Geometries:
        """Geometries as read, None where unreadable."""
        return self.shapes.geometries

    def degrees(self) -> npt.NDArray[np.bool_]:
        """Whether each row came in longitude and latitude."""
        known = [crs.is_geographic for crs in self.shapes.crs]
        default = self.crs is not None and self.crs.is_geographic
        return np.array([*known, default])[self.shapes.crs_index]


@dataclass(frozen=True)
class Choices:
    """What a county says about its parcel files."""

    columns: Mapping[str, str]
    """Own column names by Fieldline name, the same in every file."""
    crs: str | None = None
    """CRS of files that carry none; `GCJ-02` or `BD-09` for outlines drawn on such a map."""
    layers: Sequence[str] = ()
    """Layers of GeoPackages to read; all where empty."""
    prefixes: Mapping[str, str] = field(default_factory=dict)
    """Prefix of the parcel ids by file or layer name."""


@dataclass(frozen=True)
class Part:
    """One layer of one file with its columns understood."""

    source: Path
    layer: Layer
    frame: pd.DataFrame
    crs: CRS | None
    said: tuple[str, ...]


def joined(parts: Sequence[Part], choices: Choices, stated: Stated) -> ParcelFile:
    """Number the rows of all parts through and tell equal ids of different parcels apart.

    Raises:
        UserError: A configured prefix of a file or layer that is not there.
    """
    labels = _labels(parts)
    numbered = [
        Numbered(
            (part.source.name, part.source.stem, part.layer.name, label),
            part.frame["parcel_id"].tolist(),
            part.layer.shapes,
            part.crs,
        )
        for part, label in zip(parts, labels, strict=True)
    ]
    prefixes, said = prefixes_of(numbered, choices.prefixes)
    for part, prefix in zip(parts, prefixes, strict=True):
        if prefix:
            ids = part.frame["parcel_id"]
            carried = [i if i is None else prefix + i for i in ids]
            part.frame["parcel_id"] = pd.Series(carried, dtype=object)
    if stated.map_shift:
        said.append(f"outlines in degrees are taken as {stated.map_shift} and moved to WGS84")
    every = tuple(dict.fromkeys([*(told for part in parts for told in part.said), *said]))
    first = parts[0]
    if len(parts) == 1:
        return ParcelFile(first.frame, first.layer.shapes, first.crs, stated.map_shift, said=every)
    starts = np.cumsum([0, *(len(part.frame) for part in parts[:-1])]).tolist()
    return ParcelFile(
        frame=pd.concat([part.frame for part in parts], ignore_index=True),
        shapes=Shapes.joined([(part.layer.shapes, part.crs) for part in parts]),
        crs=first.crs,
        map_shift=stated.map_shift,
        places=Places(tuple(starts), tuple(labels)),
        said=every,
    )


def _labels(parts: Sequence[Part]) -> list[str]:
    """Return a name for each part: its file's, its layer's or both, whatever tells them apart."""
    files = len({part.source for part in parts})
    several = {s for s in (p.source for p in parts) if sum(p.source == s for p in parts) > 1}
    return [
        part.source.stem
        if part.source not in several
        else part.layer.name
        if files == 1
        else f"{part.source.stem}-{part.layer.name}"
        for part in parts
    ]


def read_as(source: Path, layer: Layer, crs: CRS | None, short: Mapping[str, str]) -> list[str]:
    """Return how a layer was read, one sentence each."""
    several = layer.name not in ("", source.stem)
    where = f"{source.name}, layer {layer.name}" if several else source.name
    place = crs_name(crs) if crs is not None else "each row names its CRS"
    as_stated = " as configured" if crs is not None and layer.crs is None else ""
    said = [f"{where}: {layer.described}, {place}{as_stated}"]
    said += [f"{source.name}: {phrase}" for phrase in layer.unread]
    cut = "a name cut to ten characters"
    return said + [f"{where}: column {c} is read as {role}, {cut}" for role, c in short.items()]


def refuse_strangers(layers: Sequence[Layer], mapping: Mapping[str, str], source: Path) -> None:
    """Refuse a file of which one layer holds parcels and another something else."""
    required = [mapping.get(name, name) for name in REQUIRED]
    lacking = [y.name for y in layers if any(name not in y.columns for name in required)]
    if lacking and len(lacking) < len(layers):
        held = "; ".join(f"{layer.name}: {layer.described}" for layer in layers)
        raise UserError(
            f"{source} has layers without {' or '.join(required)}: {', '.join(lacking)} ({held})",
            "name the layers that hold parcels under inputs.parcel_layers",
        )


def settled_columns(
    layer: Layer, mapping: Mapping[str, str], source: Path
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the mapping with names that the format cut, and the roles found by a beginning."""
    named = {role: full_name(layer, name) for role, name in mapping.items()}
    if not layer.short_names:
        return named, {}
    found = {role for role in (*TEXT, *AREA_UNITS) if named.get(role, role) in layer.columns}
    roles = [role for role in (*TEXT, *AREA_UNITS) if role not in found and role not in mapping]
    if found & set(AREA_UNITS):
        roles = [role for role in roles if role not in AREA_UNITS]
    taken = {named.get(role, role) for role in found}
    short = lengthened(layer, roles, taken=taken, units=AREA_UNITS, source=source)
    return named | short, short


def layer_crs(layer: Layer, stated: Stated, source: Path) -> CRS | None:
    """Return the CRS of a layer's rows; None where each row names its own.

    Raises:
        UserError: Neither the layer nor the configuration states one that places outlines.
    """
    if layer.crs is not None:
        return layer.crs
    if stated.crs is not None:
        return stated.crs
    if (layer.shapes.crs_index >= 0).any():
        return None
    where = f"layer {layer.name} of {source}" if layer.name else str(source)
    remedy = "set inputs.parcel_crs, for example EPSG:4326, after asking who drew it"
    if layer.own_crs:
        raise UserError(
            f"{where} states a coordinate reference system that has no place on Earth "
            f"({layer.own_crs})",
            remedy,
        )
    raise UserError(f"{where} does not say its coordinate reference system", remedy)
