"""The county's part of growth: each parcel's place in it, the share harvested, and the outcomes.

Owns what needs all parcels at once, over tables of what was measured of them (`grow`); reads no
observation. The one idea: a county worked whole is a county of one block, so that both go the same
way and come out alike byte for byte.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fieldline.crops.growth.harvest_share import harvest_share
from fieldline.crops.growth.norms import county_norms
from fieldline.crops.growth.vigour import STEPS, thermal_norms
from fieldline.crops.schemas import GROWTH, HARVEST_SHARE
from fieldline.pipeline.records.outcomes import Outcome, detail, write_outcomes
from fieldline.pipeline.records.settings import Season
from fieldline.pipeline.records.tables import BatchWriter, iter_batches, read_table, write_table

STAGE = "grow"
_SHARED = ["crop", "harvest_date", "harvest_after", "harvest_before", "cycles", "last_seen"]
_TOLD = ["parcel_id", "clear_dates", "peak", "amplitude", "curve_start", "integral", "weather",
         "radar", *_SHARED[1:]]  # fmt: skip
"""The few columns of every parcel that are held at once."""
_OF_COUNTY = ["anomaly", "percentile", "vigour", "vigour_percentile"]


@dataclass(frozen=True)
class County:
    """A county whose parcels have been measured."""

    crop_of: pd.Series[str]
    """Crop by parcel_id, null where unknown."""
    season: Season
    min_parcels: int
    """Fewest parcels of a crop that make a norm."""
    min_dates: int
    """Fewest clear dates that make a curve."""
    timed: bool
    """Whether thermal time is known."""

    def join(
        self, parts: Sequence[Path], out: Path, out_share: Path | None, outcomes: Path
    ) -> None:
        """Write growth with the place of each parcel, the share harvested and the outcomes.

        Args:
            parts: Tables of `GROWTH_MEASURED`, ascending by parcel from the first to the last.
            out: `growth.parquet`.
            out_share: `harvest_share.parquet`; none is written if None.
            outcomes: Where the stage's outcomes go.
        """
        told = pd.concat([read_table(part, _TOLD) for part in parts], ignore_index=True)
        norms = self._norms(told, parts)
        with BatchWriter(GROWTH, out) as writer:
            for frame in _batches(parts):
                placed = norms.reindex(frame["parcel_id"])
                own = frame[GROWTH.names]
                writer.write(own.assign(**{n: placed[n].to_numpy() for n in _OF_COUNTY}))
        crops = self.crop_of.reindex(told["parcel_id"]).to_numpy()
        if out_share is not None:
            grown = told[_SHARED[1:]].assign(crop=crops)[told["cycles"] > 0]
            share = harvest_share(grown, grown["last_seen"], self.season)
            write_table(share, HARVEST_SHARE, out_share)
        lacks = norms["vigour_lacks"].reindex(told["parcel_id"]).array
        rows = told.assign(lacks=lacks).to_dict("records")
        write_outcomes([_outcome(row, self.min_dates) for row in rows], outcomes)

    def _norms(self, told: pd.DataFrame, parts: Sequence[Path]) -> pd.DataFrame:
        """Return the place of each parcel in the county, and what it lacks for one."""
        amount = told.set_index("parcel_id")["integral"].astype(float)
        found = county_norms(amount, self.crop_of, self.min_parcels)
        if not self.timed or told.empty:
            return found.assign(vigour=np.nan, vigour_percentile=np.nan, vigour_lacks="")
        names = self.crop_of.reindex(told["parcel_id"]).to_numpy(dtype=object)
        timed = thermal_norms(_means(parts), names, self.min_parcels)
        timed.loc[~told["weather"].to_numpy(dtype=bool), "vigour_lacks"] = "weather"
        timed.loc[(told["cycles"] == 0).to_numpy(), "vigour_lacks"] = ""
        return found.join(timed.set_index(amount.index))


def _batches(parts: Sequence[Path]) -> Iterator[pd.DataFrame]:
    for part in parts:
        yield from iter_batches(part)


def _means(parts: Sequence[Path]) -> NDArray[np.float32]:
    """Return the mean NDVI from green-up to each thermal step, (parcels, steps)."""
    columns = [pq.read_table(part, columns=["means"]).column(0) for part in parts]
    flat = [chunk.flatten().to_numpy(zero_copy_only=False) for c in columns for chunk in c.chunks]
    return np.concatenate(flat).astype(np.float32, copy=False).reshape(-1, STEPS)


def _outcome(row: Mapping[Hashable, Any], min_dates: int) -> Outcome:
    parcel_id, dates = row["parcel_id"], row["clear_dates"]
    if pd.isna(row["curve_start"]):
        numbers = detail(clear_dates=dates, needed=min_dates)
        return Outcome(STAGE, parcel_id, "", "too_few_dates", numbers)
    if row["cycles"] == 0:
        numbers = detail(peak=float(row["peak"]), amplitude=float(row["amplitude"]))
        return Outcome(STAGE, parcel_id, "", "no_crop_cycle", numbers)
    told = {"radar": row["radar"]} if row["radar"] else {}
    if row["lacks"]:
        numbers = detail(clear_dates=dates, lacks=row["lacks"], **told)
        return Outcome(STAGE, parcel_id, "", "vigour_unknown", numbers)
    return Outcome(STAGE, parcel_id, "", detail=detail(clear_dates=dates, **told))
