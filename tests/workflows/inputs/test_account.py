"""What became of every row of the tables: told before a run, kept by it, shown at its end."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pandas as pd
import pytest
import yaml

from fieldline.crops.value.priors import Knowing, read_yields, yield_problems
from fieldline.pipeline.records.tables import read_table
from fieldline.workflows.config.write import INPUTS_PAGE
from fieldline.workflows.inputs.account import account_of, row_counts
from fieldline.workflows.inputs.page import inputs_page
from fieldline.workflows.inputs.tables import SCHEMAS, TABLES
from fieldline.workflows.summary import summarise_outcomes
from tests.workflows.conftest import ChainRun
from tests.workflows.single_stage import SingleStage


def messy_registry(run: ChainRun, folder: Path) -> Path:
    """Write the registry in GBK with three bad rows, one stranger and one later row behind it."""
    rows = pd.read_csv(run.simulated / "SIM001" / "registry_2024.csv", dtype="str")
    first, ids = rows.iloc[0], rows["parcel_id"].tolist()
    bad = [
        {"parcel_id": ids[1], "area_m2": "abc"}, {"parcel_id": "1.23457E+17"},
        {"parcel_id": ids[2], "recorded_on": "长期"}, {"parcel_id": "NOBODY"},
        {"parcel_id": ids[3], "recorded_on": "2024-12-31"},
    ]  # fmt: skip
    added = pd.DataFrame([{**first.to_dict(), **changes} for changes in bad])
    path = folder / "registry.csv"
    path.write_bytes(pd.concat([rows, added]).to_csv(index=False, sep=";").encode("gbk"))
    return path


def overlay(run: ChainRun, folder: Path, **inputs: str) -> ChainRun:
    """Return the county with other input files and an empty results folder."""
    document = yaml.safe_load(run.config.read_text(encoding="utf-8"))
    document["county"]["SIM001"]["inputs"] |= inputs
    document["results"] = str(folder / "elsewhere")
    config = folder / "other.yaml"
    config.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    return ChainRun(config, folder / "elsewhere", run.simulated)


CHECK = ("inputs", "check", "--county", "SIM001", "--season", "2024")


def test_check_names_what_is_refused_first_and_writes_nothing(
    tiny_run: ChainRun, tmp_path: Path
) -> None:
    registry = messy_registry(tiny_run, tmp_path)
    run = overlay(tiny_run, tmp_path, registry=str(registry))
    found = run.fieldline(*CHECK)
    assert found.returncode == 3, found.stderr
    lines = found.stdout.splitlines()
    count = len(pd.read_csv(registry, sep=";", encoding="gbk"))
    refused = [line for line in lines if line.startswith("registry") and " refused: " in line]
    assert lines[: len(refused)] == refused
    assert [line.split(" refused")[0] for line in refused] == [
        f"registry registry.csv: 1 of {count}"
    ] * 3
    assert f"row {count - 4} area_m2 'abc'" in found.stdout
    assert f"row {count - 2} recorded_on '长期'" in found.stdout
    assert f"(row {count - 1} parcel_id); Compare the ids" in found.stdout
    assert not run.results.exists()


def test_check_as_json_counts_every_row_once(tiny_run: ChainRun, tmp_path: Path) -> None:
    run = overlay(tiny_run, tmp_path, registry=str(messy_registry(tiny_run, tmp_path)))
    document = json.loads(run.fieldline(*CHECK, "--json").stdout)
    files = {file["input"]: file for file in document["files"]}
    always = {name for name, table in TABLES.items() if not table.optional}
    assert set(files) == always - {"labelled_series"}
    for file in files.values():
        assert sum(file["outcomes"].values()) == file["rows"]
    registry = files["registry"]
    assert registry["encoding"] == "gb18030"
    assert {c: n for c, n in registry["outcomes"].items() if c != "ok"} == {
        "input_not_a_number": 1, "input_damaged_id": 1, "input_not_a_date": 1,
        "input_unmatched": 1, "input_after_as_of": 1, "input_unclear": 1,
    }  # fmt: skip
    assert "labelled_series" not in document["absent"]


def test_check_says_every_file_that_cannot_be_read_and_ends_with_2(
    tiny_run: ChainRun, tmp_path: Path
) -> None:
    (tmp_path / "prices.csv").write_text("crop,date,cost\nmaize,2024-01-01,2\n")
    (tmp_path / "survey.csv").write_bytes(b"")
    run = overlay(
        tiny_run, tmp_path, prices=str(tmp_path / "prices.csv"), survey=str(tmp_path / "survey.csv")
    )
    found = run.fieldline(*CHECK)
    assert found.returncode == 2
    unreadable = [line for line in found.stdout.splitlines() if line.startswith("cannot be read")]
    assert len(unreadable) == 2
    assert "survey.csv is empty" in found.stdout
    assert "prices.csv has no column price (columns found: crop, date, cost)" in found.stdout


@pytest.mark.parametrize(("county", "season"), [("NONE", "2024"), ("SIM001", "1066")])
def test_a_county_or_season_that_is_not_configured_is_one_sentence(
    county: str, season: str, tiny_run: ChainRun
) -> None:
    found = tiny_run.fieldline("inputs", "check", "--county", county, "--season", season)
    assert found.returncode == 2
    assert found.stderr.count("\n") == 1


def test_a_run_refuses_a_wrong_column_before_anything_is_made(
    tiny_run: ChainRun, tmp_path: Path
) -> None:
    (tmp_path / "applications.csv").write_text("customer,when\n7,2024-01-01\n")
    run = overlay(tiny_run, tmp_path, applications=str(tmp_path / "applications.csv"))
    found = run.fieldline("run")
    assert found.returncode == 2
    assert "applications.csv has no column" in found.stderr
    assert not list(run.results.rglob("*.parquet"))


def test_a_row_that_counts_though_it_looks_odd_is_used(tmp_path: Path) -> None:
    path = tmp_path / "yields.csv"
    # Six seasons of wheat, the fourth a disaster; another year of no crop, and one not yet out.
    rows = [("winter_wheat", 2015 + n, v) for n, v in enumerate((7, 7.1, 6.9, 0.4, 7.2, 7.0))]
    rows += [("unicorn", 2020, 3), ("winter_wheat", 2024, 7)]
    frame = pd.DataFrame(rows, columns=["crop", "year", "yield_t_ha"])
    frame.to_csv(path, index=False)
    knowing = Knowing(dt.date(2024, 9, 30), 2024)
    found = account_of(
        read_yields(path), lambda table: yield_problems(table.frame, table.problems, knowing), {}
    )
    assert (found.rows, found.used, found.refused, found.set_aside) == (8, 6, 1, 1)
    assert row_counts(found) == {
        "ok": 5, "input_far_from_usual": 1, "input_unknown_crop": 1, "input_after_as_of": 1,
    }  # fmt: skip


def test_a_run_keeps_the_account_and_its_last_page_names_the_file(
    tiny_run: ChainRun, tmp_path: Path
) -> None:
    registry = messy_registry(tiny_run, tmp_path)
    outcomes = SingleStage(tiny_run, tmp_path / "out", {"registry": registry})("inputs")
    folder = tmp_path / "out" / "2024" / "SIM001"
    files = read_table(folder / "inputs.parquet").set_index("input")
    row = files.loc["registry"]
    assert [row[n] for n in ("refused", "unmatched", "set_aside")] == [3, 1, 2]
    assert row["rows"] == row["used"] + 6
    rows = read_table(folder / "input_rows.parquet")
    assert rows[rows["input"] == "registry"]["row"].tolist()[-5:] == [
        row["rows"] - place for place in (4, 3, 2, 1, 0)
    ]
    told = read_table(outcomes).set_index("parcel_id")["outcome"]
    assert told["registry:registry.csv"] == "input_rows_refused"
    assert told["labelled_series"] == "input_absent"
    for name in ("outcomes.parquet", "profiles.parquet", "decisions.parquet"):
        (folder / name).write_bytes((tiny_run.folder / name).read_bytes())
    summary = summarise_outcomes("SIM001", "2024", folder, threshold=1.0)
    assert summary.files == (
        f"registry registry.csv: 3 refused and 1 naming nothing that the county knows, of "
        f"{row['rows']} rows",
    )


def test_a_changed_table_redoes_no_imagery(tiny_run: ChainRun, tmp_path: Path) -> None:
    run = overlay(tiny_run, tmp_path, registry=str(messy_registry(tiny_run, tmp_path)))
    document = yaml.safe_load(run.config.read_text(encoding="utf-8"))
    document["results"] = str(tiny_run.results)
    run.config.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    planned = json.loads(run.fieldline("run", "-n", "--json").stdout)
    assert {"inputs", "evidence"} <= set(planned)
    assert not set(planned) & {"scenes", "observe", "fields", "classify", "grow", "yield"}


def test_the_page_of_inputs_is_the_one_that_the_declarations_give() -> None:
    page = inputs_page()
    assert INPUTS_PAGE.read_text(encoding="utf-8") == page
    for schema in SCHEMAS:
        assert f"## `{schema.name}`" in page
        for column in schema.columns:
            assert f"| `{column.name}`" in page
