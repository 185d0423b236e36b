"""The two stages of the crop model, one after the other, as the chain runs them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fieldline.crops.recognise.classify import run_classify
from fieldline.crops.recognise.train_stage import run_crops_train

_OF_ANSWERS = ("observations", "parcels", "survey", "radar", "table_columns", "clear_dates",
               "settings", "previous")  # fmt: skip


def train_and_classify(folder: Path, *, county: str = "TEST", **given: Any) -> None:
    """Train into `folder/models/crops`, answer into `folder`: crops, card.json and outcomes.

    Args:
        folder: Where both go.
        county: Name of the county.
        given: What the stages take besides.
    """
    manifest = folder / "models" / "crops" / "manifest.json"
    folder.mkdir(parents=True, exist_ok=True)
    run_crops_train(county=county, out=manifest, outcomes=folder / "train.parquet", **given)
    answers = {name: given[name] for name in _OF_ANSWERS if name in given}
    run_classify(
        model=manifest, county=county, season=given["seasons"][-1], out=folder / "crops.parquet",
        card=folder / "card.json", out_next=folder / "survey_next.csv",
        outcomes=folder / "o.parquet", **answers,
    )  # fmt: skip
