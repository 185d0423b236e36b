"""What the commands on the offer store do: verify, anchor, seal, replay, expire, release.

Owns opening the configured store for one of them and telling what came of it; the rules are those
of `lending.store`.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import sqlalchemy as sa

from fieldline.lending.store.anchors import Anchor, add_anchor, read_anchors, take_anchor
from fieldline.lending.store.audit import take_over
from fieldline.lending.store.closing import expire
from fieldline.lending.store.database import open_existing, posting
from fieldline.lending.store.lines import release
from fieldline.lending.store.replays import replay_stored
from fieldline.lending.store.signer import Signer, signer
from fieldline.lending.store.verify import AuditReport, verify
from fieldline.pipeline.records.errors import UserError
from fieldline.workflows import exits
from fieldline.workflows.config.load import load_config

_KEYED = {
    "sealed": "sealed by this key",
    "unsealed": "NOT sealed by this key",
    "no key given": "sealed, but no key was given to check the seals",
    "unkeyed": "unkeyed: whoever can write to the database can make the whole chain anew",
}


@contextmanager
def opened_store(config_files: Sequence[Path]) -> Iterator[tuple[sa.Engine, Signer]]:
    """Yield the configured store, which must exist, and who signs."""
    config = load_config(config_files)
    by = signer(config.audit.key_file)
    engine = open_existing(config.database_url())
    try:
        yield engine, by
    finally:
        engine.dispose()


def verify_audit(
    config_files: Sequence[Path], anchor: Path | None, since: Path | None, *, as_json: bool
) -> int:
    """Verify the store; return the exit code.

    Args:
        config_files: Configuration files.
        anchor: File of anchors, in place of the configured one.
        since: File that keeps how far the store is verified: what came since is, and where nothing
            is wrong the file knows of it too.
        as_json: Whether to print JSON.
    """
    with opened_store(config_files) as (engine, by):
        begin = read_anchors(since)[-1] if since is not None and since.exists() else None
        if anchor is not None:
            report = verify(engine, by, read_anchors(anchor), begin)
        else:
            report = _verified(engine, by, load_config(config_files).audit.anchor_file, begin)
        if since is not None and report.entries and not report.problems:
            add_anchor(
                since, Anchor(report.entries, report.head, by.time(None), by.actor).signed(by)
            )
    if as_json:
        print(json.dumps(asdict(report), indent=2))
        return exits.FOUND if report.problems else exits.OK
    for problem in report.problems:
        print(problem)
    if report.since:
        print(
            f"entries up to {report.since} and their rows were verified before and not read again"
        )
    print(f"{report.posted} offers posted - {report.closed} closed, {report.live} live")
    print(f"{_KEYED[report.keyed]}; {report.anchors} anchors")
    print(f"{report.entries} audit entries, {len(report.problems)} problems, head {report.head}")
    return exits.FOUND if report.problems else exits.OK


def _verified(
    engine: sa.Engine, by: Signer, file: Path | None, since: Anchor | None = None
) -> AuditReport:
    """Verify a store against the configured anchors; a file that is gone is a problem of a store
    with entries, since every posting adds to it."""
    lost = file is not None and not file.exists()
    report = verify(engine, by, [] if file is None or lost else read_anchors(file), since)
    if not lost or not report.entries:
        return report
    gone = f"anchor file {file} is gone, and the chain has {report.entries} entries"
    return replace(report, problems=(*report.problems, gone))


def write_anchor(config_files: Sequence[Path], out: Path) -> str:
    """Add an anchor to a file; return what to tell."""
    with opened_store(config_files) as (engine, by):
        anchor = take_anchor(engine, by)
    add_anchor(out, anchor)
    return f"{out} knows the chain up to entry {anchor.entries}, head {anchor.head}"


def seal_chain(config_files: Sequence[Path]) -> str:
    """Seal the chain under the present key, if nothing else is wrong with it; return what to tell.

    Raises:
        UserError: There is no key, or the chain has a problem.
    """
    with opened_store(config_files) as (engine, by):
        file = load_config(config_files).audit.anchor_file
        report = _verified(engine, Signer(by.actor), file)
        if report.problems:
            raise UserError(
                f"the chain has {len(report.problems)} problems and must not be sealed",
                "run `fieldline audit verify` and clear them up first",
            )
        with posting(engine) as connection:
            take_over(connection, by)
    return f"{report.entries} entries verified and sealed under key {by.key_id}"


def replay_decisions(config_files: Sequence[Path], name: str | None, *, as_json: bool) -> int:
    """Replay one stored decision, or all; return the exit code."""
    with opened_store(config_files) as (engine, _):
        report = replay_stored(engine, name)
    if as_json:
        print(json.dumps(asdict(report), indent=2, ensure_ascii=False))
        return exits.FOUND if report.problems else exits.OK
    for stored_id, problem in report.problems.items():
        print(f"{stored_id}: {problem}")
    formats = ", ".join(f"{count} of format {form}" for form, count in report.formats.items())
    print(
        f"default risk reckoned again by the stored model for {report.models} decisions, "
        f"model not stored for {report.without_model}"
    )
    print(f"{report.replayed} of {report.decisions} decisions replay ({formats or 'none stored'})")
    return exits.FOUND if report.problems else exits.OK


def expire_offers(config_files: Sequence[Path], on: str | None, *, today: dt.date) -> str:
    """Close what has run out by a day; return what to tell.

    Raises:
        UserError: The day is none, or still to come.
    """
    try:
        day = today if on is None else dt.date.fromisoformat(on)
    except ValueError as error:
        raise UserError(f"{on!r} is no day", "write it like 2024-09-30") from error
    with opened_store(config_files) as (engine, by):
        closed = expire(engine, day, today=today, by=by)
    return f"{closed} offers had run out before {day} and were closed"


def release_lines(
    config_files: Sequence[Path],
    offers: Sequence[str],
    officer: str,
    reason: str,
    *,
    today: dt.date,
) -> str:
    """Count offers that ran out as lines no longer; return what to tell.

    Raises:
        UserError: One of them counts as no line; none is released.
    """
    with opened_store(config_files) as (engine, by):
        count = release(engine, offers, officer, reason, today=today, by=by)
    return f"{count} lines count no longer; the next run decides without them"
