"""Broken input files: every stage that reads one ends well or says one sentence, and loses no row.

The seed is printed with every failure; `FIELDLINE_FUZZ` is how many broken files of each input are
tried (4 by default, so that the tests stay short; more by hand).
"""

from __future__ import annotations

import os
import random
import zlib
from pathlib import Path

import pytest

from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.tables import read_table
from tests.workflows.conftest import ChainRun
from tests.workflows.mutations import (
    BYTE_MUTATIONS,
    TABLE_MUTATIONS,
    Mutation,
    json_odd,
)
from tests.workflows.single_stage import SingleStage

EACH = int(os.environ.get("FIELDLINE_FUZZ", "4"))
SEED = int(os.environ.get("FIELDLINE_FUZZ_SEED", "20241"))
CASES: dict[str, tuple[str, tuple[str, ...], tuple[Mutation, ...]]] = {
    "registry": ("registry_2024.csv", ("inputs", "evidence", "profile"), TABLE_MUTATIONS),
    "applications": ("applications_2024.csv", ("inputs", "profile", "decide"), TABLE_MUTATIONS),
    "loan_history": ("loan_history.csv", ("inputs", "risk_train"), TABLE_MUTATIONS),
    "survey": ("survey_2024.csv", ("inputs", "crops_train", "classify", "yield"), TABLE_MUTATIONS),
    "prices": ("prices.csv", ("inputs", "yield"), TABLE_MUTATIONS),
    "county_yields": ("county_yields.csv", ("inputs", "yield"), TABLE_MUTATIONS),
    "weather": ("weather.csv", ("inputs", "weather", "hazards"), TABLE_MUTATIONS),
    "weather_cells": ("weather_cells.csv", ("inputs", "weather"), TABLE_MUTATIONS),
    "boundary": ("boundary.geojson", ("intake",), (*BYTE_MUTATIONS, json_odd)),
    "protected": ("protected.geojson", ("inputs", "evidence"), (*BYTE_MUTATIONS, json_odd)),
    "parcels": ("parcels_2024.gpkg", ("intake",), BYTE_MUTATIONS),
}


def rows_with_outcome(path: Path) -> set[tuple[str, str]]:
    frame = read_table(path)
    return set(zip(frame["parcel_id"], frame["farmer_id"], strict=True))


def sentence_or_outcomes(run: SingleStage, stage: str) -> tuple[str, Path | None]:
    """Run a stage; only a sentence for the user may stop it."""
    try:
        return "", run(stage)
    except UserError as error:
        return str(error), None


@pytest.mark.parametrize("number", range(EACH))
@pytest.mark.parametrize("name", sorted(CASES))
def test_a_broken_file_ends_in_outcomes_or_one_sentence(
    name: str, number: int, tiny_run: ChainRun, tmp_path: Path
) -> None:
    file, stages, mutations = CASES[name]
    rng = random.Random(zlib.crc32(f"{SEED}/{name}/{number}".encode()))
    mutate = (
        mutations[number % len(mutations)] if number < len(mutations) else rng.choice(mutations)
    )
    source = tiny_run.simulated / "SIM001" / file
    broken = tmp_path / source.name
    broken.write_bytes(mutate(source.read_bytes(), rng))
    print(f"seed {SEED}, {name} number {number}: {mutate.__name__} -> {broken}")
    run = SingleStage(tiny_run, tmp_path / "out", {name: broken})
    for stage in stages:
        said, outcomes = sentence_or_outcomes(run, stage)
        if outcomes is None:
            assert "\n" not in said, mutate.__name__
            return
        clean = tiny_run.folder / "outcomes" / f"{stage}.parquet"
        if stage not in ("inputs", "intake"):
            assert rows_with_outcome(outcomes) == rows_with_outcome(clean), mutate.__name__
