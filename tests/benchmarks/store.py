"""A store of many counties: rate of posting, longest lock, verification, and what a question costs.

Posts counties of so many farmers each, one after the other, to SQLite and to a throw-away
PostgreSQL, and asks of the full store what the desk and the next posting ask. A figure that grows
with what stands there already is a defect: `posting_growth` is the last posting by the first.
Run: `python -m tests.benchmarks.store --offers 200000`.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import shapely
import sqlalchemy as sa

from fieldline.lending.decision.decision import decide_case
from fieldline.lending.decision.row import decision_row
from fieldline.lending.settings import PolicySettings
from fieldline.lending.store.anchors import take_anchor
from fieldline.lending.store.audit import actor_of
from fieldline.lending.store.closing import close_run_out
from fieldline.lending.store.database import OFFERS, open_database, posting, reading
from fieldline.lending.store.land import enter_land, offers_on
from fieldline.lending.store.posting import Shelf, post
from fieldline.lending.store.queue import (
    Within,
    cases,
    counts,
    next_waiting,
    rows_of,
    stretch,
)
from fieldline.lending.store.verify import verify
from fieldline.pipeline.records.canonical import content_hash
from fieldline.pipeline.records.tables import write_text
from tests.conftest import _as_postgres as as_postgres
from tests.lending.decision.population import judge_of, population

OUT = Path("results/benchmarks/store.json")
SEASON, PRODUCT = "2024", "season-line"
_KINDS = 200
_READS = re.compile(r"SCAN|SEARCH|Scan")


def templates(policy: PolicySettings) -> list[dict[str, Any]]:
    """Return decisions of random farmers with their whole traces; each stands for many."""
    cases = population(_KINDS).cases(judge_of(1500), policy)
    return [decision_row(case, decide_case(case), "benchmark") for case in cases]


def county(kinds: list[dict[str, Any]], name: str, farmers: int) -> pd.DataFrame:
    """Return the decisions of a county, each farmer with a trace and an identity of their own."""
    rows = []
    for number in range(farmers):
        kind = kinds[number % len(kinds)]
        farmer = f"{name}-{number:06d}"
        rows.append({
            **kind, "farmer_id": farmer, "household_id": f"H-{farmer}",
            "decision_id": content_hash([farmer, kind["decision_id"]]),
            "trace": kind["trace"].replace(kind["farmer_id"], farmer),
        })  # fmt: skip
    return pd.DataFrame(rows)


def land(frame: pd.DataFrame, name: str, number: int) -> list[dict[str, Any]]:
    """Return a square of half a hectare for each farmer of a county a tenth of a degree wide."""
    place = np.random.default_rng(number).uniform(0, 0.1, (len(frame), 2))
    west, south = 110 + 0.1 * (number % 40) + place[:, 0], 30 + 0.1 * (number // 40) + place[:, 1]
    shapes = shapely.box(west, south, west + 7.5e-4, south + 6.4e-4)
    names = ("west", "south", "east", "north")
    return [
        {"county": name, "season": SEASON, "parcel_id": f"P-{farmer}", "farmer_id": farmer,
         **dict(zip(names, corners, strict=True)), "outline": outline}
        for farmer, corners, outline in zip(
            frame["farmer_id"], shapely.bounds(shapes).tolist(), shapely.to_wkb(shapes, hex=True),
            strict=True,
        )
    ]  # fmt: skip


def measured(url: str, offers: int, farmers: int) -> dict[str, Any]:
    """Return the figures of one database."""
    policy = PolicySettings()
    kinds = templates(policy)
    engine = open_database(url)
    seconds, drawing = [], []
    try:
        for number in range(max(offers // farmers, 2)):
            before, name = take_anchor(engine) if number else None, f"C{number:04d}"
            frame = county(kinds, name, farmers)
            begin = time.perf_counter()
            post(engine, frame, Shelf(name, SEASON, PRODUCT), policy)
            seconds.append(time.perf_counter() - begin)
            rows = land(frame, name, number)
            drawing.append(_timed(partial(enter_land, engine, name, SEASON, rows))[0])
        whole, report = _timed(lambda: verify(engine))
        last, later = _timed(lambda: verify(engine, since=before))
        assert not (*report.problems, *later.problems), (*report.problems, *later.problems)[:3]
        return {
            "offers": report.posted,
            "offers_per_second": round(report.posted / sum(seconds)),
            "longest_lock_s": round(max(seconds), 2),
            "posting_growth": round(seconds[-1] / seconds[0], 2),
            "postings_s": [round(each, 2) for each in seconds],
            "verify_s": round(whole, 1),
            "verify_last_county_s": round(last, 1),
            "land_s": [round(each, 2) for each in drawing],
            "entries": report.entries,
            "asked_ms": asked(engine, f"C{number:04d}"),
            "plans": plans(engine, f"C{number:04d}"),
        }
    finally:
        engine.dispose()


def _timed(ask: Callable[[], Any]) -> tuple[float, Any]:
    begin = time.perf_counter()
    answer = ask()
    return time.perf_counter() - begin, answer


def asked(engine: sa.Engine, name: str) -> dict[str, float]:
    """Return what one question of the desk or of a posting costs, milliseconds, best of three."""
    return {
        what: round(1000 * min(_timed(ask)[0] for _ in range(3)), 2)
        for what, ask in {**_questions(engine, name), **of_the_queue(engine, name)}.items()
    }


def _questions(engine: sa.Engine, name: str) -> dict[str, Callable[[], Any]]:
    def run_out() -> None:
        with posting(engine) as connection:
            close_run_out(connection, dt.date(2000, 1, 1))

    def actor() -> None:
        with reading(engine) as connection:
            actor_of(connection, "none")

    def near() -> None:
        assert offers_on(engine, shapely.Point(110.05, 30.05), 2000)

    def row() -> None:
        with reading(engine) as connection:
            connection.execute(_of_farmer(name)).all()

    return {
        "farmer": row, "what_ran_out": run_out, "who_entered_a_review": actor,
        "land_within_2_km": near, "anchor": lambda: take_anchor(engine),
    }  # fmt: skip


def of_the_queue(engine: sa.Engine, name: str) -> dict[str, Callable[[], Any]]:
    """Return what the desk asks of the queue of a store, of which a county is named."""
    everybody, here = Within(), Within(name, SEASON)
    counted = counts(engine, everybody)
    number = sum(of.get("waits", 0) for of in counted.values())
    some = cases(engine, here)[:100]
    (done,) = rows_of(engine, some[:1])
    theirs = Within(farmers=frozenset(case.farmer_id for case in some))

    def page(first: int) -> None:
        assert rows_of(engine, stretch(engine, counted, first, 100))

    return {
        "queue_counted": lambda: counts(engine, everybody),
        "queue_first_page": lambda: page(0), "queue_last_page": lambda: page(number - 1),
        "queue_of_a_county": lambda: cases(engine, here),
        "queue_of_100_farmers": lambda: cases(engine, theirs),
        "queue_next_case": lambda: next_waiting(engine, everybody, done),
    }  # fmt: skip


def _of_farmer(name: str) -> sa.Select[Any]:
    here = (OFFERS.c.county == name, OFFERS.c.season == SEASON)
    return sa.select(OFFERS).where(*here, OFFERS.c.farmer_id == f"{name}-000007")


def plans(engine: sa.Engine, name: str) -> dict[str, str]:
    """Return how the database finds the answers: the line of its plan that names the table."""
    live = OFFERS.c.status == "live"
    queries = {
        "farmer": _of_farmer(name),
        "county": sa.select(OFFERS).where(live, OFFERS.c.county == name, OFFERS.c.season == SEASON),
        "expired": sa.select(OFFERS).where(
            OFFERS.c.status == "expired",
            OFFERS.c.county == name,
            OFFERS.c.season == SEASON,
            OFFERS.c.product == PRODUCT,
        ),
        "what_ran_out": sa.select(OFFERS).where(live, OFFERS.c.valid_to < dt.date(2000, 1, 1)),
    }
    explain = "EXPLAIN " if engine.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN "
    found = {}
    with reading(engine) as connection:
        for what, query in queries.items():
            text = query.compile(engine, compile_kwargs={"literal_binds": True})
            rows = connection.exec_driver_sql(explain + str(text).replace("%", "%%")).all()
            lines = [str(row[-1]).strip() for row in rows]
            found[what] = next((line for line in lines if "offers" in line), lines[0])
    for what, ask in of_the_queue(engine, name).items():
        told = [line for lines in explained(engine, ask).values() for line in lines]
        found[what] = "; ".join(line for line in told if _READS.search(line))
    return found


def explained(
    engine: sa.Engine, ask: Callable[[], Any], *, indexes_only: bool = False
) -> dict[str, list[str]]:
    """Return the database's plan of every statement that a question asks, by statement.

    Args:
        engine: Open database.
        ask: The question.
        indexes_only: Whether PostgreSQL reads a table from end to end only where no index serves:
            it does so with few rows, whatever indexes there are.
    """
    statements: dict[str, Any] = {}

    def keep(_c: Any, _u: Any, statement: str, given: Any, _x: Any, many: bool) -> None:
        if statement.lstrip().startswith(("SELECT", "WITH")) and not many:
            statements.setdefault(statement, given)

    sa.event.listen(engine, "before_cursor_execute", keep)
    try:
        ask()
    finally:
        sa.event.remove(engine, "before_cursor_execute", keep)
    server = engine.dialect.name == "postgresql"
    explain = "EXPLAIN " if server else "EXPLAIN QUERY PLAN "
    with reading(engine) as connection:
        if server and indexes_only:
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        return {
            text: [
                str(row[-1]).strip() for row in connection.exec_driver_sql(explain + text, given)
            ]
            for text, given in statements.items()
        }


@contextmanager
def postgres() -> Iterator[str]:
    """Run a server and yield its URL; unlike the tests' it waits for the disk."""
    folder = Path(tempfile.mkdtemp(prefix="fieldline-store-"))
    binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
    port, data = str(20_000 + os.getpid() % 20_000), str(folder / "data")
    run = as_postgres(folder)
    run(binaries / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "-N")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -k {folder}"
    control = binaries / "pg_ctl"
    run(control, "-D", data, "-l", str(folder / "log"), "-o", options, "-w", "start")
    try:
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
    finally:
        run(control, "-D", data, "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder)


def main() -> None:
    """Measure, write the JSON and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--offers", type=int, default=200_000)
    parser.add_argument("--farmers", type=int, default=10_000, help="of a county")
    parser.add_argument("--databases", default="sqlite,postgresql")
    chosen = parser.parse_args()
    result: dict[str, Any] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
        "versions": {p: version(p) for p in ("fieldline", "sqlalchemy", "pg8000")},
    }
    for kind in chosen.databases.split(","):
        with tempfile.TemporaryDirectory() as name:
            if kind == "sqlite":
                result[kind] = measured(f"{name}/store.sqlite", chosen.offers, chosen.farmers)
            else:
                with postgres() as url:
                    result[kind] = measured(url, chosen.offers, chosen.farmers)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    write_text(OUT, json.dumps(result, indent=2) + "\n")
    print(OUT.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
