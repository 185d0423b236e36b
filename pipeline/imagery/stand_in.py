"""A local file that stands in for a remote one where GDAL has to read it.

Owns that file while it is there. The one idea: GDAL is given a plain file in which some ranges of
the remote one lie where they belong, and nothing between them takes room. It never reads through
Python: GDAL's table of file systems is not safe to change while other threads read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from fieldline.pipeline.imagery.remote_file import RemoteFile

_AT_A_TIME = 2**23  # bytes; bounds what a thread holds
Range = tuple[int, int]
"""First byte, and the one after the last."""


@contextmanager
def stand_in(remote: RemoteFile, ranges: Iterable[Range]) -> Iterator[Path]:
    """Return the path of a file as long as the remote one, with some of its bytes.

    Args:
        remote: The file; what it does not hold yet is fetched.
        ranges: What is needed of it; all else reads as zeros.

    Raises:
        WebError: Bytes do not come.
        BudgetError: They would exceed the budget.
        OSError: The file cannot be written.
    """
    path = remote.beside(".tif.stand-in.tmp")
    try:
        with path.open("wb") as file:
            file.truncate(remote.size)
            for start, end in ranges:
                for place in range(start, min(end, remote.size), _AT_A_TIME):
                    file.seek(place)
                    file.write(remote.read(place, min(_AT_A_TIME, end - place)))
        yield path
    finally:
        path.unlink(missing_ok=True)
