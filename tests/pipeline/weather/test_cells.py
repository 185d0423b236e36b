"""Places of weather cells: exchanged coordinates, cells said twice, and what stays."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from fieldline.pipeline.inputs.read import read_input
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.weather.cells import cell_places, cell_problems, refuse_exchanged
from fieldline.pipeline.weather.inputs import CELLS

PARCELS = pd.DataFrame({"lon": [11.0, 11.1], "lat": [48.0, 48.1]}, index=["p1", "p2"])


def write(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "cells.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_a_place_said_twice_counts_once_and_two_places_not_at_all(tmp_path: Path) -> None:
    path = write(tmp_path, "cell_id,lon,lat\na,11,48\na,11,48\nb,11,48\nb,12,48\nc,11,?\nd,11,98\n")
    table = read_input(path, CELLS)
    found = [*table.problems, *cell_problems(table.frame, table.problems)]
    assert [(p.row, p.code) for p in found] == [
        (5, "input_missing"), (6, "input_out_of_range"), (1, "input_repeated"),
        (3, "input_contradicted"), (4, "input_contradicted"),
    ]  # fmt: skip
    assert cell_places(path, {}).to_dict("index") == {"a": {"lon": 11.0, "lat": 48.0}}


def test_stations_of_a_chinese_table_keep_their_zeros(tmp_path: Path) -> None:
    path = write(tmp_path, "区站号\t经度(度)\t纬度\n058221\t115,9°\t33,2°\n", "gb18030")
    assert cell_places(path, {}).to_dict("index") == {"058221": {"lon": 115.9, "lat": 33.2}}


def test_a_latitude_above_the_pole_is_refused_as_exchanged(tmp_path: Path) -> None:
    path = write(tmp_path, "cell_id,lon,lat\na,33.2,115.9\nb,33.3,116.1\n")
    with pytest.raises(UserError, match=r"row 1: 115.9 is no latitude.*exchange the headings"):
        cell_places(path, {})


def test_cells_that_fit_only_when_exchanged_are_refused(tmp_path: Path) -> None:
    turned = pd.DataFrame({"lon": [48.0], "lat": [11.0]}, index=["a"])
    path = tmp_path / "cells.csv"
    with pytest.raises(UserError, match=r"exchanged 2 of 2 parcels would have one"):
        refuse_exchanged(path, turned, PARCELS, 50.0)
    right = turned.rename(columns={"lon": "lat", "lat": "lon"})
    refuse_exchanged(path, right, PARCELS, 50.0)
    nowhere = pd.DataFrame({"lon": [-70.0], "lat": [-33.0]}, index=["a"])
    refuse_exchanged(path, nowhere, PARCELS, 50.0)


def test_a_table_without_any_place_names_what_is_wrong(tmp_path: Path) -> None:
    path = write(tmp_path, "cell_id,lon,lat\na,x,y\n")
    with pytest.raises(UserError, match=r"no place of a cell \(row 1, column lon: 'x'"):
        cell_places(path, {})
