"""Ways in which a file of a lender arrives broken: each takes its bytes and a random generator."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Callable

Mutation = Callable[[bytes, random.Random], bytes]

ODD_CELLS = (
    "", " ", "-", "nan", "NaN", "inf", "-inf", "1e308", "-1e308", "9" * 40, "1e18", "-1", "0",
    "1.234", "12,5", "12.000,00", "３．９", "三", "null", "#N/A", "#REF!", "=1+1", "1.23457E+17",
    "2999-12-31",
    "1899-12-30", "2024-02-30", "0000-00-00", "45403", "31/12/2023", "true",
    "maybe",
    "\u200b", "é", "玉米", "x" * 5000, "a;b", "a,b", 'a"b', "a\nb", "\ttab", "\x00", "'",
    "\\", "{}",
)  # fmt: skip


def rows_of(data: bytes) -> list[list[str]]:
    """Return the cells of a clean CSV in UTF-8."""
    return list(csv.reader(io.StringIO(data.decode("utf-8"), newline="")))


def written(rows: list[list[str]], end: str = "\n") -> bytes:
    """Return rows as CSV in UTF-8."""
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator=end).writerows(rows)
    return out.getvalue().encode("utf-8", "surrogatepass")


def truncated(data: bytes, rng: random.Random) -> bytes:
    """Cut the file anywhere."""
    return data[: rng.randrange(len(data))]


def random_bytes(data: bytes, rng: random.Random) -> bytes:
    """Overwrite some bytes with any others."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 3, 30))):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def other_encoding(data: bytes, rng: random.Random) -> bytes:
    """Save the file, with a note in hanzi, in another encoding."""
    rows = rows_of(data)
    place = rng.randrange(1, len(rows))
    rows[place] = [cell if cell else "东村" for cell in rows[place]]
    encoding = rng.choice(
        ("gb18030", "utf-16", "utf-16-le", "utf-8-sig", "utf-32", "big5", "cp437")
    )
    return written(rows).decode("utf-8").encode(encoding, "replace")


def shuffled_header(data: bytes, rng: random.Random) -> bytes:
    """Put the names over other columns."""
    head, *body = rows_of(data)
    rng.shuffle(head)
    return written([head, *body])


def column_missing(data: bytes, rng: random.Random) -> bytes:
    """Leave out a column."""
    rows = rows_of(data)
    place = rng.randrange(len(rows[0]))
    return written([[c for i, c in enumerate(row) if i != place] for row in rows])


def column_blank(data: bytes, rng: random.Random) -> bytes:
    """Empty a column."""
    head, *body = rows_of(data)
    place = rng.randrange(len(head))
    return written([head, *([*row[:place], "", *row[place + 1 :]] for row in body)])


def column_odd(data: bytes, rng: random.Random) -> bytes:
    """Write the same odd cell all down a column."""
    head, *body = rows_of(data)
    place, odd = rng.randrange(len(head)), rng.choice(ODD_CELLS)
    return written([head, *([*row[:place], odd, *row[place + 1 :]] for row in body)])


def cells_odd(data: bytes, rng: random.Random) -> bytes:
    """Write odd cells here and there."""
    rows = rows_of(data)
    for _ in range(rng.choice((1, 5, 40))):
        row = rows[rng.randrange(1, len(rows))]
        row[rng.randrange(len(row))] = rng.choice(ODD_CELLS)
    return written(rows)


def rows_doubled(data: bytes, rng: random.Random) -> bytes:
    """Append some rows again, some of them with another number in one cell."""
    rows = rows_of(data)
    again = [list(row) for row in rng.choices(rows[1:], k=min(20, len(rows)))]
    for row in again[::2]:
        row[rng.randrange(len(row))] = "7"
    return written([*rows, *again])


def rows_ragged(data: bytes, rng: random.Random) -> bytes:
    """Shorten some rows and lengthen others."""
    rows = rows_of(data)
    for place in rng.sample(range(1, len(rows)), k=min(10, len(rows) - 1)):
        rows[place] = rows[place][:-1] if place % 2 else [*rows[place], "more", "cells"]
    return written(rows)


def windows_line_ends(data: bytes, rng: random.Random) -> bytes:
    """End lines as Windows or an old Mac does."""
    return written(rows_of(data), rng.choice(("\r\n", "\r")))


def semicolons(data: bytes, rng: random.Random) -> bytes:
    """Separate by semicolons and write decimal commas."""
    rows = [[cell.replace(".", ",") if cell[:1].isdigit() else cell for cell in row]
            for row in rows_of(data)]  # fmt: skip
    mark = rng.choice((";", "\t"))
    return "\n".join(mark.join(row) for row in rows).encode()


def header_only(data: bytes, rng: random.Random) -> bytes:
    """Leave no row, or nothing at all."""
    return rng.choice((data.split(b"\n")[0], data.split(b"\n")[0] + b"\n", b"", b"\n\n"))


def open_quote(data: bytes, rng: random.Random) -> bytes:
    """Put a lone quote somewhere."""
    place = rng.randrange(len(data))
    return data[:place] + b'"' + data[place:]


def years_ahead(data: bytes, rng: random.Random) -> bytes:
    """Move dates by decades."""
    return data.replace(b"202", rng.choice((b"209", b"203", b"192", b"002")))


TABLE_MUTATIONS: tuple[Mutation, ...] = (
    truncated, random_bytes, other_encoding, shuffled_header, column_missing, column_blank,
    column_odd, cells_odd, rows_doubled, rows_ragged, windows_line_ends, semicolons, header_only,
    open_quote, years_ahead,
)  # fmt: skip
BYTE_MUTATIONS: tuple[Mutation, ...] = (truncated, random_bytes)


def json_odd(data: bytes, rng: random.Random) -> bytes:
    """Replace a number or a text of a JSON document by something else."""
    text = data.decode("utf-8")
    places = [i for i, c in enumerate(text) if c.isdigit()]
    odd = rng.choice(("null", '"x"', "1e999", "[]", "{}", "-", "NaN", "", "1e18", "true"))
    place = rng.choice(places)
    return (text[:place] + odd + text[place + 1 :]).encode()
