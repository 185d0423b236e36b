"""A tiny county whose every number can be worked out by hand.

Parcels are axis-parallel squares or strips in UTM 50N, written with the same schemas as the other
rooms write; yields have no spread unless a test asks for one.
"""

from __future__ import annotations

import csv
import datetime as dt
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from shapely.geometry import Polygon, box

from fieldline.crops.schemas import (
    CROP_VALUES,
    CROPS,
    FIELDS,
    GROWTH,
    HAZARDS,
    HISTORY,
    RING_FIELDS,
    YIELDS,
)
from fieldline.lending.decision.case import Case, CeilingCase, ParcelCase, PartyCase, RiskCase
from fieldline.lending.decision.decide import run_decide
from fieldline.lending.decision.decision import decide_case
from fieldline.lending.decision.replay import read_trace
from fieldline.lending.decision.row import decision_row
from fieldline.lending.documents.table import DOCUMENTS
from fieldline.lending.evidence.crosscheck import run_evidence
from fieldline.lending.inputs import APPLICATIONS, LOANS, REGISTRY
from fieldline.lending.profile.profiles import run_profile
from fieldline.lending.relations.settings import RelationSettings
from fieldline.lending.relations.stage import run_relations
from fieldline.lending.risk.features import NAMES
from fieldline.lending.risk.training import run_risk_train
from fieldline.lending.settings import (
    EvidenceSettings,
    PolicySettings,
    RiskSettings,
)
from fieldline.lending.store.offers import run_offers
from fieldline.lending.store.posting import Posted
from fieldline.pipeline.parcels.schemas import CONTACTS, FARMERS, PARCEL_COLUMNS
from fieldline.pipeline.records.outcomes import Outcome, write_outcomes
from fieldline.pipeline.records.privacy import pseudonymiser
from fieldline.pipeline.records.settings import PrivacySettings
from fieldline.pipeline.records.tables import Column, TableSchema, read_table, write_table

AS_OF = dt.date(2024, 9, 30)
PRIVACY = PrivacySettings(demo_key=True)
CRS = "EPSG:32650"
EAST, NORTH = 500_000.0, 3_800_000.0
BY_HAND = PolicySettings(tenor_days=330, min_limit=Decimal(500), line_cost=Decimal(0))
"""The product that the figures of these tests are worked out for by hand."""
_CYCLES = [name for name in GROWTH.names if name.startswith("cycle_")]


def pseudonym(name: str) -> str:
    return pseudonymiser(PRIVACY)(name)


