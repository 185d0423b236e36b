"""What `fieldline serve` and `fieldline work` do: the desk and the decision API for many people.

Owns what must hold before anything is served (tables of this version, somebody who may sign in or
ask, host names), the processes, and their configuration from the environment. TLS is a proxy's.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import sqlalchemy as sa

from fieldline.desk.access.accounts import every_account
from fieldline.desk.access.clients import Rates, every_client
from fieldline.desk.access.door import AccountDoor
from fieldline.desk.access.oidc import Provider
from fieldline.desk.access.tables import bring_up, lacking
from fieldline.desk.api.app import Both, JsonLines, api_application
from fieldline.desk.api.metrics import FOLDER_VARIABLE
from fieldline.desk.api.service import Service
from fieldline.desk.app.desk import Desk
from fieldline.desk.app.places import Shelf, StageName
from fieldline.desk.app.routes import SIGNING_IN
from fieldline.desk.app.server import application
from fieldline.lending.store.database import open_database, pending_migrations
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.faults import DatabaseError
from fieldline.pipeline.records.secrets import KeySource, read_secret
from fieldline.workflows.config.load import load_config
from fieldline.workflows.config.model import Config
from fieldline.workflows.serving import Serving
from fieldline.workflows.stages import STAGES

LOG = logging.getLogger("fieldline.serve")
HOSTS_VARIABLE = "FIELDLINE_HOSTS"
"""Host names under which people and programs reach the server, separated by commas."""
_ORDER_VARIABLE = "FIELDLINE_SERVE_ORDER"
"""Hands the configuration files to the processes that answer."""
_PROCESSES_VARIABLE = "FIELDLINE_SERVE_PROCESSES"
_PARENT_VARIABLE = "FIELDLINE_SERVE_PID"
"""Says to a worker that a server started whose child it is: without that server it ends."""
_PROXIES_VARIABLE = "FORWARDED_ALLOW_IPS"
_STOP_SECONDS = 20
_SILENT_SECONDS = 60
"""A process that is silent for so long is started anew; a busy machine is no reason."""
_MOST_AT_ONCE = 400
_REST_SECONDS = 0.5
_AGAIN_SECONDS = 2.0


@dataclass(frozen=True)
class Order:
    """What is to be served."""

    config_files: Sequence[Path]
    host: str
    port: int
    processes: int
    migrate: bool = False


def serve(order: Order) -> None:
    """Serve until a signal comes.

    Raises:
        UserError: The store is of an older version, nobody could sign in or ask, no host name is
            given, or the port is taken.
    """
    import uvicorn

    config = load_config(order.config_files)
    engine = checked_store(config, migrate=order.migrate)
    _refuse_nobody(engine)
    engine.dispose()
    hosts_of(os.environ)
    _refuse_taken(order.host, order.port)
    log_as_json()
    with tempfile.TemporaryDirectory(prefix="fieldline-metrics-") as counts:
        files = [str(path.resolve()) for path in order.config_files]
        os.environ[_ORDER_VARIABLE] = json.dumps(files)
        os.environ[_PROCESSES_VARIABLE] = str(order.processes)
        os.environ[FOLDER_VARIABLE] = counts
        with _worker(files):
            uvicorn.run(
                "fieldline.workflows.serve_command:served", factory=True, host=order.host,
                port=order.port, workers=order.processes, log_config=None, access_log=False,
                server_header=False, proxy_headers=True,
                forwarded_allow_ips=os.environ.get(_PROXIES_VARIABLE, "127.0.0.1"),
                timeout_graceful_shutdown=_STOP_SECONDS, timeout_keep_alive=20,
                timeout_worker_healthcheck=_SILENT_SECONDS,
                limit_concurrency=_MOST_AT_ONCE, h11_max_incomplete_event_size=64 * 1024,
            )  # fmt: skip


def checked_store(config: Config, *, migrate: bool) -> sa.Engine:
    """Return the open store, its tables of this version.

    Raises:
        UserError: They are not, and nobody asked to bring them up; or the store cannot be opened.
    """
    behind = pending_migrations(config.database_url())
    if behind and not migrate:
        raise UserError(
            f"the store lacks the versions {', '.join(behind)} of its tables",
            "make a backup, then bring it up: `fieldline serve --migrate`",
        )
    engine = open_database(config.database_url())
    behind = lacking(engine)
    if behind and not migrate:
        engine.dispose()
        raise UserError(
            f"the store lacks the versions {', '.join(behind)} of the tables of accounts",
            "make a backup, then bring it up: `fieldline serve --migrate`",
        )
    if behind:
        bring_up(engine)
    return engine


def _refuse_nobody(engine: sa.Engine) -> None:
    people = any(account.active for account in every_account(engine))
    programs = any(client.active for client in every_client(engine))
    if not people and not programs:
        engine.dispose()
        raise UserError(
            "nobody could sign in and no program ask",
            "add an account (`fieldline accounts add`) or a client (`fieldline clients add`)",
        )


def _refuse_taken(host: str, port: int) -> None:
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except OSError as error:
            raise UserError(
                f"{host}:{port} cannot be listened on ({error.strerror})", "give another --port"
            ) from error


def hosts_of(environment: Mapping[str, str]) -> frozenset[str]:
    """Return the host names that are answered.

    Raises:
        UserError: None is given: a server that answers every name answers forged ones.
    """
    given = environment.get(HOSTS_VARIABLE, "")
    names = frozenset(name.strip().lower() for name in given.split(",") if name.strip())
    if not names:
        raise UserError(
            f"{HOSTS_VARIABLE} names no host", f"set it: {HOSTS_VARIABLE}=desk.bank.example"
        )
    return names


def provider_of(environment: Mapping[str, str]) -> Provider | None:
    """Return the provider of single sign-on; None where none is configured.

    Raises:
        UserError: Part of its configuration is missing.
    """
    issuer = environment.get("FIELDLINE_OIDC_ISSUER", "")
    if not issuer:
        return None
    names = ("FIELDLINE_OIDC_CLIENT", "FIELDLINE_OIDC_REDIRECT")
    lost = [name for name in names if not environment.get(name)]
    if lost:
        raise UserError(f"FIELDLINE_OIDC_ISSUER is set and {lost[0]} is not", "set both")
    file = environment.get("FIELDLINE_OIDC_SECRET_FILE")
    secret = read_secret(
        KeySource("the secret of single sign-on", "FIELDLINE_OIDC_SECRET",
                  Path(file) if file else None, "")
    )  # fmt: skip
    return Provider(issuer, environment[names[0]], secret.decode(), environment[names[1]])


def served() -> Both:
    """Return what one process answers with; its order is in the environment."""
    files = [Path(text) for text in json.loads(os.environ[_ORDER_VARIABLE])]
    processes = int(os.environ.get(_PROCESSES_VARIABLE, "1"))
    log_as_json()
    return both(load_config(files), os.environ, processes)


def both(config: Config, environment: Mapping[str, str], processes: int = 1) -> Both:
    """Return the desk's pages and the decision API of a configuration.

    Args:
        config: The run.
        environment: Host names and single sign-on.
        processes: How many answer together: each grants its part of a client's rate.
    """
    engine = open_database(config.database_url())
    door = AccountDoor(engine, hosts_of(environment), provider=provider_of(environment))
    shelf = Shelf(
        config.results.resolve(), tuple(StageName(s.name, s.title) for s in STAGES),
        {name: county.title for name, county in config.county.items()},
    )  # fmt: skip
    desk = Desk(shelf, config.database_url(), config.audit.key_file, config.suppress_below)
    service = Service(engine, Serving(config, engine), Rates(processes), config.suppress_below)
    return Both(application(desk, door, SIGNING_IN), api_application(service, door))


def log_as_json() -> None:
    """Write log lines as JSON to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    # What libraries say of single requests may hold what people typed.
    for name in ("uvicorn.access", "httpx", "urllib3", "authlib"):
        logging.getLogger(name).setLevel(logging.WARNING)


