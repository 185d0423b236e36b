"""One county's season as a notebook reads it: parcels, farmers, scenes, outcomes, decisions.

Owns the county's tables as frames, their join for a map, and the doors to one parcel and one
decision. Every figure is the artifacts' own; nothing is computed anew and nothing is written into
the results.
"""

from __future__ import annotations

import json
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pyarrow.parquet as pq

from fieldline.artifacts import Artifacts, facts_as_html, facts_as_text, nearest
from fieldline.decisions import StoredDecision, Trace, with_units
from fieldline.parcel import Parcel
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.outcomes import OK
from fieldline.pipeline.records.tables import read_table

_BY_PARCEL = {
    "crops": {"crop": "crop", "probability": "crop_probability"},
    "fields": {"planted_fraction": "planted_fraction", "seen_area_m2": "seen_area_m2"},
    "growth": {"harvest_date": "harvest_date"},
    "yields": {f"yield_{q}_t_ha": f"yield_{q}_t_ha" for q in ("q10", "q50", "q90")},
    "evidence": {
        "evidence_area_m2": "evidence_area_m2",
        "effect": "evidence_effect",
        "codes": "evidence_codes",
    },
}
"""Columns of the overview by table, and their names there."""
_BY_FARMER = ("access", "limit", "annual_rate", "reason_codes", "reasons", "decision_id")
"""Columns of a decision in the overview, `farmer_` before each: a limit is not a parcel's."""
_LISTS = ("evidence_codes", "farmer_reason_codes", "farmer_reasons")
_DRIVERS = {".gpkg": "GPKG", ".geojson": "GeoJSON", ".fgb": "FlatGeobuf"}
_NO_DECISIONS = "none (a season kept for its history, or a run that has not finished)"


