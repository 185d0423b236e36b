"""Exit codes of every Fieldline command, stated once."""

from __future__ import annotations

OK = 0
DEFECT = 1
"""A stage stopped at a defect of Fieldline or of the machine; the log holds the traceback."""
USER_ERROR = 2
"""Input, configuration or usage that a person can put right; one sentence says how."""
FOUND = 3
"""The command ran and found what it looks for: refused rows, a broken chain, too many stops."""
INTERRUPTED = 130
"""Stopped by Ctrl-C; the next run goes on where this one was."""
