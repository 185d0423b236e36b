"""Folder: the artifacts of a county, joined and indexed for one decision at a time.

Owns reading them; what a case is made of is `decide`'s.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fieldline.lending.decision.backed import (
    ContractCase,
    CoverCase,
    PreapprovedCase,
    read_contracted,
    read_preapproved,
)
from fieldline.lending.decision.case import ExclusionCase, RelationCase
from fieldline.lending.decision.confidence import read_confidence
from fieldline.lending.decision.covers import read_turns
from fieldline.lending.decision.excluded import read_excluded
from fieldline.lending.decision.related import read_relations
from fieldline.lending.evidence.leases import counted_at_harvest
from fieldline.pipeline.records.outcomes import OK
from fieldline.pipeline.records.tables import read_table

Codes = dict[str, list[tuple[str, str, str]]]


#: In which encoding names were saved changes nothing that is decided, nor what an offer is called.
_OF_ENCODING = ("text_decoded",)


def outcome_index(parts: Sequence[Path], owners: dict[str, str]) -> tuple[Codes, Codes]:
    """Return (stage, code, detail) other than `ok` by parcel, and those of farmers by farmer.

    Args:
        parts: Outcome files of the earlier stages.
        owners: Farmer of each accepted parcel, for rows that name none.
    """
    by_parcel: Codes = defaultdict(list)
    by_farmer: Codes = defaultdict(list)
    for part in parts:
        frame = read_table(part, ["stage", "parcel_id", "farmer_id", "outcome", "detail"])
        told = frame[~frame["outcome"].isin((OK, *_OF_ENCODING))]
        for stage, parcel, farmer, code, text in told.itertuples(index=False, name=None):
            if parcel in owners:
                by_parcel[parcel].append((stage, code, text))
            elif farmer:
                by_farmer[farmer].append((stage, code, text))
    return by_parcel, by_farmer


_OF_EVIDENCE = [
    "parcel_id", "farmer_id", "declared_area_m2", "evidence_area_m2", "declared_crop", "seen_crop",
    "codes", "effect", "protected_m2", "lease_to", "unleased_area_m2",
]  # fmt: skip
_AT_ONCE = 1000


class OwnRows(Mapping[str, list[dict[str, Any]]]):
    """Rows of a table by farmer, as dictionaries that are made when they are asked for.

    A dictionary takes ten times as much as its row. Whoever asks for farmers in the order of their
    names is answered from so many rows that were made together, anybody else from the farmer's own.

    Args:
        table: Rows with a `farmer_id`, in any order; those of a farmer keep theirs.
    """

    def __init__(self, table: pd.DataFrame) -> None:
        self._table = table.sort_values("farmer_id", kind="stable", ignore_index=True)
        names = self._table["farmer_id"].to_numpy(dtype=object)
        first = np.flatnonzero(np.r_[True, names[1:] != names[:-1]]) if len(names) else np.array([])
        stops = [*first[1:].tolist(), len(names)]
        self._places = {
            str(names[start]): (start, stop)
            for start, stop in zip(first.tolist(), stops, strict=False)
        }
        self._made: list[dict[str, Any]] = []
        self._from = 0

    def __getitem__(self, farmer_id: str) -> list[dict[str, Any]]:
        start, stop = self._places[farmer_id]
        end = self._from + len(self._made)
        if not self._from <= start < stop <= end:
            last = max(stop, start + _AT_ONCE) if start == end else stop
            rows = self._table.iloc[start:last].to_dict("records")
            self._made, self._from = [{str(k): v for k, v in row.items()} for row in rows], start
        return self._made[start - self._from : stop - self._from]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


@dataclass(frozen=True)
class Folder:
    """The artifacts of a county, joined and indexed for one decision at a time."""

    farmers: pd.DataFrame
    profiles: pd.DataFrame
    parcels: Mapping[str, list[dict[str, Any]]]
    """Evidence joined with the crop valued, by farmer."""
    by_parcel: Codes
    by_farmer: Codes
    currency: str
    as_of: dt.date
    relations: Mapping[str, tuple[RelationCase, ...]] = field(default_factory=dict)
    """Relations that ask for a person, by farmer."""
    exclusions: Mapping[str, tuple[ExclusionCase, ...]] = field(default_factory=dict)
    """Entries of exclusion lists, by farmer."""
    county: str = ""
    """Id of the county."""
    confidence: Mapping[str, Decimal] = field(default_factory=dict)
    """Probability of the crop that was told, by parcel; none where none could be."""
    contracts: Mapping[str, tuple[ContractCase, ...]] = field(default_factory=dict)
    """Purchase contracts by farmer."""
    preapproved: Mapping[str, PreapprovedCase] = field(default_factory=dict)
    """Entries of the pre-approved list by farmer."""
    turns: Mapping[str, CoverCase] = field(default_factory=dict)
    """Covers as farmers found them when the county was decided last."""


def open_folder(
    *,
    farmers: Path,
    profiles: Path,
    evidence: Path,
    harvests: Path,
    parts: Sequence[Path],
    currency: str,
    as_of: dt.date,
    relations: Path | None = None,
    exclusions: Path | None = None,
    crops: Path | None = None,
    contracts: Path | None = None,
    preapproved: Path | None = None,
    turns: Path | None = None,
    county: str = "",
) -> Folder:
    """Read and join the artifacts that decisions depend on.

    Args:
        farmers: farmers.parquet.
        profiles: profiles.parquet.
        evidence: evidence.parquet.
        harvests: harvests.parquet.
        parts: Outcome files of the earlier stages.
        currency: The county's currency.
        as_of: Knowledge date.
        relations: relations.parquet; None where nobody looked for any.
        exclusions: exclusions.parquet; None where the lender keeps no list.
        crops: crops.parquet; None where no crop was told.
        contracts: contracts.parquet; None where the lender has none.
        preapproved: preapproved.parquet; None where the lender keeps no list.
        turns: cover_turns.parquet of the last run, for who is decided alone.
        county: Id of the county.
    """
    valued = read_table(
        harvests, ["parcel_id", "crop", "crop_basis", "cost_per_ha_minor", "price_q50_minor",
                   "yield_q50_t_ha", "gross_q50_minor_ha", "main", "harvest_by"],
    )  # fmt: skip
    known = read_table(evidence, _OF_EVIDENCE).sort_values("parcel_id", kind="stable")
    known = counted_at_harvest(known, valued)
    parcels = OwnRows(known.merge(valued[valued["main"]], on="parcel_id", how="left"))
    owners = dict(zip(known["parcel_id"], known["farmer_id"], strict=True))
    by_parcel, by_farmer = outcome_index(parts, owners)
    return Folder(
        read_table(farmers).sort_values("farmer_id", kind="stable"),
        read_table(profiles), parcels, by_parcel, by_farmer, currency, as_of,
        read_relations(relations), read_excluded(exclusions), county, read_confidence(crops),
        read_contracted(contracts), read_preapproved(preapproved), read_turns(turns),
    )  # fmt: skip
