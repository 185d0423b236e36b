"""Which column of a parcel file means what, by its header and by its values.

Owns the matching of headers (`headers`) with what the values look like (`contents`): a header
proposes, the values may refuse, and values alone decide only where no header speaks. Every choice
and every column left unread is said; nothing here echoes a cell, because a cell may be a person.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fieldline.pipeline.inputs.names import regional_unit, stated_unit
from fieldline.pipeline.parcels.columns import PARCELS
from fieldline.pipeline.parcels.readers import RawParcels
from fieldline.pipeline.parcels.rings import Floats
from fieldline.workflows.init.contents import Contents, contents_of
from fieldline.workflows.init.guess import Guess
from fieldline.workflows.init.headers import ANY_ID, AREA, EXACT, readings, unit_named

PLACE = "inputs.parcel_columns"
_PERSONAL = ("name", "phone", "id_number")
#: The order in which roles choose their column: what a run cannot do without comes first.
_ROLES = ("parcel_id", "farmer_id", AREA, "declared_crop", "id_number", "phone", "name", "village")
_BY_VALUES = -1
_MEANING = {
    "parcel_id": "the number of a parcel",
    "farmer_id": "the number of a farmer",
    AREA: "the declared area",
    "declared_crop": "the declared crop",
    "name": "a person's name",
    "phone": "a phone number",
    "id_number": "a national id number",
    "village": "the village",
}


@dataclass(frozen=True)
class _Bid:
    """A column that may fill a role."""

    role: str
    column: Contents
    strength: int
    """As `Reading`; `_BY_VALUES` where only the values speak."""
    rank: int
    """Place among the roles that the header may mean, 0 the likeliest."""
    refused: str
    """Why the values contradict the header; empty where they do not."""

    @property
    def worth(self) -> tuple[bool, bool, int, int, bool]:
        """Sort key, the best last; a number that most rows share names no parcel."""
        numbers = self.role != "parcel_id" or 2 * self.column.distinct > self.column.rows
        fits = self.role == "parcel_id" and self.column.identifies
        return (not self.refused, numbers, self.strength, -self.rank, fits)


def guess_columns(
    raw: RawParcels, areas_m2: Floats, *, outline: str | None, kml: bool
) -> list[Guess]:
    """Return a guess per role and one about the columns that stay unread.

    Args:
        raw: The file under its own column names.
        areas_m2: Drawn area of each row, NaN where unknown.
        outline: Column of a CSV that holds the outline.
        kml: Whether `name` is the label of a placemark and no person's name.
    """
    columns = [
        contents_of(name, cells, areas_m2) for name, cells in raw.columns.items() if name != outline
    ]
    bids = [bid for column in columns for bid in _header_bids(column, kml=kml)]
    chosen = _choose(bids)
    named = {bid.column.name for bid in bids}
    chosen |= _by_values([c for c in columns if c.name not in named], chosen)
    guesses = [_guess(role, chosen, bids, raw) for role in _ROLES]
    return [guess for guess in guesses if guess is not None] + _unread(columns, chosen, bids)


def _header_bids(column: Contents, *, kml: bool) -> list[_Bid]:
    if kml and column.name in ("name", "description"):
        return []
    found = readings(column.name)
    roles = [reading.role for reading in found]
    return [
        _Bid(
            role=reading.role,
            column=column,
            strength=reading.strength,
            rank=rank,
            refused=column.contradiction(reading.role, roles, exact=reading.strength == EXACT),
        )
        for rank, reading in enumerate(found)
        if reading.role != ANY_ID
    ]


def _choose(bids: Sequence[_Bid]) -> dict[str, _Bid]:
    """Give each role its best column by header; a column serves one role."""
    chosen: dict[str, _Bid] = {}
    taken: set[str] = set()
    for bid in sorted(bids, key=lambda b: b.worth, reverse=True):
        if bid.role not in chosen and bid.column.name not in taken and not bid.refused:
            chosen[bid.role] = bid
            taken.add(bid.column.name)
    return chosen


def _by_values(columns: Sequence[Contents], chosen: Mapping[str, _Bid]) -> dict[str, _Bid]:
    """Fill roles that no header names where exactly one column without a telling header fits."""
    taken: set[str] = set()
    found: dict[str, _Bid] = {}
    for role in ("id_number", "phone", "declared_crop", AREA, "parcel_id", "farmer_id"):
        rest = [c for c in columns if c.name not in taken]
        like = [column for column in rest if column.looks_like(role)]
        if role not in chosen and len(like) == 1:
            found[role] = _Bid(role, like[0], _BY_VALUES, 0, "")
            taken.add(like[0].name)
    return found


def _guess(
    role: str, chosen: Mapping[str, _Bid], bids: Sequence[_Bid], raw: RawParcels
) -> Guess | None:
    bid = chosen.get(role)
    if bid is None:
        return _absent(role, chosen, bids, raw)
    how = "by its values" if bid.strength == _BY_VALUES else "by its header"
    said = f"column `{bid.column.name}`, {how}; {bid.column.described(role)}"
    also = [
        f"`{b.column.name}`"
        for b in bids
        if b.role == role and not b.refused and b.column.name not in _names(chosen)
    ]
    if also:
        said += f"; {', '.join(dict.fromkeys(also))} could be it too and is not read"
    if role == AREA:
        return _area_guess(bid, said)
    if role in _PERSONAL:
        said += "; personal, it goes to the vault and nowhere else"
    return Guess(f"{PLACE}.{role}", bid.column.name, said)


def _names(chosen: Mapping[str, _Bid]) -> set[str]:
    return {bid.column.name for bid in chosen.values()}


def _area_guess(bid: _Bid, said: str) -> Guess:
    """Settle the unit of the declared area by the header and by the drawn areas."""
    column, named = bid.column, unit_named(bid.column.name)
    declared = PARCELS.column("declared_area_m2")
    own, regional = stated_unit(declared, column.name), regional_unit(declared, column.name)
    if named is None and regional is not None:
        unit, sizes = regional
        return Guess(
            f"{PLACE}.{AREA}_ha",
            None,
            f"{said}; {unit} is another unit in the next region ({sizes}), so it is not read: "
            "convert it to ha",
            example=column.name,
        )
    if named is None and own:
        return Guess(PLACE, None, f"{said}; {own} by its header, which is read without a mapping")
    seen = column.area_unit
    role = named or seen
    if role is None:
        return Guess(
            f"{PLACE}.{AREA}_ha",
            None,
            f"{said}; neither its header nor the drawn areas tell its unit, so it is not read: "
            "write it as declared_area_ha, declared_area_mu or declared_area_m2",
            example=column.name,
        )
    if named and seen and named != seen:
        return Guess(
            f"{PLACE}.{named}",
            None,
            f"{said}; its header says {_unit(named)}, but against the drawn areas its numbers are "
            f"{_unit(seen)}, so it is not read: write it under the right one of the two",
            example=column.name,
        )
    basis = [text for text, unit in (("its header", named), ("the drawn areas", seen)) if unit]
    return Guess(f"{PLACE}.{role}", column.name, f"{said}; {_unit(role)} by {' and '.join(basis)}")


def _unit(role: str) -> str:
    return role.removeprefix(f"{AREA}_")


def _absent(
    role: str, chosen: Mapping[str, _Bid], bids: Sequence[_Bid], raw: RawParcels
) -> Guess | None:
    if role == "parcel_id":
        if raw.has_ids:
            return Guess(PLACE, None, "parcels are numbered by the `id` of the GeoJSON features")
        return Guess(
            f"{PLACE}.parcel_id",
            None,
            f"no column numbers the parcels{_doubt(role, bids)}, and no outline gets an offer "
            "without a number of its own: write its column here, or number the outlines",
            blocking=True,
            example="WRITE_THE_COLUMN",
        )
    if role == "farmer_id":
        return _no_farmer(chosen, bids)
    if role in (AREA, "declared_crop"):
        what = "area" if role == AREA else "crop"
        return Guess(
            f"{PLACE}.{'declared_area_ha' if role == AREA else role}",
            None,
            f"no column holds the declared {what}{_doubt(role, bids)}: the parcels run without it, "
            "and nothing can contradict it",
            example="WRITE_THE_COLUMN",
        )
    return None


def _no_farmer(chosen: Mapping[str, _Bid], bids: Sequence[_Bid]) -> Guess:
    person = next((chosen[r].column.name for r in ("id_number", "phone") if r in chosen), None)
    parcel = chosen["parcel_id"].column.name if "parcel_id" in chosen else None
    ways = ["add the lender's own customer number to the file and write its column here"]
    if person is not None:
        ways.append(f"or write `{person}`, which stays in the vault")
    if parcel is not None:
        ways.append(f"or, for a trial, write `{parcel}`: each outline is then a farmer of its own")
    said = (
        f"no column numbers the farmers{_doubt('farmer_id', bids)}, and no outline gets an offer "
        f"without a farmer: {', '.join(ways)}"
    )
    example = person or parcel or "WRITE_THE_COLUMN"
    return Guess(f"{PLACE}.farmer_id", None, said, blocking=True, example=example)


def _doubt(role: str, bids: Sequence[_Bid]) -> str:
    """Return why the columns that are called like the role were not taken."""
    doubts = [f"`{b.column.name}` {b.refused}" for b in bids if b.role == role and b.refused]
    return f" ({'; '.join(doubts)})" if doubts else ""


def _unread(
    columns: Sequence[Contents], chosen: Mapping[str, _Bid], bids: Sequence[_Bid]
) -> list[Guess]:
    taken = _names(chosen)
    rest = [column for column in columns if column.name not in taken]
    if not rest:
        return []
    said = []
    for column in rest:
        roles = [b.role for b in bids if b.column.name == column.name and b.strength == EXACT]
        roles = roles or [role for role in _ROLES if column.looks_like(role)]
        like = " or ".join(_MEANING[role] for role in dict.fromkeys(roles))
        said.append(f"`{column.name}`" + (f" (might be {like})" if like else ""))
    return [Guess(PLACE, None, f"not read: {', '.join(said)}")]
