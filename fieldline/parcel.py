"""One parcel as a notebook reads it: what was seen, the curve, and what each stage made of it.

Owns reading one parcel's rows, without loading its county, and drawing them. The index values of an
observation come from the function that the growth stage uses; the curve and its dates are the
stored ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import shapely

from fieldline.artifacts import Artifacts, facts_as_html, facts_as_text
from fieldline.crops.series import curve_dates, indices
from fieldline.decisions import StoredDecision, with_units
from fieldline.pipeline.imagery.settings import ClearSettings
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.outcomes import OK

if TYPE_CHECKING:
    import plotly.graph_objects as go

_MEAN = "_mean"
_DATES = {
    "sos": "start of season",
    "pos": "peak",
    "eos": "end of season",
    "harvest_date": "harvest",
}
CLEAR_FROM = ClearSettings().min_valid_fraction
"""Clear share of a parcel from which a date counts as clear, where the county sets no other."""


class Parcel:
    """One accepted parcel; open it with `County.parcel`.

    Args:
        artifacts: Tables of its county and season.
        parcel_id: Id of the parcel.
        record: Its row of `parcels.parquet` as plain values.
        simulated: Whether its scenes are simulated.
    """

    def __init__(
        self, artifacts: Artifacts, parcel_id: str, record: Mapping[str, Any], *, simulated: bool
    ) -> None:
        self.id = parcel_id
        self.simulated = simulated
        self.farmer_id = str(record["farmer_id"])
        """Pseudonym of the farmer."""
        self.outline = shapely.from_wkb(record["geometry"])
        """The drawn ring, longitude and latitude (EPSG:4326)."""
        self.record = _series(
            {k: v for k, v in record.items() if k not in ("geometry", "bbox")}, parcel_id
        )
        """Declared crop and area, measured area, village, repairs."""
        self._artifacts = artifacts

    @property
    def observations(self) -> pd.DataFrame:
        """Every date of the parcel, clear or not, in order of time.

        Returns:
            `datetime` (UTC), `scene_id`, `valid_fraction` (0..1), `effective_pixels`, mean and
            standard deviation of each band (surface reflectance, 0..1), the indices that the bands
            allow (`NDVI`, `EVI`, `GNDVI`, `NDRE`, `LSWI`, `NDTI`; unitless) and `clear`: at least
            `CLEAR_FROM` of the parcel seen and every band measured. A date on which nothing was
            seen has no reflectance and no index.

        Raises:
            UserError: The observe stage has not run, or the bands hold no near infrared.
        """
        frame = self._artifacts.rows("observations", "parcel_id", self.id)
        means = [name for name in frame.columns if name.endswith(_MEAN)]
        bands = {name.removesuffix(_MEAN): frame[name].to_numpy(np.float64) for name in means}
        clear = (frame["valid_fraction"] >= CLEAR_FROM) & frame[means].notna().all(axis=1)
        return frame.assign(**indices(bands), clear=clear)

    @property
    def curve(self) -> pd.DataFrame:
        """Smoothed NDVI as the grow stage stored it: `date` and `ndvi`; empty without a curve."""
        row = self._row("growth")
        start, step, values = row["curve_start"], row["curve_step_days"], row["curve"]
        dates = curve_dates(start, step, len(values)) if values else []
        return pd.DataFrame({"date": pd.to_datetime(dates), "ndvi": np.asarray(values, np.float64)})

    @property
    def phenology(self) -> pd.Series:
        """Dates of the main cycle: `sos`, `pos`, `eos`, `harvest_date`; None where not seen."""
        return _series({name: self._row("growth")[name] for name in _DATES}, self.id)

    @property
    def crop(self) -> pd.Series:
        """Crop, its probability, the prediction set and the probability of each class."""
        return _series(self._row("crops"), self.id)

    @property
    def field(self) -> pd.Series:
        """Planted share of the ring and planted area, m2."""
        return _series(self._row("fields"), self.id)

    @property
    def growth(self) -> pd.Series:
        """Dates, peak, integral and place in the county; the curve itself is `curve`."""
        row = self._row("growth")
        return _series({k: v for k, v in row.items() if not k.startswith("curve")}, self.id)

    @property
    def hazards(self) -> pd.Series:
        """Growing degree days, spells and hazard indices, 0..100."""
        return _series(self._row("hazards"), self.id)

    @property
    def yields(self) -> pd.Series:
        """Yield (t/ha), price and value, money in minor units and in units of `currency`."""
        frame = with_units(pd.DataFrame([self._row("yields")], dtype=object))
        return _series({str(name): value for name, value in frame.iloc[0].items()}, self.id)

    @property
    def evidence(self) -> pd.Series:
        """Declared, seen and registered area and crop, and the codes that follow."""
        return _series(self._row("evidence"), self.id)

    @property
    def history(self) -> pd.Series:
        """Earlier seasons: crops, idle seasons, stability and regularity."""
        return _series(self._row("history"), self.id)

    @property
    def weather(self) -> pd.DataFrame:
        """Daily weather of the parcel's cell: temperatures (Cel), precipitation (mm), ET0 (mm)."""
        return self._artifacts.rows("weather", "cell_id", self._row("weather_cells")["cell_id"])

    @property
    def outcomes(self) -> pd.DataFrame:
        """What became of the parcel at each stage."""
        return self._artifacts.outcomes(self.id)

    @property
    def decision(self) -> StoredDecision:
        """The decision of the parcel's farmer, who may hold other parcels too.

        Raises:
            UserError: The run has not decided, or not about this farmer.
        """
        found = self._artifacts.records("decisions", "farmer_id", self.farmer_id)
        if not found:
            raise UserError(
                f"farmer {self.farmer_id} of parcel {self.id} was not decided",
                "see parcel.outcomes for the stage that stopped it",
            )
        return StoredDecision.of(found[0])

    def plot(self) -> go.Figure:
        """Draw the observations, the smoothed curve and its dates.

        Returns:
            A plotly figure of NDVI over time: clear dates filled, partly clouded ones hollow.

        Raises:
            UserError: The observe or the grow stage has not run, or stopped the parcel.
        """
        from fieldline.desk.report.parcel_chart import parcel_chart

        title = f"{self.id}, {self._crop_name()}{' (simulated)' if self.simulated else ''}"
        dates = {_DATES[str(name)]: day for name, day in self.phenology.items() if day is not None}
        return parcel_chart(title, self.observations, self.curve, dates)

    def _crop_name(self) -> str:
        if not self._artifacts.has("crops"):
            return "crop not yet told"
        found = self._artifacts.records("crops", "parcel_id", self.id)
        return (found[0]["crop"] if found else None) or "crop cannot be told"

    def _row(self, table: str) -> dict[str, Any]:
        found = self._artifacts.records(table, "parcel_id", self.id)
        if not found:
            raise UserError(
                f"parcel {self.id} has no row in {table} ({self._stopped()})",
                "see parcel.outcomes for what became of it",
            )
        return found[0]

    def _stopped(self) -> str:
        told = self.outcomes
        told = told[told["outcome"] != OK]
        words = (told["stage"] + ": " + told["outcome"] + " " + told["detail"]).str.strip()
        return "; ".join(words) or "no stage said why"

    def _facts(self) -> dict[str, str]:
        area = f"{self.record['metrics:area']:,.0f} m2"
        facts = {"area": area, "declared": str(self.record["declared_crop"] or "nothing")}
        facts["seen"] = self._crop_name()
        if self._artifacts.has("observations"):
            seen = self.observations
            facts["observations"] = f"{len(seen)}, {int(seen['clear'].sum())} clear"
        return {**facts, "farmer": self.farmer_id, "tables": ", ".join(self._artifacts.names)}

    @property
    def _title(self) -> str:
        return f"Parcel {self.id}{' (simulated)' if self.simulated else ''}"

    def __repr__(self) -> str:
        return facts_as_text(self._title, self._facts())

    def _repr_html_(self) -> str:
        return facts_as_html(self._title, self._facts())


def _series(values: Mapping[str, Any], name: str) -> pd.Series:
    return pd.Series(dict(values), dtype=object, name=name)
