from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldline.pipeline.imagery.range_store import RangeStore
from tests.workflows.conftest import ROOT

WHOLE = np.random.default_rng(0).bytes(1000)


@settings(max_examples=80)
@given(st.lists(st.tuples(st.integers(0, 990), st.integers(1, 200)), max_size=12), st.data())
def test_what_was_put_is_there_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, puts: list[tuple[int, int]], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("store") / "a.parts"
    held = np.zeros(1000, dtype=bool)
    store = RangeStore(path)
    store.identify("v1", 1000)
    for start, size in puts:
        store.put(start, WHOLE[start : start + size])
        held[start : min(start + size, 1000)] = True
        if data.draw(st.booleans()):  # as a later run finds it
            store.close()
            store = RangeStore(path)
            assert (store.tag, store.size) == ("v1", 1000)
    assert store.bytes_held == held.sum()
    gaps = np.flatnonzero(np.diff(np.pad(~held, 1).astype(int)))
    assert store.missing(0, 1000) == [*zip(gaps[::2], gaps[1::2], strict=True)]
    start, end = sorted(data.draw(st.tuples(st.integers(0, 1000), st.integers(0, 1000))))
    if held[start:end].all() and end > start:
        assert store.get(start, end) == WHOLE[start:end]
    elif end > start:
        with pytest.raises(KeyError):
            store.get(start, end)
    store.close()


def filled(path: Path) -> int:
    with RangeStore(path) as store:
        store.identify("v1", 1000)
        store.put(0, WHOLE[:100])
        store.put(300, WHOLE[300:400])
    return path.stat().st_size


def test_a_record_that_a_killed_run_did_not_finish_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "a.parts"
    whole = filled(path)
    for lost in range(1, 116):  # its 100 bytes and its head of 16
        filled(path)
        path.write_bytes(path.read_bytes()[:-lost])
        with RangeStore(path) as store:
            assert store.missing(0, 400) == [(100, 400)]
            store.put(300, WHOLE[300:400])
        assert path.stat().st_size == whole


def test_a_byte_that_changed_on_disk_is_asked_for_again(tmp_path: Path) -> None:
    path = tmp_path / "a.parts"
    whole = filled(path)
    data = bytearray(path.read_bytes())
    data[whole - 50] ^= 1
    path.write_bytes(data)
    with RangeStore(path) as store:
        assert store.missing(0, 400) == [(100, 400)]


def test_ranges_of_another_version_are_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "a.parts"
    filled(path)
    with RangeStore(path) as store:
        store.identify("v2", 1000)
        assert store.bytes_held == 0


def test_ranges_without_a_version_are_not_read_on_by_a_later_run(tmp_path: Path) -> None:
    path = tmp_path / "a.parts"
    with RangeStore(path) as store:
        store.identify("", 1000)
        store.put(0, WHOLE[:100])
        assert store.get(0, 100) == WHOLE[:100]
    with RangeStore(path) as store:
        assert store.size is None
    assert not path.exists()


def test_a_file_of_parts_is_one_process_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "a.parts"
    other = (
        "import sys; from pathlib import Path\n"
        "from fieldline.pipeline.imagery.range_store import RangeStore\n"
        "RangeStore(Path(sys.argv[1])).put(300, b'other')\n"
    )
    command = [sys.executable, "-c", other, str(path)]
    with RangeStore(path) as store:
        store.identify("v1", 1000)
        store.put(0, WHOLE[:100])
        before = path.read_bytes()
        refused = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
        assert f"UserError: another run is fetching into {tmp_path}: wait until" in refused.stderr
        assert path.read_bytes() == before
    assert subprocess.run(command, check=False, cwd=ROOT).returncode == 0
    with RangeStore(path) as store:
        assert store.missing(0, 305) == [(100, 300)]


def test_ranges_that_were_cut_short_behind_us_are_no_data(tmp_path: Path) -> None:
    path = tmp_path / "a.parts"
    filled(path)
    with RangeStore(path) as store:
        path.write_bytes(path.read_bytes()[:-30])
        assert store.get(0, 100) == WHOLE[:100]
        with pytest.raises(OSError, match="ranges were cut short"):
            store.get(300, 400)


def test_nothing_is_left_where_nothing_came(tmp_path: Path) -> None:
    with RangeStore(tmp_path / "a.parts") as store:
        assert store.size is None
    assert not (tmp_path / "a.parts").exists()
