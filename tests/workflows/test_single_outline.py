"""A drawn outline through every stage: a known one is decided as the county did, a new one anew."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
import shapely
import yaml
from fastapi.testclient import TestClient

from fieldline.desk.access.clients import add_client
from fieldline.lending.decision.case import Case
from fieldline.lending.decision.replay import read_trace
from fieldline.lending.store.database import DECISIONS, reading
from fieldline.lending.store.verify import verify
from fieldline.workflows.config.load import load_config
from fieldline.workflows.serve_command import both, checked_store
from fieldline.workflows.serving import Serving
from tests.workflows.conftest import ChainRun

HOST = "desk.example"


class Branch:
    """A branch system that asks a server about the tiny county, and the worker behind it."""

    def __init__(self, run: ChainRun, folder: Path) -> None:
        # Beside the results, so that the scenes which the table of scenes names are found.
        results = run.results.parent / f"branch-{folder.name}"
        shutil.copytree(run.results, results, ignore=shutil.ignore_patterns(".snakemake"))
        config = load_config([run.config], {"results": str(results)})
        self.folder = results / "2024" / "SIM001"
        self.engine = checked_store(config, migrate=True)
        self.worker = Serving(config, self.engine)
        key = add_client(self.engine, "branch", ["SIM001"], 100_000)
        self.asking = TestClient(
            both(config, {"FIELDLINE_HOSTS": HOST}), base_url=f"https://{HOST}",
            headers={"Authorization": f"Bearer {key}"},
        )  # fmt: skip
        (path,) = config.input_paths("SIM001", "2024", "parcels")
        self.drawn = gpd.read_file(path).to_crs(4326)

    def apply(self, key: str, farmer: str, **more: Any) -> dict[str, Any]:
        """Apply, let the worker work, and return where the application stands."""
        consent = {"purpose": "credit_decision", "given_on": "2024-09-01"}
        body = {"county": "SIM001", "farmer": farmer, "consent": consent, **more}
        answer = self.asking.post("/v1/applications", json=body, headers={"Idempotency-Key": key})
        assert answer.status_code == 202, answer.text
        self.worker.work("worker")
        found: dict[str, Any] = self.asking.get(answer.headers["location"]).json()
        return found

    def trace(self, decision_id: str) -> str:
        query = DECISIONS.select().where(DECISIONS.c.decision_id == decision_id)
        with reading(self.engine) as connection:
            return str(connection.execute(query).one().trace)


@pytest.fixture(scope="module")
def branch(tiny_run: ChainRun, tmp_path_factory: pytest.TempPathFactory) -> Any:
    found = Branch(tiny_run, tmp_path_factory.mktemp("outline"))
    yield found
    shutil.rmtree(found.folder.parents[1])


def parcel(row: Mapping[Any, Any], **changes: Any) -> dict[str, Any]:
    """Return a row of the county's own file of outlines as a branch system sends it."""
    told = {
        "outline": json.loads(shapely.to_geojson(row["geometry"])),
        "declared_crop": row["declared_crop"], "village": row["village"],
        "declared_area_m2": float(row["declared_area_mu"]) * 10_000 / 15,
        "parcel_id": row["parcel_id"],
    }  # fmt: skip
    return {name: value for name, value in {**told, **changes}.items() if value is not None}


def test_a_known_outline_gives_the_countys_own_decision_to_the_byte(branch: Branch) -> None:
    decisions = pd.read_parquet(branch.folder / "decisions.parquet").set_index("farmer_id")
    approved = decisions[decisions["access"] == "approve"].index[0]
    known = pd.read_parquet(branch.folder / "parcels.parquet", columns=["parcel_id", "farmer_id"])
    own = known[known["farmer_id"] == approved]["parcel_id"].iloc[0]
    row = branch.drawn[branch.drawn["parcel_id"] == own].iloc[0].to_dict()
    told = branch.apply("known", str(row["farmer_id"]), parcels=[parcel(row)])
    assert (told["status"], told["farmer_id"]) == ("decided", approved)
    county = decisions.loc[approved]
    assert told["offer"]["decision_id"] == county["decision_id"]
    assert branch.trace(told["offer"]["decision_id"]) == county["trace"]
    assert told["offer"]["access"] == "approve"
    assert verify(branch.engine).problems == ()


def test_new_land_is_decided_on_what_the_images_show_and_who_else_claims_it(
    branch: Branch,
) -> None:
    row = branch.drawn.iloc[3].to_dict()
    facts = {"household_size": 2, "requested_amount": "3000"}
    told = branch.apply("new", "a newcomer", parcels=[parcel(row, parcel_id=None)], facts=facts)
    assert told["status"] == "decided", told["problem"]
    case = Case.of(read_trace(branch.trace(told["offer"]["decision_id"])).case)
    assert (case.farmer.requested_minor, case.farmer.household_size) == (300_000, 2)
    (land,) = case.parcels
    assert land.parcel_id.startswith("A")
    assert {"claimed_by_other", "claim_refuted"} & set(land.codes)
    assert land.seen_crop is not None or "cannot_tell" in land.outcomes
    assert told["offer"]["access"] != "approve"
    # Who comes after with the same ground meets the first applicant too.
    kept = branch.folder.parents[1] / ".applications/2024/SIM001" / told["farmer_id"]
    assert pd.read_parquet(kept / "parcels.parquet")["parcel_id"].tolist() == [land.parcel_id]


def test_an_outline_that_cannot_be_is_refused_with_its_remedy(branch: Branch) -> None:
    row = branch.drawn.iloc[5].to_dict()
    others = branch.apply("taken", "somebody else", parcels=[parcel(row)])
    assert others["status"] == "refused"
    assert others["problem"].endswith("another farmer's: leave `parcel_id` out for new land.")
    far = {"type": "Polygon", "coordinates": [[[5, 5], [5.001, 5], [5.001, 5.001], [5, 5]]]}
    away = branch.apply("away", "a traveller", parcels=[{"outline": far}])
    assert (away["status"], away["offer"]) == ("refused", None)
    assert away["stage"] == "intake"
    assert ": " in away["problem"]


@pytest.mark.long
def test_who_drew_new_land_is_a_row_of_the_countys_next_run_and_moves_nobody(
    tiny_run: ChainRun, tmp_path: Path
) -> None:
    own = Branch(tiny_run, tmp_path)
    row = own.drawn.iloc[3].to_dict()
    told = own.apply("new", "a newcomer", parcels=[parcel(row, parcel_id=None)])
    assert told["status"] == "decided", told["problem"]
    before = pd.read_parquet(own.folder / "decisions.parquet").set_index("farmer_id")["access"]
    results = own.folder.parents[1]
    config = results.with_suffix(".yaml")
    document = yaml.safe_load(tiny_run.config.read_text(encoding="utf-8"))
    config.write_text(yaml.safe_dump({**document, "results": str(results)}), encoding="utf-8")
    again = ChainRun(config, results, tiny_run.simulated).fieldline("run", "--json")
    assert again.returncode == 0, again.stdout + again.stderr
    after = pd.read_parquet(own.folder / "decisions.parquet").set_index("farmer_id")["access"]
    assert set(after.index) - set(before.index) == {told["farmer_id"]}
    claimed = pd.read_parquet(own.folder / "parcels.parquet").set_index("parcel_id")["farmer_id"]
    owner = claimed[str(row["parcel_id"])]
    others = before.index.drop(owner)
    assert (after[others] == before[others]).all()
    assert verify(own.engine).problems == ()
