"""Well-known text and binary of every geometry kind, curves and surfaces included, as a tree.

Owns the grammar of WKT and WKB (ISO 19125, SQL/MM and the EWKB of PostGIS) for the rows that GEOS
cannot read; it exists because GEOS knows no TIN and stops at a curve. Judges no ring: an open or
degenerate one is handed on as it stands.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

import numpy as np

_KINDS = {
    1: "POINT", 2: "LINESTRING", 3: "POLYGON", 4: "MULTIPOINT", 5: "MULTILINESTRING",
    6: "MULTIPOLYGON", 7: "GEOMETRYCOLLECTION", 8: "CIRCULARSTRING", 9: "COMPOUNDCURVE",
    10: "CURVEPOLYGON", 11: "MULTICURVE", 12: "MULTISURFACE", 15: "POLYHEDRALSURFACE",
    16: "TIN", 17: "TRIANGLE",
}  # fmt: skip
_POSITIONS = ("POINT", "LINESTRING", "CIRCULARSTRING")
#: What an element without a keyword of its own is, by the kind that holds it.
_IMPLIED = {
    "POLYGON": "LINESTRING", "TRIANGLE": "LINESTRING", "MULTIPOLYGON": "POLYGON",
    "TIN": "POLYGON", "POLYHEDRALSURFACE": "POLYGON", "MULTISURFACE": "POLYGON",
    "CURVEPOLYGON": "LINESTRING", "COMPOUNDCURVE": "LINESTRING", "MULTICURVE": "LINESTRING",
    "MULTILINESTRING": "LINESTRING", "MULTIPOINT": "POINT",
}  # fmt: skip
_RINGS_ONLY = ("POLYGON", "TRIANGLE")
_EWKB_Z, _EWKB_M, _EWKB_SRID = 0x80000000, 0x40000000, 0x20000000
#: Collections in collections deeper than any drawing are an attack on the stack.
_DEEPEST = 32
_WORD = re.compile(r"\s*([A-Za-z]+)")
_SIGN = re.compile(r"\s*([(),])")


@dataclass(frozen=True)
class Node:
    """One geometry: positions where it is a line or point, parts where it is anything else."""

    kind: str
    """Keyword of WKT without Z or M, in capitals."""
    points: tuple[tuple[float, float], ...] = ()
    """Positions (x, y); height and measure are dropped."""
    parts: tuple[Node, ...] = ()
    """Rings of a polygon, or members."""

    @property
    def empty(self) -> bool:
        """Whether there is no position anywhere in it."""
        return not self.points and all(part.empty for part in self.parts)


def read_wkb(data: bytes) -> tuple[Node, int | None]:
    """Read one WKB or EWKB geometry.

    Returns:
        The geometry and its SRID, None where it states none (or 0, which means undefined).

    Raises:
        ValueError: The bytes are no geometry.
    """
    reader = _Bytes(data)
    node = reader.geometry()
    return node, reader.srid or None


def read_wkt(text: str) -> Node:
    """Read one WKT geometry (without the `SRID=` of EWKT).

    Raises:
        ValueError: The text is no geometry.
    """
    reader = _Text(text)
    node = reader.geometry()
    if text[reader.at :].strip(" \t\r\n;"):
        raise ValueError("text after the geometry")
    return node


class _Bytes:
    """A position in WKB."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at, self.order, self.srid = data, 0, "<", 0

    def geometry(self, depth: int = 0) -> Node:
        if depth > _DEEPEST or self.at >= len(self.data) or self.data[self.at] > 1:
            raise ValueError("no WKB")
        self.order = "><"[self.data[self.at]]
        self.at += 1
        raw = self.whole()
        if raw & _EWKB_SRID:
            self.srid = self.whole()
        flat = raw & 0x0FFFFFFF
        kind = _KINDS.get(flat % 1000)
        if kind is None or flat >= 4000:
            raise ValueError("unknown kind")
        iso = {0: 2, 1: 3, 2: 3, 3: 4}[flat // 1000]
        size = iso + bool(raw & _EWKB_Z) + bool(raw & _EWKB_M)
        if kind == "POINT":
            return Node(kind, self.positions(1, size))
        count = self.whole()
        if kind in _POSITIONS:
            return Node(kind, self.positions(count, size))
        if kind in _RINGS_ONLY:
            rings = (self.positions(self.whole(), size) for _ in range(count))
            return Node(kind, parts=tuple(Node("LINESTRING", ring) for ring in rings))
        return Node(kind, parts=tuple(self.geometry(depth + 1) for _ in range(count)))

    def whole(self) -> int:
        try:
            (value,) = struct.unpack_from(self.order + "I", self.data, self.at)
        except struct.error as error:
            raise ValueError("WKB ends early") from error
        self.at += 4
        return int(value)

    def positions(self, count: int, size: int) -> tuple[tuple[float, float], ...]:
        end = self.at + count * size * 8
        if end > len(self.data):
            raise ValueError("WKB ends early")
        flat = np.frombuffer(self.data[self.at : end], dtype=self.order + "f8")
        self.at = end
        rows = flat.reshape(count, size)[:, :2].tolist()
        return tuple((x, y) for x, y in rows)


class _Text:
    """A position in WKT."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def geometry(self, depth: int = 0) -> Node:
        word = self.word()
        kind = next((k for k in _KINDS.values() if word in (k, k + "Z", k + "M", k + "ZM")), None)
        if kind is None or depth > _DEEPEST:
            raise ValueError("unknown kind")
        ahead = self.word(peek=True)
        if ahead in ("Z", "M", "ZM"):
            self.word()
        return self.body(kind, depth)

    def body(self, kind: str, depth: int) -> Node:
        if self.word(peek=True) == "EMPTY":
            self.word()
            return Node(kind)
        self.sign("(")
        if kind in _POSITIONS:
            return Node(kind, self.positions())
        parts = [self.member(kind, depth)]
        while self.sign("),") == ",":
            parts.append(self.member(kind, depth))
        return Node(kind, parts=tuple(parts))

    def member(self, kind: str, depth: int) -> Node:
        implied = _IMPLIED.get(kind)
        if implied is None or self.word(peek=True) not in ("", "EMPTY"):
            return self.geometry(depth + 1)
        bare = _SIGN.match(self.text, self.at) is None and self.word(peek=True) == ""
        if kind == "MULTIPOINT" and bare:
            return Node("POINT", (self.position(self.upto(",)")),))
        return self.body(implied, depth + 1)

    def positions(self) -> tuple[tuple[float, float], ...]:
        inside = self.upto(")")
        self.at += 1
        return tuple(self.position(part) for part in inside.split(","))

    def upto(self, ends: str) -> str:
        found = [i for end in ends if (i := self.text.find(end, self.at)) >= 0]
        if not found:
            raise ValueError("a bracket is missing")
        start, self.at = self.at, min(found)
        return self.text[start : self.at]

    @staticmethod
    def position(text: str) -> tuple[float, float]:
        x, y = text.split()[:2]
        return float(x), float(y)

    def word(self, *, peek: bool = False) -> str:
        match = _WORD.match(self.text, self.at)
        if match is None:
            return ""
        if not peek:
            self.at = match.end()
        return match.group(1).upper()

    def sign(self, wanted: str) -> str:
        match = _SIGN.match(self.text, self.at)
        if match is None or match.group(1) not in wanted:
            raise ValueError(f"one of {wanted} is missing")
        self.at = match.end()
        return match.group(1)
