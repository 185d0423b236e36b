"""Load on a served desk: how fast stored offers and fresh decisions are, and what a kill costs.

Run on a finished results folder of the simulated county, with a PostgreSQL database of its own:

    python -m tests.benchmarks.serve CONFIG --database postgresql://... --out serve.json

Fifty clients ask in a closed loop with a pause, so that the rate is known; every figure stands with
the load of the machine. Nothing is asked but over HTTP on loopback.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import yaml

from fieldline.desk.access.clients import add_client
from fieldline.workflows.config.load import load_config
from fieldline.workflows.serve_command import checked_store

HOST = "127.0.0.1"
CONSENT = {"purpose": "credit_decision", "given_on": "2024-09-01"}


@dataclass
class Server:
    """A running `fieldline serve`."""

    process: subprocess.Popen[bytes]
    base: str
    key: str

    @property
    def headers(self) -> dict[str, str]:
        """Headers of a client."""
        return {"Authorization": f"Bearer {self.key}"}

    def answering(self) -> list[psutil.Process]:
        """Return the processes that answer; one that was killed may not have been buried yet."""
        found = []
        for child in psutil.Process(self.process.pid).children():
            with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                if "spawn_main" in " ".join(child.cmdline()):
                    found.append(child)
        return found

    def memory_mb(self) -> float:
        """Return the memory of all its processes, MB."""
        own = psutil.Process(self.process.pid)
        return sum(p.memory_info().rss for p in [own, *own.children(recursive=True)]) / 2**20


_STOPS = 120
"""Seconds for answers under way, the application being decided and a busy machine."""


@contextmanager
def served(config: Path, port: int, log: Path, workers: int = 2) -> Iterator[Server]:
    """Serve a configuration until the block ends; it must then end by itself."""
    engine = checked_store(load_config([config]), migrate=True)
    key = add_client(engine, "load", ["*"], 10_000_000)
    engine.dispose()
    command = [sys.executable, "-m", "fieldline.workflows.cli", "serve", "--config", str(config),
               "--port", str(port), "--workers", str(workers)]  # fmt: skip
    environment = {**os.environ, "FIELDLINE_HOSTS": HOST}
    with log.open("wb") as file:
        process = subprocess.Popen(command, env=environment, stderr=file, stdout=file)
    server = Server(process, f"http://{HOST}:{port}", key)
    try:
        wait_until(lambda: _ready(server), 300)
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOPS)
        except subprocess.TimeoutExpired:
            process.kill()


def _ready(server: Server) -> bool:
    assert server.process.poll() is None, "the server ended"
    try:
        return httpx.get(f"{server.base}/v1/ready", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def wait_until(holds: Callable[[], bool], seconds: float) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never held"
        time.sleep(0.1)


@dataclass
class Times:
    """What a load came to."""

    seconds: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)

    def figures(self) -> dict[str, Any]:
        """Return the figures, milliseconds."""
        ordered = sorted(self.seconds)
        at = {n: round(1000 * ordered[min(len(ordered) - 1, int(len(ordered) * n / 100))], 1)
              for n in (50, 95, 99)}  # fmt: skip
        return {"requests": len(ordered), "p50_ms": at[50], "p95_ms": at[95], "p99_ms": at[99],
                "mean_ms": round(1000 * statistics.fmean(ordered), 1),
                "errors": dict(self.errors), "load_average": os.getloadavg()[0]}  # fmt: skip


def load(
    server: Server, clients: int, seconds: float, pause: float,
    ask: Callable[[httpx.Client, int, int], httpx.Response],
) -> Times:  # fmt: skip
    """Have clients ask for some seconds, each with a pause between two requests."""
    times, end = Times(), time.monotonic() + seconds

    def one(number: int) -> None:
        time.sleep(pause * number / clients)
        with httpx.Client(base_url=server.base, headers=server.headers, timeout=30) as client:
            turn = 0
            while time.monotonic() < end:
                start = time.perf_counter()
                try:
                    answer = ask(client, number, turn)
                    if answer.status_code >= 400:
                        times.errors[str(answer.status_code)] += 1
                except httpx.TransportError as error:
                    times.errors[type(error).__name__] += 1
                times.seconds.append(time.perf_counter() - start)
                turn += 1
                time.sleep(pause)

    _together(one, clients)
    return times


def _together(one: Callable[[int], None], count: int) -> None:
    with ThreadPoolExecutor(count) as pool:
        for done in [pool.submit(one, number) for number in range(count)]:
            done.result()


@contextmanager
def memory_of(server: Server, every: float = 10.0) -> Iterator[list[int]]:
    """Note the memory of all processes every so often while the block runs, MB."""
    seen, ended = [round(server.memory_mb())], threading.Event()

    def note() -> None:
        while not ended.wait(every):
            seen.append(round(server.memory_mb()))

    noting = threading.Thread(target=note)
    noting.start()
    try:
        yield seen
    finally:
        ended.set()
        noting.join()
        seen.append(round(server.memory_mb()))


def applying(farmers: Sequence[str], run: str) -> Callable[[httpx.Client, int, int], Any]:
    """Return what applies for one farmer after the other, each time under a key of its own."""

    def ask(client: httpx.Client, number: int, turn: int) -> httpx.Response:
        farmer = farmers[(number * 7919 + turn) % len(farmers)]
        body = {"county": "SIM001", "farmer": farmer, "consent": CONSENT}
        key = {"Idempotency-Key": f"{run}-{number}-{turn}"}
        return client.post("/v1/applications", json=body, headers=key)

    return ask


def insist(
    server: Server, farmers: Sequence[str], run: str, disturb: Sequence[Callable[[], None]],
    clients: int = 8,
) -> dict[str, str]:  # fmt: skip
    """Apply once for every farmer from several clients while the server is disturbed.

    Each application is sent under its key until it is answered, as a client should.

    Returns:
        Offer by key.
    """
    left, lock, answers = list(enumerate(farmers)), threading.Lock(), dict[str, str]()

    def one(_: int) -> None:
        with httpx.Client(base_url=server.base, headers=server.headers, timeout=20) as client:
            while True:
                with lock:
                    if not left:
                        return
                    number, farmer = left.pop(0)
                key = f"{run}-{number}"
                answers[key] = _until_answered(client, farmer, key)

    def disturbing() -> None:
        for number, act in enumerate(disturb, 1):
            wanted = len(farmers) * number / (len(disturb) + 1)
            wait_until(lambda wanted=wanted: len(answers) >= wanted, 120)  # type: ignore[misc]
            act()

    disturber = threading.Thread(target=disturbing)
    disturber.start()
    _together(one, clients)
    disturber.join()
    return answers


def _until_answered(client: httpx.Client, farmer: str, key: str) -> str:
    body = {"county": "SIM001", "farmer": farmer, "consent": CONSENT}
    end = time.monotonic() + 120
    while time.monotonic() < end:
        try:
            answer = client.post("/v1/applications", json=body, headers={"Idempotency-Key": key})
        except httpx.TransportError:
            time.sleep(0.2)
            continue
        if answer.status_code == 201:
            return str(answer.json()["offer"]["offer_id"])
        # Gone for now: the store or a process; anything else is a mistake that nobody made.
        assert answer.status_code == 503, answer.text
        time.sleep(0.2)
    raise AssertionError(f"{key} was never answered")


def overlay(config: Path, database: str, out: Path) -> Path:
    """Write a configuration over another database."""
    document = yaml.safe_load(config.read_text(encoding="utf-8"))
    out.write_text(yaml.safe_dump({**document, "database": database}), encoding="utf-8")
    return out


def drawn(config: Path) -> Any:
    """Return the simulated county's own file of outlines, in degrees."""
    import geopandas as gpd

    (path,) = load_config([config]).input_paths("SIM001", "2024", "parcels")
    return gpd.read_file(path).to_crs(4326)