class _worker:  # noqa: N801 - a block, used like a function
    """Runs `fieldline work` beside the server and starts it again when it dies."""

    def __init__(self, files: Sequence[str]) -> None:
        chosen = [word for file in files for word in ("--config", file)]
        self._command = [sys.executable, "-m", "fieldline.workflows.cli", "work", *chosen]
        self._stop = threading.Event()
        self._starting = threading.Lock()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._process: subprocess.Popen[bytes] | None = None

    def _watch(self) -> None:
        told = {**os.environ, _PARENT_VARIABLE: str(os.getpid())}
        while True:
            # Never after the block has ended: nobody would stop that one.
            with self._starting:
                if self._stop.is_set():
                    return
                self._process = subprocess.Popen(self._command, env=told)
            self._process.wait()
            if not self._stop.wait(_AGAIN_SECONDS):
                LOG.error("the worker ended and is started again")

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        with self._starting:
            self._stop.set()
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                # The application goes to the next worker once its hold has run out.
                self._process.kill()
        self._thread.join(_STOP_SECONDS)


def work(config_files: Sequence[Path]) -> None:
    """Decide drawn applications one after the other until a signal comes, or until the server that
    started it is gone, killed perhaps: nothing else would end it then."""
    config = load_config(config_files)
    log_as_json()
    stop = threading.Event()

    def ending(_: int, __: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, ending)
    signal.signal(signal.SIGINT, ending)
    name = f"{socket.gethostname()}:{os.getpid()}"
    engine: sa.Engine | None = None
    parent = os.environ.get(_PARENT_VARIABLE)
    while not stop.is_set() and parent in (None, str(os.getppid())):
        try:
            engine = engine or open_database(config.database_url())
            ended = Serving(config, engine).work(name)
        except DatabaseError as error:
            LOG.error("the store cannot be used: %s", error)
            stop.wait(_AGAIN_SECONDS)
            continue
        if ended is None:
            stop.wait(_REST_SECONDS)
        else:
            took = round(time.time() - ended["received_at"], 1)
            LOG.info("application ended", extra={"status": ended["status"], "seconds": took})