@dataclass
class County:
    """Inputs of the lending stages, each changed by the test that needs it changed."""

    folder: Path
    parcels: list[dict[str, Any]] = field(default_factory=list)
    refused: dict[str, list[str]] = field(default_factory=dict)
    registry: list[dict[str, Any]] = field(default_factory=list)
    applications: list[dict[str, Any]] = field(default_factory=list)
    documents: list[dict[str, Any]] = field(default_factory=list)
    protected: list[tuple[Polygon, str, str]] = field(default_factory=list)
    loans: pd.DataFrame | None = None
    evidence_settings: EvidenceSettings = field(default_factory=EvidenceSettings)
    risk: RiskSettings = field(default_factory=lambda: RiskSettings(trees=10, folds=2, search=0))
    policy: PolicySettings = BY_HAND
    stopped: dict[str, str] = field(default_factory=dict)
    templates: dict[str, dict[str, dt.date]] = field(default_factory=dict)
    """Days of a crop's template by crop; crops without one are judged by growth alone."""
    learnt: list[str] = field(default_factory=list)
    """Crops that the crop model learnt; all of them where the list is empty."""
    as_of: dt.date = AS_OF
    currency: str = "CNY"
    absent: dict[str, str] = field(default_factory=dict)
    contacts: list[tuple[str, str, str]] = field(default_factory=list)
    """Farmer, kind of contact and mark."""
    before: list[tuple[str, str]] = field(default_factory=list)
    """Parcel and its farmer of the season before; outlines are those of this season."""
    relations: RelationSettings = field(default_factory=RelationSettings)
    excluded: list[dict[str, Any]] = field(default_factory=list)
    """Rows of the exclusion list."""
    areas: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    """Crops valued by area: median and upper tenth of the gross value and cost, minor units a
    hectare."""
    contracts: list[dict[str, Any]] = field(default_factory=list)
    guarantors: list[dict[str, Any]] = field(default_factory=list)
    preapproved: list[dict[str, Any]] = field(default_factory=list)
    """Rows of what stands behind lines."""

    def add(
        self,
        parcel: str,
        farmer: str,
        *,
        x: float = 0.0,
        y: float = 0.0,
        width: float = 100.0,
        height: float = 100.0,
        **more: Any,
    ) -> None:
        """Add a parcel of `width` x `height` m at an offset from the county's origin."""
        shape = box(EAST + x, NORTH + y, EAST + x + width, NORTH + y + height)
        self.parcels.append({
            "parcel_id": parcel, "farmer": farmer, "geometry": shape, "area": width * height,
            "declared_crop": "maize", "seen_crop": "maize", "prediction_set": ["maize"],
            "probability": 0.95, "yield_t_ha": 6.0, "own_log_sd": 0.0, "shared_log_sd": 0.0,
            "price_log_sd": 0.0, "price_minor": 240_000, "cost_minor_ha": 600_000,
            "shock_group": "maize:cell", "currency": self.currency, **more,
        })  # fmt: skip

    def apply(self, farmer: str, **more: Any) -> None:
        """Add an application of one person without debts."""
        row = {
            "farmer_id": farmer, "household_id": f"H-{farmer}", "household_size": 1,
            "requested_amount": "", "annual_debt_service": "0", "currency": self.currency,
            "prior_loans": 0, "prior_late": 0, "guarantor_id": "", "applied_on": "2024-09-01",
        }  # fmt: skip
        self.applications.append({**row, **more})

    def hand_in(self, kind: str, **more: Any) -> None:
        """Add a verified paper that is in force for a year."""
        row = {
            "document_id": f"D{len(self.documents) + 1}", "kind": kind, "issued_on": "2024-06-01",
            "valid_to": "2025-12-31", "source": "office", "verified_by": "officer 7",
            "verified_on": "2024-09-15", "currency": self.currency,
        }  # fmt: skip
        self.documents.append({**row, **more})

    @staticmethod
    def shifted(shape: Polygon, metres: float, width: float = 1.0) -> Polygon:
        """Return an outline moved east, or cut to a share of its width."""
        west, south, east, north = shape.bounds
        return box(west + metres, south, west + metres + (east - west) * width, north)

    def path(self, name: str) -> Path:
        return self.folder / name

    def write(self) -> None:
        """Write the artifacts of the earlier rooms and the lender's own files."""
        self._parcels()
        self._rooms()
        tables = (("registry", REGISTRY), ("applications", APPLICATIONS), ("documents", DOCUMENTS))
        for name, schema in tables:
            columns = [column.name for column in schema.columns]
            with self.path(f"{name}.csv").open("w", newline="") as handle:
                writer = csv.DictWriter(handle, columns)
                writer.writeheader()
                writer.writerows(getattr(self, name))
        if self.protected:
            rows = [
                {"name": "park", "kind": "reserve", "valid_from": a, "valid_to": b, "source": "t"}
                for _, a, b in self.protected
            ]
            shapes = [shape for shape, _, _ in self.protected]
            frame = gpd.GeoDataFrame(rows, geometry=shapes, crs=CRS)
            frame.to_file(self.path("protected.gpkg"), driver="GPKG")
        if self.loans is not None:
            self.loans.to_csv(self.path("loans.csv"), index=False)
        stops = [
            Outcome("observe", p["parcel_id"], pseudonym(p["farmer"]), self.stopped[p["parcel_id"]])
            for p in self.parcels
            if p["parcel_id"] in self.stopped
        ]
        write_outcomes(stops, self.path("outcomes_observe.parquet"))

    def _parcels(self) -> None:
        rows = [
            {
                "id": p["parcel_id"], "parcel_id": p["parcel_id"], "collection": "T_2024",
                "farmer_id": pseudonym(p["farmer"]), "village": p.get("village", "v"),
                "declared_crop": p["declared_crop"],
                "declared_area_m2": p.get("declared_area", p["area"]),
                "metrics:area": p["area"], "metrics:perimeter": 4 * p["area"] ** 0.5,
                "determination:method": "driven", "repair": "",
            }
            for p in self.parcels
        ]  # fmt: skip
        names = [column.name for column in PARCEL_COLUMNS]
        shapes = [p["geometry"] for p in self.parcels]
        frame = gpd.GeoDataFrame(pd.DataFrame(rows, columns=names), geometry=shapes, crs=CRS)
        frame.to_crs("EPSG:4326").to_parquet(self.path("parcels.parquet"))
        people = {p["farmer"] for p in self.parcels} | set(self.refused)
        farmers = []
        for name in people:
            accepted = sum(p["farmer"] == name for p in self.parcels)
            refusals = self.refused.get(name, [])
            farmers.append({
                "farmer_id": pseudonym(name), "parcels_declared": accepted + len(refusals),
                "parcels_accepted": accepted, "refusals": refusals,
            })  # fmt: skip
        write_table(pd.DataFrame(farmers), FARMERS, self.path("farmers.parquet"))

    def _rooms(self) -> None:
        seen = [p for p in self.parcels if p["parcel_id"] not in self.stopped]
        self._table(FIELDS, [
            {
                "ring_area_m2": p["area"],
                "planted_fraction": p.get("planted_fraction", 1.0),
                "seen_area_m2": p.get("seen_area", p["area"]), "pixels": p["area"] / 100,
                "method": p.get("method", "test"),
            }
            for p in seen
        ], seen)  # fmt: skip
        outlined = [p for p in seen if "outlined" in p]
        self._table(RING_FIELDS, [
            {"fields_in_ring": 1, "seen_area_m2": 0.0, "foreign_area_m2": 0.0, "open_area_m2": 0.0,
             "own_area_m2": p["area"], **p["outlined"]}
            for p in outlined
        ], outlined)  # fmt: skip
        self._table(CROPS, [
            {
                "crop": p["seen_crop"], "probability": p["probability"],
                "cannot_tell": p["seen_crop"] is None, "reason": "",
                "prediction_set": p["prediction_set"], "surveyed": False, "model": "m",
            }
            for p in seen
        ], seen)  # fmt: skip
        self._table(YIELDS, [_yield_row(p) for p in seen], seen)
        self._table(GROWTH, [
            {
                "clear_dates": 20, "sos": p.get("sos", dt.date(2024, 5, 10)),
                "harvest_date": p.get("harvest_date"), "cycles": 1, "curve_step_days": 5,
                "curve": [], **{key: [] for key in _CYCLES},
            }
            for p in seen
        ], seen)  # fmt: skip
        self._crop_values(seen)
        self._table(HAZARDS, [
            {"hazard_index": p.get("hazard", 20.0), "unknown_days": 0} for p in seen
        ], seen)  # fmt: skip
        self._table(HISTORY, [
            {
                "seasons": 2, "idle_seasons": p.get("idle_seasons", 0), "crops": [],
                "stability": p.get("stability", 0.9),
                "regularity": 0.9, "thin_file": p.get("thin_file", False),
                "grown_seasons": 2,
            }
            for p in seen
        ], seen)  # fmt: skip

    def _crop_values(self, seen: list[dict[str, Any]]) -> None:
        """Write each crop's yield, price and cost as the first parcel that grows it has them."""
        first = {
            p.get("valued_as", p["seen_crop"]): p
            for p in reversed(seen)
            if p["yield_t_ha"] is not None
        }
        rows = [
            {
                "crop": crop, "prior_t_ha": p["yield_t_ha"], "years_log_sd": 0.0, "own_log_sd": 0.0,
                "price_q50_minor": p["price_minor"], "price_log_sd": p["price_log_sd"],
                "price_log_sd_year": p["price_log_sd"], "price_days": 180,
                "cost_per_ha_minor": p["cost_minor_ha"],
                "currency": self.currency, **self.templates.get(crop, {}),
            }
            for crop, p in sorted(first.items())
            if crop is not None
        ]  # fmt: skip
        rows += [
            {
                "crop": crop, "own_log_sd": 0.0, "price_days": 180, "currency": self.currency,
                "value_q50_per_ha_minor": middle, "value_q90_per_ha_minor": upper,
                "cost_per_ha_minor": cost, **self.templates.get(crop, {}),
            }
            for crop, (middle, upper, cost) in sorted(self.areas.items())
        ]  # fmt: skip
        full = [{**dict.fromkeys(CROP_VALUES.names), **row} for row in rows]
        frame = pd.DataFrame(full, columns=CROP_VALUES.names)
        write_table(frame, CROP_VALUES, self.path("crop_values.parquet"))

    def _table(
        self, schema: TableSchema, rows: list[dict[str, Any]], parcels: list[dict[str, Any]]
    ) -> None:
        full = [
            {**dict.fromkeys(schema.names), **row, "parcel_id": p["parcel_id"]}
            for row, p in zip(rows, parcels, strict=True)
        ]
        frame = pd.DataFrame(full, columns=schema.names)
        if schema is CROPS and self.learnt:
            chances = [Column(f"p_{crop}", pa.float64(), "chance") for crop in self.learnt]
            schema = replace(schema, columns=(*schema.columns, *chances))
            frame = frame.assign(**{column.name: 0.5 for column in chances})
        write_table(frame, schema, self.path(f"{schema.name}.parquet"))

    def evidence(self) -> pd.DataFrame:
        """Run the evidence stage; return its rows by parcel."""
        self.write()
        run_evidence(
            parcels=self.path("parcels.parquet"), fields=self.path("fields.parquet"),
            ring_fields=self.path("ring_fields.parquet"), crops=self.path("crops.parquet"),
            registry=self.path("registry.csv") if self.registry else None,
            protected=self.path("protected.gpkg") if self.protected else None,
            documents=self.path("documents.csv") if self.documents else None,
            crop_values=self.path("crop_values.parquet"), currency=self.currency,
            as_of=self.as_of, settings=self.evidence_settings, privacy=PRIVACY,
            table_columns={},
            out=self.path("evidence.parquet"), outcomes=self.path("outcomes_evidence.parquet"),
        )  # fmt: skip
        return read_table(self.path("evidence.parquet")).set_index("parcel_id")

    def profile(self) -> pd.DataFrame:
        """Run evidence and profile; return farmer and household rows."""
        self.evidence()
        run_profile(
            farmers=self.path("farmers.parquet"), evidence=self.path("evidence.parquet"),
            yields=self.path("yields.parquet"), hazards=self.path("hazards.parquet"),
            history=self.path("history.parquet"),
            applications=self.path("applications.csv") if self.applications else None,
            documents=self.path("documents.csv") if self.documents else None,
            growth=self.path("growth.parquet"), crop_values=self.path("crop_values.parquet"),
            out_harvests=self.path("harvests.parquet"),
            as_of=self.as_of, currency=self.currency, policy=self.policy, privacy=PRIVACY,
            table_columns={},
            out=self.path("profiles.parquet"), outcomes=self.path("outcomes_profile.parquet"),
        )  # fmt: skip
        return read_table(self.path("profiles.parquet")).set_index(["level", "party_id"])

    def relate(self) -> pd.DataFrame:
        """Run evidence to relations; return the relations."""
        self.profile()
        pd.DataFrame(self.excluded).to_csv(self.path("exclusions.csv"), index=False)
        backing = {name: self._backing(name) for name in ("contracts", "guarantors", "preapproved")}
        marks = [(pseudonym(farmer), kind, mark) for farmer, kind, mark in self.contacts]
        contacts = pd.DataFrame(marks, columns=CONTACTS.names)
        write_table(contacts.drop_duplicates(), CONTACTS, self.path("contacts.parquet"))
        run_relations(
            farmers=self.path("farmers.parquet"), contacts=self.path("contacts.parquet"),
            parcels=self.path("parcels.parquet"), evidence=self.path("evidence.parquet"),
            profiles=self.path("profiles.parquet"),
            documents=self.path("documents.csv") if self.documents else None,
            history=self.path("history.parquet"), earlier_parcels=self._season_before(),
            as_of=self.as_of, currency=self.currency, settings=self.relations,
            evidence_settings=self.evidence_settings, privacy=PRIVACY, table_columns={},
            exclusions=self.path("exclusions.csv") if self.excluded else None,
            out_exclusions=self.path("exclusions.parquet"),
            **backing, harvests=self.path("harvests.parquet"), county="T",
            offer_valid_days=self.policy.offer_valid_days, tenor_days=self.policy.tenor_days,
            out_contracts=self.path("contracts.parquet"), out_covers=self.path("covers.parquet"),
            out_preapproved=self.path("preapproved.parquet"),
            out=self.path("relations.parquet"), outcomes=self.path("outcomes_relations.parquet"),
        )  # fmt: skip
        return read_table(self.path("relations.parquet"))

    def _backing(self, name: str) -> Path | None:
        rows = getattr(self, name)
        pd.DataFrame(rows).to_csv(self.path(f"{name}.csv"), index=False)
        return self.path(f"{name}.csv") if rows else None

    def _season_before(self) -> list[Path]:
        if not self.before:
            return []
        path = self.path("2023") / "T" / "parcels.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        frame = pd.DataFrame(self.before, columns=["parcel_id", "farmer_id"])
        drawn = gpd.read_parquet(self.path("parcels.parquet")).set_index("parcel_id")
        drawn = drawn.loc[frame["parcel_id"], ["geometry"]].reset_index()
        drawn.assign(farmer_id=frame["farmer_id"].map(pseudonym)).to_parquet(path)
        return [path]

    def decide(self) -> pd.DataFrame:
        """Run evidence to decide; return decisions by farmer."""
        self.relate()
        run_risk_train(
            loan_history=None if self.loans is None else self.path("loans.csv"),
            as_of=self.as_of, currency=self.currency, risk=self.risk, policy=self.policy,
            table_columns={}, out=self.path("manifest.json"),
            outcomes=self.path("outcomes_risk_train.parquet"),
        )  # fmt: skip
        run_decide(
            farmers=self.path("farmers.parquet"), profiles=self.path("profiles.parquet"),
            evidence=self.path("evidence.parquet"), harvests=self.path("harvests.parquet"),
            relations=self.path("relations.parquet"), crops=self.path("crops.parquet"),
            exclusions=self.path("exclusions.parquet"), county="T",
            contracts=self.path("contracts.parquet"), covers=self.path("covers.parquet"),
            preapproved=self.path("preapproved.parquet"), turns=self.path("cover_turns.parquet"),
            model=self.path("manifest.json"),
            parts=[self.path(f"outcomes_{s}.parquet") for s in ("observe", "evidence", "profile")],
            as_of=self.as_of, currency=self.currency, policy=self.policy,
            out=self.path("decisions.parquet"), card=self.path("pd.json"),
            outcomes=self.path("outcomes_decide.parquet"),
        )  # fmt: skip
        return read_table(self.path("decisions.parquet")).set_index("farmer_id", drop=False)

    def decision(self, farmer: str) -> pd.Series[Any]:
        """Run everything and return one farmer's decision."""
        return self.decide().loc[pseudonym(farmer)]

    def offers(
        self, database: str | Path, county: str = "T", season: str = "2024", **more: Any
    ) -> Posted:
        """Post the decisions of the folder."""
        return run_offers(
            decisions=self.path("decisions.parquet"), county=county, season=season,
            parcels=self.path("parcels.parquet"), evidence=self.path("evidence.parquet"),
            absent=self.absent,
            policy=self.policy, database=database, offers=self.path("offers.csv"),
            queue=self.path("queue.csv"), outcomes=self.path("outcomes_offers.parquet"), **more,
        )  # fmt: skip


