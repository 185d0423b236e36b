"""Typed artifacts: refused rows are named, killed writes leave nothing, bytes repeat."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fieldline.pipeline.records.errors import SchemaError, UserError
from fieldline.pipeline.records.tables import (
    BatchWriter,
    Column,
    TableSchema,
    atomic_path,
    iter_batches,
    read_table,
    write_rows,
    write_table,
)

AREAS = TableSchema(
    "areas",
    (
        Column("parcel_id", pa.string(), "Parcel"),
        Column("share", pa.float64(), "Share", "1", nullable=True, minimum=0, maximum=1),
    ),
    key=("parcel_id",),
)


def frame(*rows: tuple[str | None, float | None]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["parcel_id", "share"])


def test_rows_come_back_sorted_with_units(tmp_path: Path) -> None:
    path = tmp_path / "areas.parquet"
    write_table(frame(("b", 0.5), ("a", None)), AREAS, path)
    assert list(read_table(path)["parcel_id"]) == ["a", "b"]
    assert pq.read_schema(path).field("share").metadata[b"unit"] == b"1"


def test_row_order_does_not_change_the_bytes(tmp_path: Path) -> None:
    write_table(frame(("b", 0.5), ("a", 0.1)), AREAS, tmp_path / "one")
    write_table(frame(("a", 0.1), ("b", 0.5)), AREAS, tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([("a", 1.5)], "leave the allowed 0..1"),
        ([("a", 0.5), ("a", 0.6)], "stands twice"),
        ([(None, 0.5)], "had 1 null values"),
    ],
)
def test_a_broken_row_is_refused_and_nothing_is_written(
    rows: list[tuple[str | None, float | None]], words: str, tmp_path: Path
) -> None:
    with pytest.raises(SchemaError, match=words):
        write_table(frame(*rows), AREAS, tmp_path / "areas.parquet")
    assert list(tmp_path.iterdir()) == []


def test_unknown_and_missing_columns_are_named() -> None:
    with pytest.raises(SchemaError, match=r"missing columns \['share'\], unknown columns \['x'\]"):
        AREAS.conform(pd.DataFrame({"parcel_id": ["a"], "x": [1]}))


def test_a_failed_write_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    path.write_text("old")

    def fail() -> None:
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["kept"]


def test_batches_are_row_groups(tmp_path: Path) -> None:
    path = tmp_path / "areas.parquet"
    with BatchWriter(AREAS, path) as writer:
        writer.write(frame(("a", 0.1), ("b", 0.2)))
        writer.write(frame(("c", 0.3)))
    assert [list(batch["parcel_id"]) for batch in iter_batches(path)] == [["a", "b"], ["c"]]


@pytest.mark.parametrize("second", ["b", "a"], ids=["the same key again", "a smaller key"])
def test_a_batch_that_does_not_begin_after_the_last_is_refused(tmp_path: Path, second: str) -> None:
    def fail() -> None:
        with BatchWriter(AREAS, tmp_path / "areas.parquet") as writer:
            writer.write(frame(("b", 0.1), ("a", 0.2)))
            writer.write(frame())
            writer.write(frame(("c", 0.3), (second, 0.4)))

    with pytest.raises(SchemaError, match=f"'{second}'.* the one before ends with .*'b'"):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_failing_batch_leaves_no_file(tmp_path: Path) -> None:
    def fail() -> None:
        with BatchWriter(AREAS, tmp_path / "areas.parquet") as writer:
            writer.write(frame(("a", 0.1)))
            writer.write(frame(("b", 7.0)))

    with pytest.raises(SchemaError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_missing_artifact_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="run the stage that writes it first"):
        read_table(tmp_path / "none.parquet")


def test_an_unreadable_artifact_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_text("not parquet")
    with pytest.raises(UserError, match="delete it and rerun"):
        read_table(tmp_path / "x.parquet")


LETTERS = TableSchema(
    "letters",
    (
        Column("name", pa.string(), "Key"),
        Column("mark", pa.string(), "Short and never twice: its dictionary overflows"),
        Column("kind", pa.string(), "One of few"),
        Column("amount", pa.int64(), "Amount", nullable=True),
        Column("codes", pa.list_(pa.string()), "Some, or none"),
        Column("text", pa.string(), "Long"),
    ),
    key=("name",),
)


def letter(number: int) -> dict[str, object]:
    return {
        "name": f"{number:08d}", "mark": hashlib.sha256(f"{number}".encode()).hexdigest() * 3,
        "kind": "ab"[number % 2], "amount": None if number % 7 == 0 else number,
        "codes": [f"{number} {n} " * 40 for n in range(number % 4)],
        "text": f"{number * 7919:d}" * 200,
    }  # fmt: skip


@pytest.mark.parametrize("count", [0, 3, 4096, 9001])
def test_rows_that_come_one_by_one_make_the_file_of_the_whole_table(
    tmp_path: Path, count: int
) -> None:
    one_by_one, whole = tmp_path / "rows.parquet", tmp_path / "table.parquet"
    write_rows((letter(number) for number in range(count)), LETTERS, one_by_one)
    table = pd.DataFrame([letter(number) for number in range(count)], columns=LETTERS.names)
    write_table(table, LETTERS, whole)
    assert one_by_one.read_bytes() == whole.read_bytes()


def test_rows_out_of_order_are_refused_and_leave_no_file(tmp_path: Path) -> None:
    rows = [*range(4096), 4095]
    with pytest.raises(SchemaError, match=r"a batch begins with key \{'name': '00004095'\}"):
        write_rows(map(letter, rows), LETTERS, tmp_path / "rows.parquet")
    assert list(tmp_path.iterdir()) == []
