"""One farmer from stored features is the county on one row: to the byte, for every farmer."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from fieldline.lending.decision.case import Case
from fieldline.lending.decision.replay import read_trace
from fieldline.lending.decision.single import Features, UnknownFarmerError
from fieldline.lending.schemas import DECISIONS
from fieldline.pipeline.records.tables import write_table
from fieldline.workflows.config.load import load_config
from fieldline.workflows.single import stored_features
from tests.workflows.conftest import ChainRun


@pytest.fixture(scope="module")
def features(tiny_run: ChainRun) -> Features:
    return stored_features(load_config([tiny_run.config]), "SIM001", "2024")


def test_every_farmer_of_the_county_is_decided_alone_as_in_the_county(
    tiny_run: ChainRun, features: Features, tmp_path: Path
) -> None:
    table = tiny_run.folder / "decisions.parquet"
    farmers = pd.read_parquet(table)["farmer_id"]
    alone = [features.record(farmer) for farmer in farmers]
    write_table(pd.DataFrame(alone, columns=DECISIONS.names), DECISIONS, tmp_path / "alone")
    assert len(alone) > 50
    assert len({row["household_id"] for row in alone}) < len(alone)
    assert (tmp_path / "alone").read_bytes() == table.read_bytes()


def test_a_farmer_alone_is_seen_with_the_household_and_nobody_else(
    tiny_run: ChainRun, features: Features
) -> None:
    decisions = pd.read_parquet(tiny_run.folder / "decisions.parquet")
    shared = decisions[decisions["household_id"].duplicated(keep=False)].iloc[0]
    own = features.of(shared["farmer_id"])
    home = decisions[decisions["household_id"] == shared["household_id"]]
    assert set(own.farmers["farmer_id"]) == set(home["farmer_id"])
    assert set(own.profiles["household_id"]) == {shared["household_id"]}
    case = Case.of(read_trace(features.record(shared["farmer_id"])["trace"]).case)
    assert case.household.farmers == len(home) > 1


def test_a_farmer_unknown_to_the_county_is_one_sentence(features: Features) -> None:
    with pytest.raises(UnknownFarmerError, match="holds nothing of farmer Fnobody: send the out"):
        features.record("Fnobody")
