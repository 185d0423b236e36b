"""Typed artifacts: one declared schema per Parquet file, checked before a byte is written.

A `TableSchema` is a list of `Column`s that become an Arrow schema with units and descriptions in
the file itself. `write_table` checks types, nulls, ranges and key uniqueness, sorts by the key and
renames into place, so that equal inputs give equal bytes and a killed run leaves no half file.
`BatchWriter` and `iter_batches` do the same for tables larger than memory, a row group at a time.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fieldline.pipeline.records.errors import SchemaError, UserError

_COMPRESSION = "zstd"


@dataclass(frozen=True)
class Column:
    """One column of an artifact.

    Args:
        name: Column name as other rooms use it.
        type: Arrow type stored in the file.
        description: One sentence on what the value means.
        unit: Unit in UCUM-like notation, `None` for unitless values.
        nullable: Whether a missing value is allowed ("missing is missing").
        minimum: Smallest allowed value, inclusive.
        maximum: Largest allowed value, inclusive.
    """

    name: str
    type: pa.DataType
    description: str
    unit: str | None = None
    nullable: bool = False
    minimum: float | None = None
    maximum: float | None = None

    def field(self) -> pa.Field:
        """Return the Arrow field with description and unit as metadata."""
        metadata = {"description": self.description}
        if self.unit is not None:
            metadata["unit"] = self.unit
        return pa.field(self.name, self.type, nullable=self.nullable, metadata=metadata)


@dataclass(frozen=True)
class TableSchema:
    """The declared shape of one artifact.

    Args:
        name: Artifact name without extension, such as `observations`.
        columns: Columns in file order.
        key: Columns that identify a row and give the sort order.
        notes: What else the file says of itself, by name.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    notes: Mapping[str, str] = field(default_factory=dict, hash=False)

    def with_columns(self, extra: Sequence[Column]) -> TableSchema:
        """Return this schema with run-dependent columns (bands, classes) appended."""
        return replace(self, columns=(*self.columns, *extra))

    def with_notes(self, notes: Mapping[str, str]) -> TableSchema:
        """Return this schema with notes for the file's own metadata."""
        return replace(self, notes={**self.notes, **notes})

    @property
    def names(self) -> list[str]:
        """Column names in file order."""
        return [column.name for column in self.columns]

    @property
    def text_columns(self) -> list[str]:
        """Names of the text columns: the only ones that a dictionary makes smaller."""
        return [c.name for c in self.columns if c.type == pa.string()]

    def arrow(self) -> pa.Schema:
        """Return the Arrow schema with units and descriptions in its metadata."""
        metadata = {"fieldline": self.name, **self.notes}
        return pa.schema([c.field() for c in self.columns], metadata=metadata)

    def conform(self, frame: pd.DataFrame) -> pa.Table:
        """Cast a frame to this schema, sorted by key, or say which row breaks which rule.

        Raises:
            SchemaError: Missing or unknown column, wrong type, null, range or duplicate key.
        """
        missing = [n for n in self.names if n not in frame.columns]
        unknown = [n for n in frame.columns if n not in self.names]
        if missing or unknown:
            raise SchemaError(f"{self.name}: missing columns {missing}, unknown columns {unknown}")
        ordered = frame[self.names].sort_values(list(self.key), kind="stable")
        try:
            table = pa.Table.from_pandas(
                ordered, schema=self.arrow(), preserve_index=False, safe=True
            )
        except (ValueError, pa.ArrowTypeError) as error:
            raise SchemaError(f"{self.name}: {error}") from error
        table = table.replace_schema_metadata(self.arrow().metadata)
        self._check_values(table)
        if ordered.duplicated(list(self.key)).any():
            row = ordered[ordered.duplicated(list(self.key))].iloc[0][list(self.key)].to_dict()
            raise SchemaError(f"{self.name}: key {row} stands twice")
        return table

    def _check_values(self, table: pa.Table) -> None:
        for column in self.columns:
            values = table[column.name]
            for bound, worse in ((column.minimum, pc.less), (column.maximum, pc.greater)):
                if bound is not None and pc.any(worse(values, bound)).as_py():
                    found = pc.min_max(values).as_py()
                    raise SchemaError(
                        f"{self.name}.{column.name}: values {found['min']}..{found['max']} leave "
                        f"the allowed {column.minimum}..{column.maximum} {column.unit or ''}"
                    )


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary sibling of `path` that replaces it only when the block succeeds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text (JSON, CSV, HTML) through a temporary name."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_table(frame: pd.DataFrame, schema: TableSchema, path: Path) -> None:
    """Check `frame` against `schema` and write it sorted by key, atomically.

    Raises:
        SchemaError: The frame breaks the schema; nothing is written.
    """
    table = schema.conform(frame)
    with atomic_path(path) as temporary:
        pq.write_table(
            table, temporary, compression=_COMPRESSION, use_dictionary=schema.text_columns
        )


_AT_ONCE = 4 * 1024
"""Rows that `write_rows` holds as Python objects: whole batches of Parquet's writer."""
_LONG_TEXT = 1024
"""Bytes a row from which on a batch of a column fills its dictionary and a page: such a column has
the same bytes in parts of whole batches, any other one in one piece alone."""


