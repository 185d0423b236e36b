"""The store and the chain together: a person's act posts again, and mass withdrawals ask first."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import pandas as pd
import pytest
import sqlalchemy as sa

from fieldline.lending.settings import PolicySettings
from fieldline.lending.store.database import LIVE, OFFERS, open_database, reading
from fieldline.lending.store.posting import Shelf, post
from fieldline.pipeline.records.tables import read_table
from tests.workflows.conftest import ChainRun, tiny_config


@pytest.fixture
def own_run(tiny_run: ChainRun, tmp_path: Path) -> ChainRun:
    """A copy of the finished tiny county, to be changed."""
    run = tiny_config(tmp_path, "results", tiny_run.simulated)
    shutil.copytree(tiny_run.results, run.results)
    assert run.fieldline("run", "--dry-run").stdout.startswith("nothing to do")
    return run


def offers(run: ChainRun) -> pd.DataFrame:
    return pd.read_csv(run.folder / "offers.csv").set_index("farmer_id", drop=False)


def test_a_persons_act_is_posted_by_the_next_run_and_replays(own_run: ChainRun) -> None:
    before = offers(own_run)
    chosen = before[before["access"] == "approve"].iloc[0]
    said = ["--officer", "Ann", "--reason", "the field was sold", "--decline"]
    decided = own_run.fieldline("review", "decide", chosen["offer_id"], *said)
    assert decided.returncode == 0, decided.stderr
    planned = json.loads(own_run.fieldline("run", "--dry-run", "--json").stdout)
    assert planned == {"offers": 1, "report": 1}
    assert own_run.fieldline("run").returncode == 0
    after = offers(own_run)
    assert after.loc[chosen["farmer_id"], "access"] == "decline"
    assert after.loc[chosen["farmer_id"], "reason_codes"].startswith("person_declined")
    others = before.index.drop(chosen["farmer_id"])
    pd.testing.assert_frame_equal(after.loc[others], before.loc[others])
    assert own_run.fieldline("run", "--dry-run").stdout.startswith("nothing to do")
    assert own_run.fieldline("audit", "verify").returncode == 0
    replayed = json.loads(own_run.fieldline("audit", "replay", "--all", "--json").stdout)
    assert (replayed["problems"], replayed["without_model"]) == ({}, 0)
    assert replayed["models"] > 0


def test_the_exported_csv_is_offers_csv_and_a_mistake_is_one_sentence(
    tiny_run: ChainRun, tmp_path: Path
) -> None:
    shelf = ("--county", "SIM001", "--season", "2024")
    copy, book = tmp_path / "again.csv", tmp_path / "offers.xlsx"
    told = tiny_run.fieldline("offers", "export", *shelf, "--out", str(copy), "--format", "csv")
    assert told.returncode == 0, told.stderr
    assert copy.read_bytes() == (tiny_run.folder / "offers.csv").read_bytes()
    told = tiny_run.fieldline("offers", "export", *shelf, "--out", str(book))
    assert told.returncode == 0, told.stderr
    with zipfile.ZipFile(book) as parts:
        assert "xl/worksheets/sheet1.xml" in parts.namelist()
    elsewhere = ("--county", "NOWHERE", "--season", "2024", "--out", str(tmp_path / "no.xlsx"))
    refused = tiny_run.fieldline("offers", "export", *elsewhere)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "county 'NOWHERE' is not defined" in refused.stderr
    assert not (tmp_path / "no.xlsx").exists()


def test_many_withdrawals_ask_first(own_run: ChainRun) -> None:
    frame = read_table(own_run.folder / "decisions.parquet")
    count = len(frame)
    more = frame.copy()
    more["farmer_id"] = [f"gone{n}" for n in range(count)]
    engine = open_database(own_run.results / "fieldline.sqlite")
    shelf = Shelf("SIM001", "2024", PolicySettings().product)
    post(engine, pd.concat([frame, more]), shelf, PolicySettings())
    engine.dispose()
    files = [own_run.folder / name for name in ("offers.csv", "review_queue.csv")]
    before = [file.read_bytes() for file in files]
    refused = own_run.fieldline("run", "--from", "offers")
    assert refused.returncode == 2
    assert [file.read_bytes() for file in files] == before  # the last good ones
    planned = own_run.fieldline("run", "--dry-run").stdout
    assert "offers x 1" in planned  # and the posting is still to be made
    assert f"would withdraw {count} of {2 * count} live offers" in refused.stderr
    assert "run again with `--confirm`" in refused.stderr
    with reading(open_database(own_run.results / "fieldline.sqlite")) as connection:
        live = connection.scalars(sa.select(OFFERS.c.offer_id).where(OFFERS.c.status == LIVE)).all()
    assert len(live) == 2 * count
    assert own_run.fieldline("run", "--confirm").returncode == 0
    verified = own_run.fieldline("audit", "verify")
    assert f"{count} live\n" in verified.stdout