def references(config: Path) -> list[str]:
    """Return the lender's numbers of the simulated county's farmers."""
    return sorted(set(drawn(config)["farmer_id"].astype(str)))


def outline_to_decision(server: Server, config: Path, run: str, count: int) -> dict[str, Any]:
    """Send outlines of newcomers, one after the other, and wait for each one's decision.

    A newcomer draws a field of the county anew, so that every stage from intake to the decision
    works on the archived images.

    Returns:
        Seconds from sending to deciding, what came out, and errors.
    """
    import shapely

    seconds, states = [], Counter[str]()
    rows = drawn(config).sample(count, random_state=count)
    with httpx.Client(base_url=server.base, headers=server.headers, timeout=30) as client:
        for number, row in enumerate(rows.to_dict("records")):
            parcel = {"outline": json.loads(shapely.to_geojson(row["geometry"])),
                      "declared_crop": row["declared_crop"], "village": row["village"]}  # fmt: skip
            body = {"county": "SIM001", "farmer": f"newcomer {run}-{number}", "consent": CONSENT,
                    "parcels": [parcel]}  # fmt: skip
            key = {"Idempotency-Key": f"{run}-outline-{number}"}
            start = time.perf_counter()
            told = client.post("/v1/applications", json=body, headers=key).json()
            while told.get("status") in ("accepted", "working"):
                time.sleep(0.1)
                told = client.get(f"/v1/applications/{told['application_id']}").json()
            seconds.append(round(time.perf_counter() - start, 1))
            states[str(told.get("status"))] += 1
    return {"seconds": sorted(seconds), "median_s": statistics.median(seconds),
            "came_to": dict(states), "load_average": os.getloadavg()[0]}  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("--database", required=True)
    parser.add_argument("--seconds", type=float, default=60, help="600 for steady memory.")
    parser.add_argument("--outlines", type=int, default=5, help="Drawn by newcomers, one by one.")
    parser.add_argument("--port", type=int, default=8790)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    # Beside the configuration: its paths are relative to where it lies.
    beside = given.config.with_name(f"{given.config.stem}.served.yaml")
    config = overlay(given.config, given.database, beside)
    farmers = references(given.config)
    found: dict[str, Any] = {"machine": platform.platform(), "cores": os.cpu_count(),
                             "python": platform.python_version(), "clients": 50}  # fmt: skip
    with served(config, given.port, given.out.with_suffix(".log")) as server:
        run = f"{time.time():.0f}"
        offers = list(insist(server, farmers[:40], run, ()).values())
        with memory_of(server) as seen:
            found["stored_offer"] = load(
                server, 50, given.seconds, 1.0,
                lambda client, number, turn: client.get(
                    f"/v1/offers/{offers[(number + turn) % len(offers)]}"
                ),
            ).figures()  # fmt: skip
        found["memory_mb"] = {
            "first": seen[0],
            "most": max(seen),
            "last": seen[-1],
            "every_10_s": seen,
        }
        found["fresh_decision"] = load(
            server, 50, min(given.seconds, 60), 5.0, applying(farmers, f"{run}f")
        ).figures()
        found["memory_mb"]["after_decisions"] = round(server.memory_mb())
        if given.outlines:
            found["outline_to_decision"] = outline_to_decision(
                server, given.config, run, given.outlines
            )
    given.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
