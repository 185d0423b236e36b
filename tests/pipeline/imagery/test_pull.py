from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio

from fieldline.pipeline.records.tables import read_table
from tests.pipeline.imagery.pulling import choose, files_of, observe, scenes_of, told
from tests.pipeline.imagery.tiny_archive import write_archive
from tests.services.stac_api import Fault, StacApi, serving


@pytest.fixture
def api(tmp_path: Path) -> Iterator[StacApi]:
    write_archive(tmp_path / "archive", scenes_of())
    with serving(StacApi(tmp_path / "archive")) as service:
        yield service


def test_an_archive_and_an_api_before_it_give_equal_observations(
    tmp_path: Path, api: StacApi
) -> None:
    choose(tmp_path / "disk", None, tmp_path / "archive" / "catalog.json")
    choose(tmp_path / "api", api.root)
    first = read_table(observe(tmp_path / "disk") / "observations.parquet")
    second = read_table(observe(tmp_path / "api") / "observations.parquet")
    assert len(first) == 6
    assert first.equals(second)
    assert told(tmp_path / "disk/results/chosen.parquet") == told(
        tmp_path / "api/results/chosen.parquet"
    )


def test_the_pulled_window_holds_the_county_and_no_pixel_is_changed(
    tmp_path: Path, api: StacApi
) -> None:
    results = choose(tmp_path, api.root)
    with (
        rasterio.open(results / "scenes/S2_1/B04.tif") as copy,
        rasterio.open(tmp_path / "archive/files/S2_1_B04.tif") as whole,
    ):
        assert (copy.crs, copy.nodata, copy.dtypes) == (whole.crs, whole.nodata, whole.dtypes)
        assert copy.transform == whole.transform  # the county lies in the upper left corner
        assert 34 <= copy.height < 60
        assert np.array_equal(copy.read(1), whole.read(1)[: copy.height, : copy.width])


def test_a_rerun_fetches_no_byte_that_is_verified(tmp_path: Path, api: StacApi) -> None:
    results = choose(tmp_path, api.root)
    before = files_of(results)
    assert api.sent > 0
    api.reset()
    choose(tmp_path, api.root)
    assert (api.sent, api.asked(r"\.tif")) == (0, 0)
    assert files_of(results) == before


LOST = "scene_provider_error"
FAULTS = [
    ("429", {"times": 2, "each": True}, "ok", ""),
    ("429", {"times": 1, "retry_after": "1"}, "ok", ""),
    ("429", {}, LOST, "asset=B02 reason=http_429 attempts=4"),
    ("429", {"retry_after": "3600"}, LOST, "asset=B02 reason=http_429 attempts=1"),
    ("500", {"times": 3, "each": True}, "ok", ""),
    ("500", {}, LOST, "asset=B02 reason=http_500 attempts=4"),
    ("502", {"times": 2, "each": True}, "ok", ""),
    ("503", {"times": 3, "each": True}, "ok", ""),
    ("404", {}, LOST, "asset=B02 reason=http_404 attempts=1"),
    ("403", {}, LOST, "asset=B02 reason=http_403 attempts=1"),
    ("truncated", {"times": 2, "each": True}, "ok", ""),
    ("truncated", {}, LOST, "asset=B02 reason=truncated_answer attempts=4"),
    ("html", {"times": 1, "each": True}, "ok", ""),
    ("html", {}, LOST, "asset=B02 reason=html_answer attempts=4"),
    ("dropped", {"times": 2, "each": True}, "ok", ""),
    ("dropped", {}, LOST, "asset=B02 reason=connection_lost attempts=4"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "how", "code", "words"), FAULTS)
def test_a_fault_costs_attempts_and_at_worst_its_own_scene(
    tmp_path: Path, api: StacApi, kind: str, how: dict[str, object], code: str, words: str
) -> None:
    api.faults = [Fault(kind, path=r"S2_1_B02\.tif$", **how)]  # type: ignore[arg-type]
    results = choose(tmp_path, api.root)
    said = told(results / "chosen.parquet")
    assert {said["S2_0"][0], said["S2_2"][0]} == {"ok"}
    assert said["S2_1"][0] == code
    if code != "ok":
        assert said["S2_1"][1] == words
        assert api.asked(r"S2_1_B02\.tif") == int(words[-1])
    observe(tmp_path)
    rows = read_table(results / "observations.parquet")
    seen = {"S2_0", "S2_2"} | ({"S2_1"} if code == "ok" else set())
    assert set(rows["scene_id"]) == seen
    assert rows["B02_mean"].notna().all()
    lost = told(results / "observed.parquet")
    assert lost["a"][0] == "ok"
    assert ("lost_dates=1" in lost["a"][1]) == (code != "ok")
    # and a well service mends it, without a byte of what is there
    api.reset()
    choose(tmp_path, api.root)
    assert told(results / "chosen.parquet")["S2_1"][0] == "ok"
    assert api.asked(r"S2_[02]_.*\.tif") == 0
    undisturbed = choose(tmp_path / "other", api.root)
    assert files_of(undisturbed) == {
        name: data for name, data in files_of(results).items() if not name.startswith("observ")
    }
