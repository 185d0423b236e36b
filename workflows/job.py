"""The frame around a rule script: its log file, its typed arguments, one sentence for the user.

A rule hands over paths and plain values by name; the stage function's own type hints say what they
become: a path, an optional path, a list of paths, a date or a settings section.
"""

from __future__ import annotations

import datetime as dt
import inspect
import logging
import os
import sys
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel

from fieldline.pipeline.records.errors import UserError
from fieldline.workflows.exits import USER_ERROR
from fieldline.workflows.taken import write_taken

if TYPE_CHECKING:
    from fieldline.pipeline.parcels.blocks import Block

SENTENCE = "user error: "
"""Marks the line of a stage's log that a person must act on."""
STORE_VARIABLE = "FIELDLINE_STORE_URL"
"""Environment variable by which the Snakefile hands the store's URL to its own jobs."""
VAULT_VARIABLE = "FIELDLINE_VAULT_ADDRESS"
"""The same for the vault's address."""
CONFIRM_VARIABLE = "FIELDLINE_CONFIRM"
"""Environment variable by which `fieldline run --confirm` says so to the jobs: no part of what an
artifact is made from."""


@contextmanager
def job(log: str, taken: str) -> Iterator[None]:
    """Send log messages to `log`; end with the sentence and exit code 2 on a user error.

    Args:
        log: File of messages.
        taken: File of what the job took of the machine; there is none of a job that fails.
    """
    Path(taken).unlink(missing_ok=True)
    logging.basicConfig(
        filename=log, filemode="w", level=logging.INFO, format="%(levelname)s %(name)s %(message)s"
    )
    logging.captureWarnings(capture=True)
    try:
        yield
        write_taken(Path(taken))
    except UserError as error:
        logging.error("%s%s", SENTENCE, error)
        print(f"fieldline: {error}", file=sys.stderr)
        sys.exit(USER_ERROR)
    except BaseException as error:
        logging.exception("%s: %s", type(error).__name__, error)
        raise


@contextmanager
def sentence_or_exit() -> Iterator[None]:
    """End the process with one sentence and exit code 2 on a user error, while rules are read.

    Snakemake answers any exception of a Snakefile, `SystemExit` too, with its place in the file and
    exit code 1. Nothing runs yet and nothing is locked, so the process may end here.
    """
    try:
        yield
    except UserError as error:
        print(f"fieldline: {error}", file=sys.stderr, flush=True)
        sys.stdout.flush()
        os._exit(USER_ERROR)


def keep_to_threads(threads: int) -> None:
    """Hold numerical libraries, which are imported after this, to the threads that a rule claims.

    It also makes their sums independent of the machine's number of cores.
    """
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(threads)


def arguments(run: str, *given: Mapping[str, Any]) -> tuple[Callable[..., object], dict[str, Any]]:
    """Return a stage function and its arguments, typed by its own hints.

    Args:
        run: `module:function`.
        given: Inputs, outputs and parameters of the rule, by name; what the function does not take
            (`made_by`) is for Snakemake's eyes alone.

    Raises:
        TypeError: The function has a parameter that nothing gives.
    """
    module, _, name = run.partition(":")
    function = getattr(import_module(module), name)
    values = {key: value for part in given for key, value in part.items()}
    hints = get_type_hints(function)
    names = inspect.signature(function).parameters
    return function, {key: _typed(values[key], hints[key]) for key in names if key in values}


def in_block(wildcards: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Block]:
    """Return the block that a job works on, by parameter; none for a job of a whole county."""
    number = wildcards.get("block")
    if number is None:
        return {}
    from fieldline.pipeline.parcels.blocks import Block

    return {"block": Block(int(number), int(params["blocks"]))}


def _typed(value: Any, hint: Any) -> Any:
    if get_origin(hint) in (Union, types.UnionType):
        inner = next(kind for kind in get_args(hint) if kind is not type(None))
        empty = value is None or (inner is Path and not isinstance(value, str) and not len(value))
        return None if empty else _typed(value, inner)
    if hint is Path:
        return Path(value if isinstance(value, str) else value[0])
    if get_origin(hint) in (Sequence, list, tuple):
        items = [value] if isinstance(value, str) else value
        return [_typed(item, get_args(hint)[0]) for item in items]
    if hint is dt.date:
        return dt.date.fromisoformat(value)
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return hint(**value)
    return value
