"""The frame around a rule script: its log file, and one sentence when the user must act."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from fieldline.pipeline.records.errors import UserError

USER_ERROR = "user error: "
"""Marks the line of a stage's log that a person must act on."""


@contextmanager
def job(log: str) -> Iterator[None]:
    """Send log messages to `log`; end with the sentence and exit code 2 on a user error."""
    logging.basicConfig(
        filename=log, filemode="w", level=logging.INFO, format="%(levelname)s %(name)s %(message)s"
    )
    logging.captureWarnings(capture=True)
    try:
        yield
    except UserError as error:
        logging.error("%s%s", USER_ERROR, error)
        sys.exit(f"fieldline: {error}")
    except BaseException as error:
        logging.exception("%s: %s", type(error).__name__, error)
        raise


def optional(paths: Sequence[str]) -> Path | None:
    """Return the path of an input that a county may lack."""
    if isinstance(paths, str):
        return Path(paths)
    return Path(paths[0]) if paths else None


def listed(paths: Sequence[str]) -> list[Path]:
    """Return all paths of an input that holds one file per season."""
    return [Path(paths)] if isinstance(paths, str) else [Path(path) for path in paths]
