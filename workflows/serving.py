"""Serving: how a running server knows counties and decides, one farmer at a time.

Owns the step from the configuration to `desk.api.service.Chain`: stored features kept until the
chain writes them anew, posting of single decisions, and the work on drawn applications. What is
served, and to whom, is `desk`'s.
"""

from __future__ import annotations

import datetime as dt
import json
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa

from fieldline.desk.api.service import Range
from fieldline.lending.decision.single import Features
from fieldline.lending.store.applied import claim, finish, hold, refuse_withdrawn_now
from fieldline.lending.store.posting import Shelf, post
from fieldline.lending.store.signer import signer
from fieldline.pipeline.records.canonical import content_hash
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.faults import DatabaseError
from fieldline.pipeline.records.money import from_minor
from fieldline.pipeline.records.privacy import pseudonymiser
from fieldline.pipeline.records.tables import read_table
from fieldline.pipeline.vault.consents import CONSENTS
from fieldline.pipeline.vault.erasure import erased_farmers
from fieldline.pipeline.vault.opening import open_vault
from fieldline.pipeline.vault.persons import Person, add_person
from fieldline.pipeline.vault.sealing import Sealed, master_key, place_of, seal, unseal
from fieldline.workflows.applicants import (
    APPLICATION,
    PARCELS,
    applicants_folder,
    applicants_tables,
    forget_applicant,
    keep_applicant,
)
from fieldline.workflows.config.model import Config
from fieldline.workflows.outline import KEPT, County, Drawn, decide_drawn
from fieldline.workflows.single import stored_features
from fieldline.workflows.vault_requests import withdrawals_of

Row = dict[str, Any]
HELD_SECONDS = 120.0
"""How long an application is held between two stages: longer than the longest one takes."""
_SEALED = "application"
_WATCHED = ("profiles", "farmers", "evidence", "harvests", "decisions")
_LOW, _HIGH = 0.1, 0.9