def _yield_row(p: dict[str, Any]) -> dict[str, Any]:
    known = p["yield_t_ha"] is not None
    return {
        "crop": p.get("valued_as", p["seen_crop"]) if known else p.get("area_crop"),
        "crop_basis": p.get("crop_basis", "classified") if known or "area_crop" in p else "none",
        "yield_q50_t_ha": p["yield_t_ha"],
        "prior_source": "test",
        "shared_log_sd": p["shared_log_sd"] if known else None,
        "own_log_sd": p["own_log_sd"] if known else None,
        "shock_group": p["shock_group"],
        "price_q50_minor": p["price_minor"] if known else None,
        "price_log_sd": p["price_log_sd"] if known else None,
        "price_source": "test",
        "cost_per_ha_minor": p["cost_minor_ha"] if known else None,
        "currency": p["currency"],
        "model": "m",
    }


def loan_table(count: int = 900, seed: int = 3, currency: str = "CNY") -> pd.DataFrame:
    """Draw finished loans whose log-odds of default are known."""
    rng = np.random.default_rng(seed)
    income = rng.lognormal(9.5, 0.5, count)
    low = income * rng.uniform(0.4, 0.9, count)
    debt = income * rng.uniform(0.0, 0.6, count)
    need = income * 0.3
    hazard = rng.uniform(0, 80, count)
    prior = rng.integers(0, 5, count)
    late = rng.binomial(prior, 0.2)
    odds = -2.6 + 4.0 * debt / income + 0.025 * hazard + 1.5 * late - 1.5 * low / income
    frame = pd.DataFrame({
        "loan_id": [f"L{i:05d}" for i in range(count)],
        "farmer_id": [f"P{i}" for i in range(count)],
        "household_id": [f"H{i // 2}" for i in range(count)],
        "season": rng.choice(["2021", "2022", "2023"], count),
        "disbursed_on": "2022-01-01", "due_on": "2022-12-01", "closed_on": "2022-12-01",
        "principal": 5000, "currency": currency, "evidence_area_ha": income / 20000,
        "income_q10": low, "income_q50": income, "debt_service": debt, "household_need": need,
        "stability": rng.uniform(0.5, 1, count), "hazard_index": hazard,
        "conflicts": rng.binomial(2, 0.1, count), "prior_loans": prior, "prior_late": late,
        "off_farm_income": np.nan, "thin_file": prior == 0,
        "defaulted": rng.random(count) < 1 / (1 + np.exp(-odds)),
    })  # fmt: skip
    return frame[[column.name for column in LOANS.columns if column.name in frame]]


