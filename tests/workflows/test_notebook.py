"""The notebook of docs/ opens a county; its map is drawn where lonboard is installed."""

from __future__ import annotations

import json
from importlib.util import find_spec
from typing import Any

import pandas as pd

from fieldline.desk.colours import crop_colours
from tests.conftest import ROOT
from tests.workflows.conftest import ChainRun


def cells() -> list[str]:
    book = json.loads((ROOT / "docs" / "county-map.ipynb").read_text("utf-8"))
    assert all(not cell.get("outputs") for cell in book["cells"])
    return ["".join(cell["source"]) for cell in book["cells"] if cell["cell_type"] == "code"]


def test_the_notebook_colours_every_parcel_by_its_crop(tiny_run: ChainRun) -> None:
    *steps, drawing = cells()
    names: dict[str, Any] = {}
    for step in steps:
        exec(compile(step.replace('"results"', repr(str(tiny_run.results))), "cell", "exec"), names)
    stored = pd.read_parquet(tiny_run.folder / "crops.parquet").set_index("parcel_id")["crop"]
    assert len(names["parcels"]) == len(stored)
    palette = crop_colours(stored)
    for parcel, colour in zip(names["parcels"]["parcel_id"], names["colours"], strict=True):
        wanted = palette.get(stored[parcel], "#9e9e9e").lower()
        assert "#" + bytes(colour).hex() == wanted
    access = pd.read_parquet(tiny_run.folder / "decisions.parquet").set_index("farmer_id")["access"]
    told = names["parcels"].set_index("farmer_id")["access"]
    assert (told == access.reindex(told.index)).all()
    code = compile(drawing, "cell", "exec")
    if find_spec("lonboard") is not None:
        exec(code, names)
