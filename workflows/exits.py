"""Exit codes of every Fieldline command, stated once, and how a process leaves with one."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from contextlib import suppress
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