class County:
    """The artifacts of one county and season; open it with `Results.county` or `open_county`.

    Each property reads its file when it is asked for. Columns are described in the files
    themselves and in the schemas of each room.

    Args:
        folder: `results/{season}/{county}`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.id = folder.name
        """County id."""
        self.season = folder.parent.name
        """Season name."""
        self.artifacts = Artifacts(folder)

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables that the run has made."""
        return self.artifacts.names

    def table(self, name: str) -> pd.DataFrame:
        """Read any table as it is stored, money in minor units.

        Args:
            name: Table name without extension, one of `tables`.

        Raises:
            UserError: The run has not made it, or the name is misspelt.
        """
        return self.artifacts.table(name)

    @property
    def parcels(self) -> gpd.GeoDataFrame:
        """Accepted parcels with their outlines, EPSG:4326; areas in m2."""
        frame = gpd.read_parquet(self.artifacts.parquet("parcels"))
        return frame.drop(columns="bbox", errors="ignore")

    @property
    def farmers(self) -> pd.DataFrame:
        """Farmers, parcels declared and accepted, refusals."""
        return self.table("farmers")

    @property
    def scenes(self) -> gpd.GeoDataFrame:
        """Scenes of the season as STAC items, with footprints, EPSG:4326."""
        return gpd.read_parquet(self.artifacts.parquet("scenes"))

    @property
    def yields(self) -> pd.DataFrame:
        """Yield (t/ha), price and value by parcel, money also in currency units."""
        return with_units(self.table("yields"))

    @property
    def profiles(self) -> pd.DataFrame:
        """Income and debts by farmer and household, money also in currency units."""
        return with_units(self.table("profiles"))

    @property
    def decisions(self) -> pd.DataFrame:
        """Decisions by farmer without their traces, money also in currency units."""
        path = self.artifacts.parquet("decisions")
        columns = [name for name in pq.read_schema(path).names if name != "trace"]
        return with_units(read_table(path, columns))

    @property
    def outcomes(self) -> pd.DataFrame:
        """What became of every row at every stage; of the stages so far in an unfinished run."""
        return self.artifacts.outcomes()

    @property
    def offers(self) -> pd.DataFrame:
        """`offers.csv`: amounts and rates as `Decimal`, None where nothing is offered."""
        frame = pd.read_csv(self.artifacts.file("offers.csv"), dtype=str, keep_default_na=False)
        for name in ("limit", "annual_rate"):
            frame[name] = frame[name].map(lambda text: Decimal(text) if text else None)
        dates = {name: pd.to_datetime(frame[name]) for name in ("valid_from", "valid_to")}
        return frame.assign(**dates).astype({"tenor_days": int, "day_basis": int})

    def model_card(self, name: str) -> dict[str, Any]:
        """Return the card of a model (`crop_classifier`, `yield`, `pd`): data, skill, baseline."""
        text = self.artifacts.file(f"models/{name}.json").read_text(encoding="utf-8")
        return dict(json.loads(text))

    @property
    def simulated(self) -> bool | None:
        """Whether the scenes are simulated, as they say themselves; None before they are listed."""
        if not self.artifacts.has("scenes"):
            return None
        path = self.artifacts.parquet("scenes")
        if "fieldline:simulated" not in pq.read_schema(path).names:
            return False
        return bool(read_table(path, ["fieldline:simulated"])["fieldline:simulated"].any())

    @property
    def decided(self) -> bool:
        """Whether the run has decided this season and told every outcome."""
        return self.artifacts.has("decisions") and self.artifacts.has("outcomes")

    def parcel(self, parcel_id: str) -> Parcel:
        """Open one parcel.

        Args:
            parcel_id: Id as in `parcels`.

        Raises:
            UserError: No parcel of this county and season has that id, or intake refused it.
        """
        record = self.artifacts.records("parcels", "parcel_id", parcel_id)
        if not record:
            raise self._unknown_parcel(parcel_id)
        return Parcel(self.artifacts, parcel_id, record[0], simulated=bool(self.simulated))

    def _unknown_parcel(self, parcel_id: str) -> UserError:
        told = self.artifacts.outcomes(parcel_id)
        refused = told[told["stage"] == "intake"]
        if len(refused):
            row = refused.iloc[0]
            reason = f"{row['outcome']} {row['detail']}".strip()
            return UserError(
                f"parcel {parcel_id!r} was refused at intake ({reason})",
                "see county.outcomes; refused parcels have no observations",
            )
        known = self.artifacts.table("parcels", ["parcel_id"])["parcel_id"]
        return UserError(f"{self._name} has no parcel {parcel_id!r}", nearest(parcel_id, known))

    def decision(self, key: str) -> StoredDecision:
        """Return one decision.

        Args:
            key: Farmer id or decision id.

        Raises:
            UserError: Nobody was decided under that id, or the run has not decided yet.
        """
        return StoredDecision.of(self._decided(key))

    def trace(self, key: str) -> Trace:
        """Return the trace of one decision, to read or to `fieldline.replay`.

        Args:
            key: Farmer id or decision id.

        Raises:
            UserError: Nobody was decided under that id, or the run has not decided yet.
        """
        return Trace(self._decided(key)["trace"])

    def _decided(self, key: str) -> dict[str, Any]:
        for column in ("farmer_id", "decision_id"):
            found = self.artifacts.records("decisions", column, key)
            if found:
                return found[0]
        known = self.artifacts.table("decisions", ["farmer_id"])["farmer_id"]
        raise UserError(f"{self._name} has no decision under {key!r}", nearest(key, known))

    def join(self, *tables: str) -> gpd.GeoDataFrame:
        """Return the parcels with the columns of other tables beside them.

        Args:
            tables: Tables with one row per parcel (`crops`, `growth`, `yields`, ...) or per farmer
                (`farmers`, `decisions`).

        Returns:
            One row per accepted parcel, EPSG:4326. A column that is there already carries the
            table's name behind it (`crop_yields`); a parcel without a row has nulls.

        Raises:
            UserError: A table is not there, or has more than one row per parcel or farmer.
        """
        frame = self.parcels
        for name in tables:
            table = self.table(name)
            key = "parcel_id" if "parcel_id" in table else "farmer_id"
            if key not in table or not table[key].is_unique:
                raise UserError(
                    f"{name} has not one row per parcel or farmer",
                    f'read county.table("{name}") and join what you need of it',
                )
            frame = frame.merge(table, on=key, how="left", suffixes=("", f"_{name}"))
        return frame

    def overview(self) -> gpd.GeoDataFrame:
        """Return outline, crop, planted area, yield, evidence and decision of every parcel.

        Returns:
            One row per accepted parcel, EPSG:4326: areas in m2, yields in t/ha, the farmer's limit
            in units of `currency`, and `outcomes`, the codes (`stage:code`) other than ok.

        Raises:
            UserError: The run has not made one of the tables.
        """
        parcels = self.parcels.rename(columns={"metrics:area": "area_m2"})
        names = ("parcel_id", "farmer_id", "village", "declared_crop", "declared_area_m2")
        frame = parcels[[*names, "area_m2", "geometry"]]
        for table, columns in _BY_PARCEL.items():
            read = self.artifacts.table(table, ["parcel_id", *columns]).rename(columns=columns)
            frame = frame.merge(read, on="parcel_id", how="left")
        decisions = self.decisions[["farmer_id", "currency", *_BY_FARMER]]
        decisions = decisions.rename(columns={name: f"farmer_{name}" for name in _BY_FARMER})
        frame = frame.merge(decisions, on="farmer_id", how="left")
        return frame.assign(outcomes=frame["parcel_id"].map(self._codes()).fillna(""))

    def _codes(self) -> dict[str, str]:
        told = self.outcomes[["stage", "parcel_id", "outcome"]]
        told = told[(told["outcome"] != OK) & (told["parcel_id"] != "")]
        codes = told["stage"] + ":" + told["outcome"]
        return {str(k): " | ".join(v) for k, v in codes.groupby(told["parcel_id"], sort=False)}

    def to_gis(self, path: str | Path) -> Path:
        """Write the overview for a GIS.

        Args:
            path: `.gpkg`, `.geojson` or `.fgb` outside the county's results; replaced if there.

        Returns:
            The path written. Lists are joined by ` | ` as in `offers.csv`; rate and limit are
            floating-point numbers, since these formats know no decimals.

        Raises:
            UserError: Another ending, a path inside the county's results, or an unfinished run.
        """
        target = Path(path)
        if target.suffix.lower() not in _DRIVERS:
            raise UserError(f"{target} names no GIS format", f"end it with {' or '.join(_DRIVERS)}")
        if target.resolve().is_relative_to(self.folder.resolve()):
            raise UserError(f"{target} lies inside the results", "write it somewhere else")
        frame = _flat(self.overview())
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".gis-") as folder:
            draft = Path(folder) / target.name
            frame.to_file(draft, driver=_DRIVERS[target.suffix.lower()], engine="pyogrio")
            draft.replace(target)
        return target

    @property
    def _name(self) -> str:
        return f"county {self.id}, season {self.season}"

    @property
    def _title(self) -> str:
        return f"County {self.id}, season {self.season}{' (simulated)' if self.simulated else ''}"

    def _facts(self) -> dict[str, str]:
        counts = {n: f"{self.artifacts.count(n):,}" for n in ("parcels", "farmers")}
        return {**counts, "scenes": self._scene_facts(), "decisions": self._decision_facts()}

    def _scene_facts(self) -> str:
        if not self.artifacts.has("scenes"):
            return "none yet"
        times = self.artifacts.table("scenes", ["datetime"])["datetime"]
        if times.empty:
            return "none"
        return f"{len(times)}, {times.min():%Y-%m-%d} to {times.max():%Y-%m-%d}"

    def _decision_facts(self) -> str:
        if not self.artifacts.has("decisions"):
            return _NO_DECISIONS
        table = self.artifacts.table("decisions", ["access", "as_of"])
        counts = table["access"].value_counts()
        days = sorted({f"{day}" for day in table["as_of"]})
        told = ", ".join(f"{counts.get(a, 0)} {a}" for a in ("approve", "review", "decline"))
        return f"{told}{''.join(f' as of {day}' for day in days)}"

    def __repr__(self) -> str:
        return facts_as_text(self._title, self._facts())

    def _repr_html_(self) -> str:
        return facts_as_html(self._title, self._facts())


def _flat(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return a frame whose columns every GIS format knows: no lists, no decimals."""
    lists = {name: frame[name].map(" | ".join, na_action="ignore") for name in _LISTS}
    numbers = ("farmer_limit", "farmer_annual_rate")
    floats = {name: pd.to_numeric(frame[name]).astype(float) for name in numbers}
    dates = {"harvest_date": pd.to_datetime(frame["harvest_date"])}
    return frame.assign(**lists, **floats, **dates)
