"""A county whose scenes are a folder of downloaded products, run by the command line."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path

import numpy as np
import pytest

from fieldline.pipeline.records.tables import read_table
from tests.pipeline.imagery.pulling import told
from tests.pipeline.imagery.tiny_safe import TinyProduct, write_safe, zipped
from tests.workflows.conftest import run_in
from tests.workflows.test_provider_chain import write_county

EDGE = 100


def product(month: int) -> TinyProduct:
    random = np.random.default_rng(month)
    bands = {band: random.integers(300, 3000, (EDGE, EDGE)) for band in ("B02", "B04")}
    bands["SCL"] = np.full((EDGE // 2, EDGE // 2), 4)
    return TinyProduct(bands, dt.date(2021, month, 10))


@pytest.mark.slow
def test_a_folder_of_products_is_observed_and_a_new_one_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIELDLINE_PSEUDONYM_KEY", "9f2c41aa7be04d51b6f8c0de37a15b24")
    monkeypatch.setenv("FIELDLINE_VAULT_KEY", "c41f0a7e935db268e07d5f13a94b82c6")
    products = tmp_path / "products"
    for month in range(3, 9):
        safe = write_safe(products, product(month))
        if month == 5:
            zipped(safe)
    write_county(tmp_path, "products", "sentinel-2-l2a")
    program = [sys.executable, "-m", "fieldline.workflows.cli", "run", "-c", "mine.yaml"]
    # Two bands are enough to observe; without near infrared the crops' sentence ends the run.
    assert "no near-infrared band" in run_in(tmp_path, program).stderr
    made = tmp_path / "results" / "2024" / "MINE"
    observed = read_table(made / "observations.parquet")
    assert observed.groupby("parcel_id").size().tolist() == [6, 6]
    write_safe(products, product(9))
    run_in(tmp_path, program)
    assert len(told(made / "outcomes" / "scenes.parquet")) == 7
    assert len(read_table(made / "observations.parquet")) == 14