def write_rows(rows: Iterable[Mapping[str, Any]], schema: TableSchema, path: Path) -> None:
    """Write rows that come in the order of their key: the bytes that `write_table` gives of them.

    What has come is held as Arrow holds it, for rows of long texts a fraction of their objects.

    Raises:
        SchemaError: The rows break the schema or are out of order; nothing is written.
    """
    tables: list[pa.Table] = []
    coming, last = iter(rows), None
    while not tables or tables[-1].num_rows == _AT_ONCE:
        frame = pd.DataFrame(list(islice(coming, _AT_ONCE)), columns=schema.names)
        tables.append(schema.conform(frame))
        last = _ascending(tables[-1], schema, last)
    table = pa.concat_tables(tables)
    del tables
    for at, name in enumerate(table.column_names):
        if table[name].nbytes < _LONG_TEXT * table.num_rows:
            whole = pa.chunked_array([table[name].combine_chunks()])
            table = table.set_column(at, table.field(at), whole)
    with atomic_path(path) as temporary:
        pq.write_table(
            table, temporary, compression=_COMPRESSION, use_dictionary=schema.text_columns
        )


def merge_tables(parts: Sequence[Path], schema: TableSchema, path: Path) -> pa.Table:
    """Write the rows of tables of one schema as one, sorted by key; return it.

    They were checked when they were written, so they stay Arrow's: as frames they would take twice
    as much again.

    Raises:
        SchemaError: Two rows have the same key; nothing is written.
        UserError: A part is absent or is not Parquet.
    """
    tables = []
    for part in parts:
        with _readable(part):
            tables.append(pq.read_table(part, columns=schema.names))
    table = pa.concat_tables(tables).cast(schema.arrow())
    table = table.sort_by([(name, "ascending") for name in schema.key]).combine_chunks()
    count = table.num_rows
    if count > 1:
        keys = [table[name] for name in schema.key]
        same = [pc.equal(key.slice(1), key.slice(0, count - 1)) for key in keys]
        at = pc.index(reduce(pc.and_, same), value=True).as_py()
        if at >= 0:
            row = {name: key[at].as_py() for name, key in zip(schema.key, keys, strict=True)}
            raise SchemaError(f"{schema.name}: key {row} stands twice")
    with atomic_path(path) as temporary:
        pq.write_table(
            table, temporary, compression=_COMPRESSION, use_dictionary=schema.text_columns
        )
    return table


def read_table(path: Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Read an artifact as a frame; list columns come back as Python lists or arrays.

    Raises:
        UserError: The file is absent or is not Parquet.
    """
    with _readable(path):
        table = pq.read_table(path, columns=list(columns) if columns else None)
        return pd.DataFrame(table.to_pandas())


def read_rows(path: Path, column: str, value: str) -> pa.Table:
    """Read the rows of an artifact that hold `value` in `column`.

    Row groups that cannot hold it are skipped by their statistics, so that one parcel of a table
    sorted by parcel costs one row group.

    Raises:
        UserError: The file is absent or is not Parquet.
    """
    with _readable(path):
        return pq.read_table(path, filters=[(column, "=", value)])


def read_between(path: Path, columns: Sequence[str], key: str, low: str, high: str) -> pd.DataFrame:
    """Read the rows of an artifact whose `key` lies between two values, both included.

    Row groups that cannot hold such rows are skipped by their statistics: a table sorted by that
    key is read beside another one, batch by batch, without being held.

    Raises:
        UserError: The file is absent or is not Parquet.
    """
    with _readable(path):
        wanted = [(key, ">=", low), (key, "<=", high)]
        table = pq.read_table(path, columns=list(columns), filters=wanted)
        return pd.DataFrame(table.to_pandas())


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist", "run the stage that writes it first") from error
    except pa.ArrowInvalid as error:
        raise UserError(f"{path} cannot be read as Parquet", "delete it and rerun") from error


_Key = dict[str, Any]


def _comparable(key: _Key) -> list[tuple[bool, Any]]:
    """Return a key as it sorts, missing values last."""
    return [(value is None, value) for value in key.values()]


def _ascending(table: pa.Table, schema: TableSchema, before: _Key | None) -> _Key | None:
    """Return the last key of a batch, which must begin after the last of the one before it.

    Raises:
        SchemaError: It does not.
    """
    if not table.num_rows:
        return before
    first, last = (
        {name: table[name][row].as_py() for name in schema.key} for row in (0, table.num_rows - 1)
    )
    if before is not None and _comparable(first) <= _comparable(before):
        raise SchemaError(
            f"{schema.name}: a batch begins with key {first} and the one before "
            f"ends with {before}; keys ascend from batch to batch"
        )
    return last


class BatchWriter:
    """Writes a table row group by row group; each `write` must hold whole, ascending keys."""

    def __init__(self, schema: TableSchema, path: Path) -> None:
        self._schema = schema
        self._last: _Key | None = None
        self._context = atomic_path(path)
        self._temporary = self._context.__enter__()
        self._writer = pq.ParquetWriter(
            self._temporary,
            schema.arrow(),
            compression=_COMPRESSION,
            use_dictionary=schema.text_columns,
        )

    def write(self, frame: pd.DataFrame) -> None:
        """Append one checked row group.

        Raises:
            SchemaError: The batch breaks the schema or does not begin after the one before it.
        """
        table = self._schema.conform(frame)
        self._last = _ascending(table, self._schema, self._last)
        self._writer.write_table(table, row_group_size=max(1, table.num_rows))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.close()
        self._context.__exit__(kind, error, trace)


def row_groups(path: Path) -> int:
    """Return the number of row groups of a table."""
    return int(pq.read_metadata(path).num_row_groups)


def iter_batches(
    path: Path, columns: Sequence[str] | None = None, groups: Sequence[int] | None = None
) -> Iterator[pd.DataFrame]:
    """Yield the row groups of a table in file order, all or some by number.

    `observations.parquet` holds whole parcels in each row group, so a stage that works parcel by
    parcel needs one group in memory at a time, whatever the number of parcels and dates.
    """
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups) if groups is None else groups:
            yield file.read_row_group(group, columns=list(columns) if columns else None).to_pandas()
