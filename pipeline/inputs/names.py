"""Which header is which column, by `data/column_names.csv` or by the lender's own mapping.

Owns the comparison of a header with known names (a new language is new rows there); looks at no
value. Only whole names count, in any case, width and punctuation: a name that merely looks alike
could be another quantity.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fieldline.pipeline.inputs.numbers import cell_units
from fieldline.pipeline.inputs.schema import InputColumn, InputSchema
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.reference import table_rows

_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})
#: Field names of a shapefile are cut after ten bytes.
_SHAPEFILE_NAME = 10


@dataclass(frozen=True)
class Found:
    """The column of a file that holds one of Fieldline's."""

    header: str
    factor: float | None
    """What its numbers are multiplied with; None where its header states no unit."""


def words(header: str) -> list[str]:
    """Split a header into folded words: `PlotID` -> plot, id; `面积(亩)` -> 面积, 亩."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", unicodedata.normalize("NFKC", header))
    plain = unicodedata.normalize("NFD", parted.casefold())
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    return re.findall(r"[^\W_]+", unicodedata.normalize("NFC", plain))


def folded(header: str) -> str:
    """Return a header without case, width, accents and punctuation."""
    return "".join(words(header))


@cache
def known_names(role: str) -> frozenset[str]:
    """Return the folded names of a role, its own among them."""
    names = [role, *(row["name"] for row in table_rows("column_names.csv") if row["role"] == role)]
    spelt = [s for name in names for s in (name, name.casefold().translate(_UMLAUTS))]
    return frozenset(folded(name) for name in spelt)


def find_columns(
    headers: Sequence[str], schema: InputSchema, mapping: Mapping[str, str], path: Path, place: str
) -> dict[str, Found]:
    """Return the file's column of each of the schema's, where it has one.

    Args:
        headers: The file's column names.
        schema: The table.
        mapping: The file's own names by Fieldline's; these decide.
        path: Named in errors.
        place: Where the configuration holds the mapping, for the remedy.

    Raises:
        UserError: A required or mapped column is absent, or two columns have an equal claim.
    """
    _refuse_wrong_mapping(headers, schema, mapping, path, place)
    rest = [header for header in headers if header not in mapping.values()]
    found = {c.name: claim for c in schema.columns if (claim := _mapped(c, mapping)) is not None}
    claims = {c.name: _claims(c, rest) for c in schema.columns if c.name not in found}
    taken = {next(iter(found)) for found in claims.values() if len(found) == 1}
    for name, claimed in claims.items():
        claim = _settled(name, claimed, taken, path, place)
        if claim is not None:
            found[name] = claim
    missing = [c.name for c in schema.columns if c.required and c.name not in found]
    if missing:
        raise UserError(
            f"{path} has no column {', '.join(missing)} (columns found: "
            f"{', '.join(h for h in headers if h) or 'none'})",
            f"rename the column or write its name under {place}",
        )
    return found


def score(schema: InputSchema, mapping: Mapping[str, str], row: Sequence[str]) -> int:
    """Return how many cells of a row are names that the schema knows."""
    own = set(mapping.values())
    return sum(
        cell in own or any(_factor(c, cell) is not _NO for c in schema.columns)
        for cell in row
        if cell
    )


def _refuse_wrong_mapping(
    headers: Sequence[str], schema: InputSchema, mapping: Mapping[str, str], path: Path, place: str
) -> None:
    known = {name for c in schema.columns for name in (c.name, *c.units)}
    wrong = sorted(set(mapping) - known)
    if wrong:
        raise UserError(
            f"{place} names {', '.join(wrong)}, which {schema.title} does not have",
            f"use one of {', '.join(sorted(known))}",
        )
    for key, header in mapping.items():
        if header not in headers:
            raise UserError(
                f"{path} has no column {header!r}, which {place}.{key} names (columns found: "
                f"{', '.join(h for h in headers if h)})",
                "correct the mapping or the file",
            )


def _mapped(column: InputColumn, mapping: Mapping[str, str]) -> Found | None:
    for key, factor in {column.name: 1.0, **column.units}.items():
        if key in mapping:
            return Found(mapping[key], factor)
    return None


class _No:
    """No claim, where None is a claim without a unit."""


_NO = _No()


def _factor(column: InputColumn, header: str) -> float | _No | None:
    """Return the factor of a header that names the column; `_NO` where it does not."""
    key = folded(header)
    for name, factor in {column.name: 1.0, **column.units}.items():
        if key == folded(name):
            return factor
    if not key:
        return _NO
    if any(key in known_names(role) for role in column.roles):
        return None if column.needs_unit else 1.0
    for unit, factor in _units(column.quantity):
        base = key.removesuffix(unit)
        if base != key and any(base in known_names(role) for role in column.roles):
            return factor
    return _NO


@cache
def _units(quantity: str) -> tuple[tuple[str, float], ...]:
    units = {folded(unit): factor for unit, factor in cell_units(quantity).items()}
    return tuple(sorted(units.items(), key=lambda item: -len(item[0])))


def _claims(column: InputColumn, headers: Sequence[str]) -> dict[str, float | None]:
    """Return the headers that may be the column, those with its very name before all others."""
    claims = {h: f for h in headers if not isinstance(f := _factor(column, h), _No)}
    exact = {h: f for h, f in claims.items() if folded(h) == folded(column.name)}
    return exact or claims or _cut(column, headers)


def _settled(
    name: str, claims: Mapping[str, float | None], taken: Collection[str], path: Path, place: str
) -> Found | None:
    """Return the one header of a column; another's only one is left to it (`户号` beside `农户编号`).

    Raises:
        UserError: Two headers have an equal claim.
    """
    if len(claims) > 1:
        claims = {h: f for h, f in claims.items() if h not in taken} or claims
    if len(claims) > 1:
        raise UserError(
            f"{path}: {' and '.join(repr(h) for h in claims)} may both be {name}",
            f"write the right one as {place}.{name}",
        )
    return next((Found(h, f) for h, f in claims.items()), None)


def _cut(column: InputColumn, headers: Sequence[str]) -> dict[str, float | None]:
    """Return the column that a shapefile cut to ten characters, where only this one begins so."""
    cut = [h for h in headers if len(h) == _SHAPEFILE_NAME]
    names = {column.name: 1.0, **column.units}
    return {
        header: factor
        for header in cut
        for name, factor in names.items()
        if name.startswith(header.casefold()) and len(name) > _SHAPEFILE_NAME
    }
