"""What a report reads of a county's tables."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from fieldline.desk.report.collect import sample_observations


@pytest.mark.parametrize("asked", [[], ["P2"]])
def test_observations_of_no_parcel_are_none(tmp_path: Path, asked: list[str]) -> None:
    """A county in whose season nothing was clear shows no curve."""
    frame = pd.DataFrame({
        "parcel_id": ["P1", "P2"], "datetime": ["2025-01-01"] * 2, "valid_fraction": [1.0, 1.0],
        "B04_mean": [0.1, 0.1], "B08_mean": [0.3, 0.3],
    })  # fmt: skip
    frame.to_parquet(tmp_path / "observations.parquet")
    found = sample_observations(tmp_path, asked)
    assert found["parcel_id"].tolist() == asked
    assert found["ndvi"].tolist() == pytest.approx([0.5] * len(asked))
