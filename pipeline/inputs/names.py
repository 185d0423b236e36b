"""Which header is which column, by `data/column_names.csv` or by the lender's own mapping.

Owns the comparison of a header with known names (a new language is new rows there); looks at no
value. Only whole names count, in any case, width and punctuation: a name that merely looks alike
could be another quantity.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from fieldline.pipeline.inputs.amounts import meanings
from fieldline.pipeline.inputs.numbers import cell_offsets, cell_units
from fieldline.pipeline.inputs.schema import InputColumn, InputSchema
from fieldline.pipeline.inputs.units import yield_unit_known
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.reference import table_rows

_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})
#: `price (CNY/kg)`, `Preis in EUR/dt`, `单价 元/公斤`.
_UNIT_BEHIND = re.compile(
    r"(.+?)\s*(?:[(\[【](.+)[)\]】]|(?:\bin\b|[\s_:,])\s*(\S+\s*(?:/|\bper\b|每).+))"
)
#: `申请金额(万元)`, `Betrag in EUR`, `amount_cny`.
_CURRENCY_BEHIND = re.compile(r"(.+?)\s*(?:\bin\b|[\s_:,(\[【])\s*([^\s()]+?)\s*[)\]】]?")


#: `rain (")`: marks are no words, and without it the column would be in millimetres.
_INCH_MARK = re.compile(r"""(?<=[(\[])\s*(?:["″”“]|''|′′)(?=\s*[)\]])""")
_BRACKETED = re.compile(r".+?[(\[【]\s*([^()\[\]【】]+?)\s*[)\]】]\s*")


@dataclass(frozen=True)
class Found:
    """The column of a file that holds one of Fieldline's."""

    header: str
    factor: float | None
    """What its numbers are multiplied with; None where its header states no unit."""
    unit: str = ""
    """Unit that the header states beside the name, where the column keeps units apart."""
    offset: float = 0.0
    """What is added after that: the header names a scale with another zero (kelvin)."""


def words(header: str) -> list[str]:
    """Split a header into folded words: `PlotID` -> plot, id; `面积(亩)` -> 面积, 亩."""
    plain = _INCH_MARK.sub(" inch", unicodedata.normalize("NFKC", header))
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", plain)
    plain = unicodedata.normalize("NFD", parted.casefold())
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    return re.findall(r"[^\W_]+", unicodedata.normalize("NFC", plain))


@lru_cache(maxsize=10_000)
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
    given = _settled_ids(schema, headers)
    taken = {*mapping.values(), *(_shared(schema, headers) - set(given))}
    rest = [header for header in headers if header not in taken]
    found: dict[str, Found] = {}
    for column in schema.columns:
        own = [header for header in rest if given.get(header, column.name) == column.name]
        claim = _mapped(column, mapping) or _named(column, own, path, place)
        if claim is not None:
            found[column.name] = claim
    missing = [c.name for c in schema.columns if c.required and c.name not in found]
    if missing:
        raise UserError(
            f"{path} has no column {', '.join(missing)} (columns found: "
            f"{', '.join(h for h in headers if h) or 'none'})",
            f"rename the column or write its name under {place}",
        )
    return found


def claimants(column: InputColumn, headers: Sequence[str]) -> list[str]:
    """Return the headers that may be a column."""
    return [h for h in headers if not isinstance(_factor(column, h), _No)]


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
    known = {name for c in schema.columns for name in c.own_names}
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
            header = mapping[key]
            unit = "" if column.units else _bracketed_unit(column, header)
            factor = cell_units(column.quantity)[unit] if unit else factor
            offset = cell_offsets(column.quantity).get(unit, 0.0)
            return Found(header, factor, _stated(column, header)[1], offset)
    for key, unit in column.crop_units.items():
        if key in mapping:
            return Found(mapping[key], None, unit)
    return None


def _own_names(column: InputColumn) -> set[str]:
    return {folded(name) for name in column.own_names}


def _shared(schema: InputSchema, headers: Sequence[str]) -> set[str]:
    """Return headers that several columns could claim (`owner`, a number or a name): they are none.

    Taking a person's name for his number would make one farmer of two.
    """
    own = {name for column in schema.columns for name in _own_names(column)}
    return {
        h
        for h in headers
        if folded(h) not in own
        and sum(not isinstance(_factor(c, h), _No) for c in schema.columns) > 1
    }


def _settled_ids(schema: InputSchema, headers: Sequence[str]) -> dict[str, str]:
    """Return, by header, the one id that it can be where the others have a header of their own.

    `户号` is the household beside `农户编号`, and nobody knows what it is alone.
    """
    claims = {h: [c for c in schema.columns if not isinstance(_factor(c, h), _No)] for h in headers}
    served = {claimed[0].name for claimed in claims.values() if len(claimed) == 1}
    left = {
        h: [c.name for c in claimed if c.name not in served]
        for h, claimed in claims.items()
        if len(claimed) > 1 and all(c.kind == "id" for c in claimed)
    }
    return {header: names[0] for header, names in left.items() if len(names) == 1}


def _stated(column: InputColumn, header: str) -> tuple[str, str]:
    """Part `价格(元/公斤)` into name and unit: for amounts and where units have a column."""
    plain = unicodedata.normalize("NFKC", header).strip()
    if column.kind == "money":
        found = _CURRENCY_BEHIND.fullmatch(plain)
        return (found[1], found[2]) if found and meanings(found[2]) else (header, "")
    for name, unit in column.crop_units.items():
        if folded(name) == folded(plain):
            return name, unit
    keeps = column.unit_column or column.row_unit
    found = _UNIT_BEHIND.fullmatch(plain) if keeps else None
    unit = (found[2] or found[3]).strip() if found else ""
    if not found or (column.row_unit and not yield_unit_known(unit)):
        return header, ""
    return found[1], unit


def unit_in_header(header: str) -> str:
    """Return the unit of yields that a header states: `yield_bu_ac`, `Yield (kg/ha)`; else empty.

    Its last two words are a mass and an area, or brackets or a blank part the unit off.
    """
    *_, mass, area = ("", "", *words(header))
    if mass and yield_unit_known(f"{mass}/{area}"):
        return f"{mass}/{area}"
    found = _UNIT_BEHIND.fullmatch(unicodedata.normalize("NFKC", header).strip())
    unit = (found[2] or found[3]).strip() if found else ""
    return unit if yield_unit_known(unit) else ""


def stated_unit(column: InputColumn, header: str) -> str:
    """Return the unit of the column's quantity that a header states behind a name; else empty."""
    key = folded(header)
    if any(key in known_names(role) for role in column.roles):
        return ""
    for unit in _units(column.quantity):
        base = key.removesuffix(unit)
        if base != key and any(base in known_names(role) for role in column.roles):
            return _units(column.quantity)[unit]
    return _bracketed_unit(column, header)


def regional_unit(column: InputColumn, header: str) -> tuple[str, str] | None:
    """Return the unit of an area in a header that is another in the next region, and its sizes."""
    if column.quantity != "area":
        return None
    key = folded(header)
    for row in table_rows("regional_units.csv"):
        base = key.removesuffix(folded(row["unit"]))
        if base != key and any(base in known_names(role) for role in column.roles):
            return row["unit"], row["sizes"]
    return None


def _bracketed_unit(column: InputColumn, header: str) -> str:
    """Return the unit in brackets at a header's end, whatever its name."""
    found = _BRACKETED.fullmatch(unicodedata.normalize("NFKC", header))
    inside = re.sub(r"\s+", "", found[1]).casefold() if found else ""
    return _units(column.quantity).get(folded(inside), "") if inside else ""


class _No:
    """No claim, where None is a claim without a unit."""


_NO = _No()


def _factor(column: InputColumn, header: str) -> float | _No | None:
    """Return the factor of a header that names the column; `_NO` where it does not."""
    key = folded(header)
    if key.isdecimal():  # numbers and days of the first rows, where the header is looked for
        return _NO
    for name, factor in {column.name: 1.0, **column.units}.items():
        if key == folded(name):
            return factor
    if not key:
        return _NO
    if any(key == folded(name) for name in column.crop_units):
        return None
    if any(key in known_names(role) for role in column.roles):
        return None if column.needs_unit else 1.0
    name, stated = _stated(column, header)
    if stated and any(folded(name) in known_names(role) for role in column.roles):
        return None if column.row_unit else 1.0
    for ending, unit in _units(column.quantity).items():
        base = key.removesuffix(ending)
        if base != key and any(base in known_names(role) for role in column.roles):
            return cell_units(column.quantity)[unit]
    return _NO


@cache
def _units(quantity: str) -> dict[str, str]:
    """Return the units of a quantity by how a header ends with them, the longest first."""
    endings = {folded(unit): unit for unit in cell_units(quantity)}
    return dict(sorted(endings.items(), key=lambda item: -len(item[0])))


def _named(column: InputColumn, headers: Sequence[str], path: Path, place: str) -> Found | None:
    claims = {h: f for h in headers if not isinstance(f := _factor(column, h), _No)}
    for name in column.own_names:
        exact = {h: f for h, f in claims.items() if folded(h) == folded(name)}
        if exact:
            claims = exact
            break
    if len(claims) > 1:
        raise UserError(
            f"{path}: {' and '.join(repr(h) for h in claims)} may both be {column.name}",
            f"write the right one as {place}.{column.name}",
        )
    for header, factor in claims.items():
        offset = cell_offsets(column.quantity).get(stated_unit(column, header), 0.0)
        return Found(header, factor, _stated(column, header)[1], offset)
    return None