@dataclass
class Serving:
    """The counties of one configuration, as a server knows them."""

    config: Config
    engine: sa.Engine
    _kept: dict[tuple[str, str, str], tuple[str, Any]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def folder(self, county: str, season: str) -> Path:
        """Return the artifacts of a county and season."""
        return self.config.results / season / county

    def seasons(self, county: str) -> list[str]:
        """Return a county's decided seasons, oldest first; none for an unknown county."""
        known = self.config.county.get(county)
        if known is None:
            return []
        ordered = sorted(known.seasons, key=lambda name: known.seasons[name].start)
        return [s for s in ordered if (self.folder(county, s) / "decisions.parquet").is_file()]

    def product(self) -> str:
        """Return the product that is offered."""
        return self.config.lending.policy.product

    def pseudonym(self, county: str, reference: str) -> str:
        """Return a farmer's pseudonym."""
        return pseudonymiser(self.config.privacy_of(county))(reference)

    def refuse_erased(self, county: str, farmer_id: str) -> None:
        """Refuse a farmer who was erased.

        Raises:
            UserError: The farmer was, or the vault cannot be opened.
        """
        with open_vault(self.config.vault_address(), self.config.privacy_of(county)) as vault:
            if farmer_id in erased_farmers(vault):
                raise UserError(
                    "this farmer asked to be forgotten", "have the operator admit the farmer again"
                )

    def seal(self, county: str, reference: str) -> str:
        """Return a farmer's number sealed, to wait for the chain."""
        master = master_key(self.config.privacy_of(county))
        sealed = seal(master, place_of(_SEALED, county), [reference])
        return json.dumps([sealed.data_key, sealed.record])

    def _unsealed(self, county: str, text: str) -> str:
        master = master_key(self.config.privacy_of(county))
        return str(unseal(master, place_of(_SEALED, county), Sealed(*json.loads(text)))[0])

    def today(self, county: str, season: str) -> dt.date:
        """Return the knowledge date of a season."""
        return self.config.county[county].seasons[season].as_of

    def decide_stored(self, county: str, season: str, farmer_id: str) -> Row:
        """Decide a farmer on what the county knows; post it and return the offer.

        Raises:
            UnknownFarmerError: The county knows nothing of the farmer.
            UserError: The store holds decisions of a later day, or as `post`.
        """
        features = self.features(county, season)
        return self.post(county, season, features.record(farmer_id))

    def features(self, county: str, season: str) -> Features:
        """Return a county's stored features as its tables are now."""
        found: Features = self._of(
            "features", county, season, lambda: stored_features(self.config, county, season)
        )
        return found

    def post(self, county: str, season: str, record: Row) -> Row:
        """Post one decision and return the farmer's offer."""
        shelf = Shelf(county, season, self.product())
        model = self._of("model", county, season, lambda: self._model(county, season))
        posted = post(
            self.engine, pd.DataFrame([record]), shelf, self.config.lending.policy,
            settings=self.config.lending.posting, by=signer(self.config.audit.key_file),
            model=model, single=True,
        )  # fmt: skip
        return next(row for row in posted.live if row["farmer_id"] == record["farmer_id"])

    def _model(self, county: str, season: str) -> Mapping[str, Any]:
        path = self.folder(county, season) / "models/pd.json"
        found: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found

    def ranges(self, county: str, season: str) -> Mapping[str, Range]:
        """Return by crop what was decided for those who grow it."""
        found: Mapping[str, Range] = self._of(
            "ranges", county, season, lambda: _ranges(self.folder(county, season))
        )
        return found

    def _of(self, what: str, county: str, season: str, read: Callable[[], Any]) -> Any:
        """Return what was read of a county, read again where its tables have changed since."""
        return self._held((what, county, season), self._version(county, season), read)

    def _held(self, key: tuple[str, str, str], version: str, read: Callable[[], Any]) -> Any:
        with self._lock:
            held = self._kept.get(key)
            if held is None or held[0] != version:
                held = (version, read())
                self._kept[key] = held
        return held[1]

    def _version(self, county: str, season: str) -> str:
        folder, told = self.folder(county, season), []
        for name in _WATCHED:
            path = folder / f"{name}.parquet"
            if path.is_file():
                seen = path.stat()
                told.append([name, seen.st_mtime_ns, seen.st_size])
        return content_hash(told, 16)

    def work(self, worker: str, only: str | None = None) -> Row | None:
        """Decide the oldest drawn application that waits; None where none does.

        Args:
            worker: Name of the program that works.
            only: This application or none.
        """
        row = claim(self.engine, worker, HELD_SECONDS, only=only)
        if row is None:
            return None
        try:
            offer = self._decided(row, worker)
        except DatabaseError:
            raise
        except UserError as error:
            return finish(self.engine, row["application_id"], problem=str(error))
        return finish(
            self.engine, row["application_id"], decision_id=offer["decision_id"],
            offer_id=offer["offer_id"],
        )  # fmt: skip

    def _decided(self, row: Row, worker: str) -> Row:
        county, season, name = row["county"], row["season"], row["application_id"]
        body = json.loads(row["body"])
        if row["sealed"] is None:
            return self.decide_stored(county, season, row["farmer_id"])

        def say(stage: str) -> None:
            if not hold(self.engine, name, worker, HELD_SECONDS, stage):
                raise UserError("the application went to another program", "leave it there")

        home = County(self.config, county, season)
        drawn = self._drawn(row, body)
        with tempfile.TemporaryDirectory(prefix="fieldline-applicant-") as scratch:
            place = Path(scratch)
            record = decide_drawn(home, drawn, place, say)
            # The farmer may have taken the consent back while the stages ran.
            refuse_withdrawn_now(self.engine, row, self.withdrawn(county, row["farmer_id"]))
            self._enter(county, season, Person(drawn.farmer_id, drawn.reference))
            folder = applicants_folder(self.config.results, county, season)
            keep_applicant(place / "own", list(KEPT), folder / row["farmer_id"])
        return self.post(county, season, record)

    def _enter(self, county: str, season: str, person: Person) -> None:
        """Enter an applicant in the vault, so that an export can name who is behind an offer."""
        privacy = self.config.privacy_of(county)
        with open_vault(self.config.vault_address(), privacy) as vault:
            add_person(vault, county, season, person)

    def forget(self, county: str, season: str, farmer_id: str) -> None:
        """Have later runs know nothing of what a farmer applied with."""
        forget_applicant(self.config.results, county, season, farmer_id)

    def withdrawn(self, county: str, farmer_id: str) -> dt.date | None:
        """Return the last day on which a farmer withdrew by the county's table of consents.

        Raises:
            UserError: The table cannot be read.
        """
        paths = self.config.input_paths(county, self.config.seasons[0], CONSENTS.name)
        if not paths:
            return None
        seen = paths[0].stat() if paths[0].is_file() else None
        version = "" if seen is None else f"{seen.st_mtime_ns} {seen.st_size}"
        found: Mapping[str, dt.date] = self._held(
            ("withdrawn", county, ""), version, lambda: withdrawals_of(self.config, county)
        )
        return found.get(farmer_id)

    def _drawn(self, row: Row, body: Mapping[str, Any]) -> Drawn:
        reference = self._unsealed(row["county"], row["sealed"])
        facts = body["facts"]
        county, season = row["county"], row["season"]
        parcels = applicants_tables(self.config.results, county, season, PARCELS)
        return Drawn(
            row["farmer_id"], reference,
            [_feature(parcel, row["farmer_id"], reference) for parcel in body["parcels"]],
            None if facts is None else {
                **{n: v for n, v in facts.items() if n != "household"},
                "household_id": facts["household"],
                "applied_on": self.today(county, season).isoformat(),
            },
            # Land drawn anew stands for what the farmer drew before.
            [path.parent for path in parcels
             if not body["parcels"] or path.parent.name != row["farmer_id"]],
            applicants_tables(self.config.results, county, season, APPLICATION),
        )  # fmt: skip


def _feature(parcel: Mapping[str, Any], farmer_id: str, reference: str) -> dict[str, Any]:
    """Return an outline as intake reads it; land that has no number gets one of its own."""
    outline = parcel["outline"]
    name = parcel["parcel_id"] or "A" + content_hash([farmer_id, outline], 12)
    told = {n: parcel[n] for n in ("declared_crop", "declared_area_m2", "village")}
    return {
        "type": "Feature", "geometry": outline,
        "properties": {"parcel_id": name, "farmer_id": reference, **told},
    }  # fmt: skip


def _ranges(folder: Path) -> dict[str, Range]:
    """Return by crop the spread of approved limits by area, of farmers who grow mostly that."""
    decided = read_table(
        folder / "decisions.parquet", ["farmer_id", "access", "limit_minor", "currency"]
    )
    evidence = read_table(folder / "evidence.parquet", ["parcel_id", "farmer_id",
                                                        "evidence_area_m2"])  # fmt: skip
    valued = read_table(folder / "harvests.parquet", ["parcel_id", "crop", "main"])
    land = evidence.merge(valued[valued["main"]], on="parcel_id")
    land = land[land["evidence_area_m2"] > 0]
    largest = land.sort_values(["farmer_id", "evidence_area_m2"]).groupby("farmer_id")
    main = pd.DataFrame({"crop": largest["crop"].last(),
                         "area": largest["evidence_area_m2"].sum()})  # fmt: skip
    joined = decided.merge(main, left_on="farmer_id", right_index=True)
    found = {}
    for crop, rows in joined.groupby("crop"):
        given = rows[rows["access"] == "approve"]
        rates = given["limit_minor"].astype(float) / given["area"]
        low, high = np.quantile(rates, [_LOW, _HIGH]) if len(rates) else (0.0, 0.0)
        currency = str(rows["currency"].iloc[0])
        unit = from_minor(1, currency)
        found[str(crop)] = Range(
            len(rows), len(given), Decimal(repr(float(low))) * unit,
            Decimal(repr(float(high))) * unit, currency,
        )  # fmt: skip
    return found
