from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rasterio.windows import Window

from fieldline.pipeline.imagery.mosaic import DayReader
from fieldline.pipeline.imagery.scene_days import group_by_solar_day
from fieldline.pipeline.imagery.settings import MaskSettings
from fieldline.pipeline.imagery.spots import Spots
from tests.pipeline.imagery.tiny_archive import TinyScene, X, Y, read_all, tiny_grid, write_archive

WINDOW = Window(2, 1, 6, 4)


def test_cells_of_a_part_are_numbered_in_the_part() -> None:
    """Rows 1 to 4 and columns 2 to 7; cells 0, 8, 22 are (1, 2), (2, 4), (4, 6) of the grid."""
    spots = Spots(WINDOW, np.array([0, 8, 22]))
    assert spots.pick(np.arange(24).reshape(4, 6)).tolist() == [0, 8, 22]
    index, part = spots.within(Window(4, 2, 3, 3))
    assert index[0].tolist() == [1, 2]
    assert part.cells is not None
    assert part.cells.tolist() == [0, 8]
    assert spots.within(WINDOW) == ((slice(None),), spots)
    whole, inner = spots.within(Window(2, 1, 5, 4))
    assert whole == (slice(None),)
    assert inner.cells is not None
    assert inner.cells.tolist() == [0, 7, 19]
    assert Spots(WINDOW).within(Window(4, 2, 3, 3))[0] == (slice(1, 4), slice(2, 5))


@pytest.mark.parametrize("shift", [0.0, 4.0], ids=["on the grid", "off the grid"])
@pytest.mark.parametrize("masked", [True, False])
def test_chosen_cells_are_those_of_the_whole_window(
    tmp_path: Path, shift: float, masked: bool
) -> None:
    """Two tiles that overlap, bands of 10 and 20 m, nodata, clouds and snow."""
    rng = np.random.default_rng(8)
    scenes = []
    for number, east in enumerate((0.0, 60.0)):
        bands = {
            "B04": rng.integers(0, 4, (14, 10)) * 300,
            "B11": rng.integers(1, 9000, (6, 5)),  # two rows of 10 m short
            "SCL": rng.choice([4, 4, 4, 4, 5, 9, 11, 0], (14, 10)),
        }
        scenes.append(TinyScene(f"t{number}", bands, corner=(X + east + shift, Y - shift),
                                band_resolution={"B11": 20.0}))  # fmt: skip
    (day,) = group_by_solar_day(read_all(write_archive(tmp_path, scenes)))
    mask = (
        MaskSettings(kind="scl", asset="SCL", dilation_m=0) if masked else MaskSettings(kind="none")
    )
    with DayReader(day, tiny_grid(14, 18), ("B04", "B11"), mask) as reader:
        for window in (Window(0, 0, 18, 14), Window(3, 1, 11, 9), Window(12, 2, 6, 5)):
            cells = np.flatnonzero(rng.random(int(window.width * window.height)) < 0.4)
            chosen, whole = reader.look(window, cells), reader.look(window)
            np.testing.assert_array_equal(chosen.values, whole.values.reshape(2, -1)[:, cells])
            np.testing.assert_array_equal(chosen.snow, whole.snow.ravel()[cells])
            assert 0 < np.isnan(chosen.values[0]).sum() < cells.size
