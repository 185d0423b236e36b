"""A served desk as its page says: its examples run, and killed programs lose and double nothing."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from fieldline.lending.store.database import APPLICATIONS, LIVE, OFFERS, open_database, reading
from fieldline.lending.store.verify import verify
from fieldline.pipeline.records.errors import UserError
from fieldline.workflows.config.load import load_config
from fieldline.workflows.serve_command import checked_store, hosts_of, provider_of
from tests.benchmarks.serve import Server, insist, overlay, references, served, wait_until
from tests.conftest import ROOT, _as_postgres
from tests.workflows.conftest import ChainRun

FARMERS = 24


class Postgres:
    """A server of PostgreSQL that may be killed and comes back."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self.folder, self._binaries = folder, binaries
        self._run = _as_postgres(folder)
        self._port = _free_port()
        self._run(binaries / "initdb", "-D", folder / "data", "-U", "postgres", "--auth=trust")
        self.start()
        admin = sa.create_engine(
            f"postgresql+pg8000://postgres@127.0.0.1:{self._port}/postgres",
            isolation_level="AUTOCOMMIT",
        )
        with admin.connect() as connection:
            connection.execute(sa.text("CREATE DATABASE offers"))
        admin.dispose()
        self.url = f"postgresql://postgres@127.0.0.1:{self._port}/offers"

    def start(self) -> None:
        options = f"-p {self._port} -c listen_addresses=127.0.0.1 -k {self.folder}"
        self._control("-l", self.folder / "log", "-o", options, "start")

    def stop(self) -> None:
        self._control("-m", "immediate", "stop")

    def _control(self, *words: object) -> None:
        self._run(self._binaries / "pg_ctl", "-D", self.folder / "data", "-w", *words)

    def kill(self) -> None:
        """Kill it as a power cut would, and start it again."""
        pid = int((self.folder / "data/postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, signal.SIGKILL)

        def again() -> bool:
            try:
                self.start()
            except subprocess.CalledProcessError:
                return False  # children of the killed one are still there
            return True

        wait_until(again, 60)


def _free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


@pytest.fixture(scope="module")
def postgres(postgres_binaries: Path) -> Iterator[Postgres]:
    folder = Path(tempfile.mkdtemp(prefix="fieldline-serve-"))
    found = Postgres(postgres_binaries, folder)
    yield found
    found.stop()
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def server(
    tiny_run: ChainRun, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("serve")
    config = overlay(tiny_run.config, postgres.url, folder / "bank.yaml")
    with served(config, _free_port(), folder / "log") as running:
        yield running
    assert running.process.returncode in (0, -signal.SIGTERM)


def blocks(kind: str) -> list[str]:
    page = (ROOT / "docs" / "serve.md").read_text(encoding="utf-8")
    return re.findall(rf"```{kind}\n(.*?)```", page, re.DOTALL)


def test_the_examples_of_the_page_run(server: Server, tiny_run: ChainRun) -> None:
    farmer = references(tiny_run.config)[0]
    told = {"FIELDLINE_URL": server.base, "FIELDLINE_KEY": server.key, "FARMER": farmer}
    (python,), (shell,) = blocks("python"), blocks("sh")
    assert len([line for line in python.splitlines() if line and "import" not in line]) <= 11
    for command in ([sys.executable, "-c", python], ["bash", "-ec", shell]):
        done = subprocess.run(
            command, env={**os.environ, **told}, capture_output=True, text=True, timeout=120,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        if command[0] == "bash":
            assert '"status":"decided"' in done.stdout
            # The tiny county gave few lines on this crop: too few to tell a range of them.
            assert '"approved_share":' in done.stdout or "were given a line" in done.stdout
        else:
            access, _, offer = done.stdout.split()
            assert access in ("approve", "review", "decline")
            assert re.fullmatch("[0-9a-f]{32}", offer)


def test_killed_programs_lose_no_application_and_double_none(
    server: Server, tiny_run: ChainRun, postgres: Postgres
) -> None:
    farmers = references(tiny_run.config)[1 : FARMERS + 1]
    before = {process.pid for process in server.answering()}

    def kill_one() -> None:
        server.answering()[0].kill()

    answers = insist(server, farmers, "kill", (kill_one, postgres.kill))
    assert len(answers) == FARMERS
    assert before != {process.pid for process in server.answering()}
    engine = open_database(postgres.url)
    with reading(engine) as connection:
        rows = connection.execute(
            sa.select(APPLICATIONS).where(APPLICATIONS.c.request_key.startswith("kill-"))
        ).all()
        live = connection.execute(sa.select(OFFERS).where(OFFERS.c.status == LIVE)).all()
    assert sorted(row.request_key for row in rows) == sorted(answers)
    assert {row.request_key: row.offer_id for row in rows} == answers
    assert {row.status for row in rows} == {"decided"}
    standing = [row.farmer_id for row in live]
    assert len(standing) == len(set(standing))
    assert {row.farmer_id for row in rows} <= set(standing)
    assert verify(engine).problems == ()
    engine.dispose()


def test_a_store_of_an_older_version_is_refused_unless_asked(
    tiny_run: ChainRun, tmp_path: Path
) -> None:
    config = overlay(tiny_run.config, f"sqlite:///{tmp_path / 's.sqlite'}", tmp_path / "c.yaml")
    loaded = load_config([config])
    with pytest.raises(
        UserError,
        match=r"lacks the versions 0001, 0002, .*, 0010, 0011, 0012 of its tables",
    ):
        checked_store(loaded, migrate=False)
    assert not (tmp_path / "s.sqlite").exists()
    open_database(loaded.database_url()).dispose()
    with pytest.raises(UserError, match="a0001 of the tables of accounts: make a backup, then"):
        checked_store(loaded, migrate=False)
    checked_store(loaded, migrate=True).dispose()
    checked_store(loaded, migrate=False).dispose()


def test_a_server_that_nobody_could_ask_or_that_has_no_name_is_not_started(
    tiny_run: ChainRun, tmp_path: Path
) -> None:
    config = overlay(tiny_run.config, f"sqlite:///{tmp_path / 's.sqlite'}", tmp_path / "c.yaml")
    run = ChainRun(config, tiny_run.results, tiny_run.simulated)
    refused = run.fieldline("serve", "--migrate")
    assert refused.returncode == 2
    assert refused.stderr.startswith("fieldline: nobody could sign in and no program ask: add an")
    with pytest.raises(UserError, match="FIELDLINE_HOSTS names no host: set it"):
        hosts_of({"FIELDLINE_HOSTS": " , "})
    with pytest.raises(UserError, match="FIELDLINE_OIDC_CLIENT is not: set both"):
        provider_of({"FIELDLINE_OIDC_ISSUER": "https://login.bank.example"})


def test_a_backup_is_restored_and_its_chain_holds(server: Server, postgres: Postgres) -> None:
    tools = Path(shutil.which("pg_dump") or "/usr/bin/pg_dump")
    dump = subprocess.run(
        [tools, "-Fc", postgres.url], capture_output=True, check=True, timeout=60
    ).stdout
    admin = postgres.url.replace("/offers", "/postgres")
    psql = tools.with_name("psql")
    subprocess.run([psql, admin, "-qc", "CREATE DATABASE restored"], check=True, timeout=60)
    restored = postgres.url.replace("/offers", "/restored")
    subprocess.run([tools.with_name("pg_restore"), "-d", restored], input=dump, check=True,
                   timeout=60)  # fmt: skip
    engines = [open_database(url) for url in (postgres.url, restored)]
    first, second = (verify(engine) for engine in engines)
    assert second.problems == ()
    assert (second.head, second.entries) == (first.head, first.entries)
    assert second.entries > 0
    for engine in engines:
        engine.dispose()


def test_a_worker_whose_server_was_killed_ends(tmp_path: Path) -> None:
    config = tmp_path / "mine.yaml"
    config.write_text("results: out\n", encoding="utf-8")
    command = [sys.executable, "-m", "fieldline.workflows.cli", "work", "--config", str(config)]
    gone = subprocess.run(
        command, env={**os.environ, "FIELDLINE_SERVE_PID": "1"}, timeout=120, check=False
    )
    assert gone.returncode == 0
    # that of a server which is there goes on until it is told
    own = {**os.environ, "FIELDLINE_SERVE_PID": str(os.getpid())}
    with subprocess.Popen(command, env=own) as working:
        with pytest.raises(subprocess.TimeoutExpired):
            working.wait(8)
        working.terminate()
        assert working.wait(60) in (0, -signal.SIGTERM)
