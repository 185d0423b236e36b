"""The portfolio by command: what is told, written and refused."""

from __future__ import annotations

import csv
import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fieldline.lending.portfolio.lines import lines_on
from fieldline.lending.store.database import open_database

Run = Callable[..., tuple[int, str, str]]

ON = ("--on", "2024-10-15")


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()))


def test_exposure_is_told_as_text_json_and_tables(
    posted: Any, fieldline: Run, tmp_path: Path
) -> None:
    out = tmp_path / "tables"
    code, said, _ = fieldline("portfolio", "exposure", *ON, "--out", str(out), "--json")
    assert code == 0
    told = json.loads(said)
    granted = {row["group"]: row for row in told["exposure"] if row["dimension"] == "weather_cell"}
    # No loans: the expert scorecard judges, and either may have what is asked for.
    assert {name: row["exposure"] for name, row in granted.items()} == {
        "SIM001/W1": "9000.00", "SIM001/W2": "9000.00"
    }  # fmt: skip
    held = {row["dimension"]: row["hhi"] for row in told["concentration"]}
    assert (held["weather_cell"], held["crop"]) == (0.5, 1.0)
    assert rows(out / "exposure.csv")[0]["exposure"] == "18000.00"
    assert (out / "outcomes.csv").read_text(encoding="utf-8") == ""
    code, said, _ = fieldline("portfolio", "exposure", *ON)
    assert "CNY       weather_cell  SIM001/W1" in said
    assert "ann" not in said + json.dumps(told)


def test_stress_names_its_draws_and_what_it_leaves_out(
    posted: Any, fieldline: Run, tmp_path: Path
) -> None:
    code, said, _ = fieldline("portfolio", "stress", *ON, "--json")
    assert code == 0
    told = json.loads(said)
    assert told["draws"][0] | {"draws": 10_000, "seed": 71} == told["draws"][0]
    losses = {row["scenario"]: float(row["mean_loss"]) for row in told["stress"]}
    assert losses["as_drawn"] <= losses["drought"] <= losses["drought_and_price_fall"]
    assert losses["as_drawn"] <= losses["price_fall"] <= losses["drought_and_price_fall"]
    assert told["expected"][0]["drawn_lines"] == 2
    assert fieldline("portfolio", "stress", *ON, "--json")[1] == said
    kept = posted.path("harvests.parquet")
    pd.read_parquet(kept).drop(columns="area_ha").to_parquet(kept)
    code, said, _ = fieldline("portfolio", "stress", *ON)
    assert code == 0
    assert "portfolio_no_draws      2  An older version wrote the run" in said
    assert "drought" not in said.split("draws, ")[0]


def test_what_is_drawn_takes_the_place_of_the_limit(
    posted: Any, fieldline: Run, tmp_path: Path
) -> None:
    engine = open_database(tmp_path / "results" / "fieldline.sqlite")
    first = lines_on(engine, dt.date(2024, 10, 15))[0].offer_id
    engine.dispose()
    moved = tmp_path / "moved.csv"
    moved.write_text(f"offer_id,on,draw,repay\n{first},2024-10-02,2500,\n=X(),2024-10-02,1,\n")
    code, said, _ = fieldline(
        "portfolio", "exposure", *ON, "--movements", str(moved), "--json",
        "--out", str(tmp_path / "out"),
    )  # fmt: skip
    told = json.loads(said)
    assert (code, told["exposure"][0]["limit"]) == (0, "18000.00")
    assert told["exposure"][0]["exposure"] == "11500.00"
    assert [(row["offer_id"], row["outcome"]) for row in told["outcomes"]] == [
        ("=X()", "portfolio_no_such_line")
    ]  # fmt: skip
    # No spreadsheet runs what a file of movements was given as a name.
    assert rows(tmp_path / "out" / "outcomes.csv")[0]["offer_id"] == "'=X()"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--on", "2030-01-01"), "no line in the store runs on 2030-01-01: name a day"),
        (("--on", "soon"), "--on 'soon' is no day: write it as 2024-10-15"),
        ((*ON, "--county", "MARS"), "county 'MARS' is not known: use one of ['SIM001']"),
        ((*ON, "--movements", "gone.csv"), "gone.csv"),
        ((*ON, "--out", "/proc/none"), "/proc/none cannot be written to"),
    ],
)
def test_what_cannot_be_told_is_one_sentence(
    posted: Any, fieldline: Run, words: tuple[str, ...], said: str
) -> None:
    code, out, error = fieldline("portfolio", "exposure", *words)
    assert (code, out) == (2, "")
    assert said in error
    assert error.count("\n") == 1


def test_without_a_store_nothing_is_made(fieldline: Run, tmp_path: Path) -> None:
    (tmp_path / "bank.yaml").write_text(f"results: {tmp_path / 'none'}\n", encoding="utf-8")
    code, _, error = fieldline("portfolio", "stress", *ON)
    assert code == 2
    assert "there is no offer store at" in error
    assert not (tmp_path / "none").exists()