@pytest.fixture
def case() -> Case:
    """Return an approved farmer: 10 mu of maize, one head, no debts, default risk 4 %."""
    parcel = ParcelCase(
        parcel_id="a", declared_area_m2=Decimal("6666.67"), evidence_area_m2=Decimal("6666.67"),
        declared_crop="maize", seen_crop="maize", valued_crop="maize", crop_basis="classified",
        scale_minor_per_mu=50_000, scale_basis="table", codes=("area_agrees",), effect="none",
        outcomes=(),
    )  # fmt: skip
    party = PartyCase(
        farmers=1, income_q10_minor=1_200_000, income_q50_minor=1_500_000, debt_service_minor=0,
        household_need_minor=600_000, requested_minor=None,
    )  # fmt: skip
    typical = {"contribution": 0.0, "low": -10.0, "median": 0.1, "high": 100.0}
    risk = RiskCase(
        model="pd:test", problem="", pd=Decimal("0.04"), challenger=Decimal("0.05"), margin=-3.2,
        bias=-3.0, features=dict.fromkeys(NAMES, 0.1), contributions=dict.fromkeys(NAMES, 0.0),
        cohort=dict.fromkeys(NAMES, typical),
    )  # fmt: skip
    ceiling = CeilingCase(
        rate=Decimal("0.134"), rule="four_times_lpr", valid_from=dt.date(2024, 7, 22), source="s"
    )
    return Case(
        farmer_id="F1", household_id="H1", as_of=AS_OF, currency="CNY", parcels_declared=1,
        refusals=(), application="ok", application_detail="", parcels=(parcel,), farmer=party,
        household=party, household_free_minor=600_000, evidence_area_m2=Decimal("6666.67"),
        risk=risk, ceiling=ceiling, policy=BY_HAND,
    )  # fmt: skip


