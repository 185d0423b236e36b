"""Exit codes of every Fieldline command, stated once, and how a process leaves with one."""

from __future__ import annotations

import errno
import logging
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

OK = 0
DEFECT = 1
"""A stage stopped at a defect of Fieldline or of the machine; the log holds the traceback."""
USER_ERROR = 2
"""Input, configuration or usage that a person can put right; one sentence says how."""
FOUND = 3
"""The command ran and found what it looks for: refused rows, a broken chain, too many stops."""
INTERRUPTED = 130
"""Stopped by Ctrl-C; the next run goes on where this one was."""


_OF_A_PLACE = frozenset({
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EISDIR,
    errno.EEXIST, errno.ENAMETOOLONG,
})  # fmt: skip
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def told_of_place(error: OSError, given: Sequence[str]) -> str | None:
    """Return what a person can put right about a file or folder; None where it is a defect.

    Args:
        error: What the system said of it.
        given: Words of the command line: only a place that stands there was chosen by a person.
    """
    name = error.filename2 or error.filename
    if error.errno in _FULL:
        return f"there is no room for {name or 'a file'} ({error.strerror}): free some and repeat"
    if not name or error.errno not in _OF_A_PLACE:
        return None
    at = Path(os.fsdecode(name)).absolute()
    words = [word.partition("=")[2] if word.startswith("-") else word for word in given]
    chosen = [Path(word) for word in words if word]
    for place in chosen:
        if at in place.absolute().parents and error.errno in (errno.EEXIST, errno.ENOTDIR):
            file = next((p for p in (at, *at.parents) if p.is_file()), at)
            return f"{place} cannot be written, for {file.name} is no folder: name another place"
    for place in chosen:
        itself = at == place.absolute() or at in place.absolute().parents
        # What is written stands beside its place under a name of its own until it is whole.
        beside = at.parent == place.absolute().parent and at.name.startswith(f".{place.name}.")
        if itself or beside:
            return (
                f"{place} cannot be read or written ({error.strerror}): name another place, or "
                "give yourself the right to this one"
            )
    return None


def leave_after(run: Callable[[], object]) -> NoReturn:
    """Run the whole of a process and leave as it says: with the code of its `SystemExit`, or 0.

    Any other exception goes on to the interpreter, which tells of it.
    """
    code: int | str | None = OK
    try:
        run()
    except SystemExit as end:
        code = end.code
    if isinstance(code, str):
        print(code, file=sys.stderr)
    leave(code if isinstance(code, int) else OK if code is None else DEFECT)


def leave(code: int) -> NoReturn:
    """End the process now that all is written and said.

    The interpreter's own end tears down the thread pools of native libraries while their threads
    may still be waking up; on a busy machine that aborts now and then (apache/arrow#34314), and a
    stage that had finished would count as failed and lose what it made.

    Args:
        code: Exit code.
    """
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(BrokenPipeError):  # whoever read it has left
            stream.flush()
    os._exit(code)