@pytest.fixture
def county(tmp_path: Path) -> County:
    """An empty county with one shelf of files."""
    return County(tmp_path)


def copies(decided: pd.Series[Any], farmers: int) -> pd.DataFrame:
    """Return decisions of many farmers: one decided anew for each, under a name of its own."""
    case = Case.of(read_trace(decided["trace"]).case)
    cases = [
        case.model_copy(update={"farmer_id": f"F{n:06d}", "household_id": f"H{n:06d}"})
        for n in range(farmers)
    ]
    return pd.DataFrame([decision_row(c, decide_case(c), decided["policy"]) for c in cases])


@pytest.fixture
def no_places(tmp_path: Path) -> dict[str, Any]:
    """What `run_offers` writes beside offers, where a test has none of it."""
    none: dict[str, list[Any]] = {"parcel_id": [], "farmer_id": [], "village": []}
    gpd.GeoDataFrame(none, geometry=[], crs="EPSG:4326").to_parquet(tmp_path / "parcels")
    columns: dict[str, list[Any]] = {"parcel_id": [], "farmer_id": [], "evidence_area_m2": []}
    pd.DataFrame(columns).to_parquet(tmp_path / "evidence")
    return {"parcels": tmp_path / "parcels", "evidence": tmp_path / "evidence", "absent": {}}


@pytest.fixture(scope="session")
def copies_of() -> Any:
    """Return the function that makes decisions of many farmers from one."""
    return copies


@pytest.fixture(scope="session")
def county_kind() -> type[County]:
    """The class of a county, for a test that makes several."""
    return County


@pytest.fixture
def name_of() -> Any:
    """Pseudonym of a farmer's reference."""
    return pseudonym


@pytest.fixture(scope="session")
def loans() -> pd.DataFrame:
    """900 finished loans with known log-odds."""
    return loan_table()
