"""Shared fixtures: what a test needs and may not have (real data, PostgreSQL, Chromium, scripts).

A missing need skips with a plain sentence; `FIELDLINE_REQUIRE=postgres,chromium,realdata` (and
`scripts`, those that npm fetches) turns that skip into a failure, which is how CI runs. Tests
marked `long` run only where it names `long`, which `.ci/long` does.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent

# No test is timed: another worker may hold the processor. Planted defects bring their own settings.
if settings.default.deadline is not None:
    settings.register_profile("untimed", deadline=None)
    settings.load_profile("untimed")


def _need(name: str, available: bool, message: str) -> None:
    if available:
        return
    if name in os.environ.get("FIELDLINE_REQUIRE", "").split(","):
        pytest.fail(f"FIELDLINE_REQUIRE names {name}, but {message}")
    pytest.skip(message)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave long tests to the command that runs them; begin with the tiny county's.

    Those go to one worker, which at the end would keep the other waiting.
    """
    items.sort(key=lambda item: not _of_the_tiny_county(item.path))
    if "long" in os.environ.get("FIELDLINE_REQUIRE", "").split(","):
        return
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.skip(reason="takes minutes: .ci/long runs it"))


@cache
def _of_the_tiny_county(path: Path) -> bool:
    """Whether a test file, or the fixtures beside it, run the tiny county's chain."""
    files = [file for file in (path, path.parent / "conftest.py") if file.is_file()]
    texts = [file.read_text(encoding="utf-8") for file in files]
    return any("tiny_run" in text and "def tiny_run" not in text for text in texts)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep a file on one worker, and all files of the tiny county, whose chain then runs once.

    Its own marks for this (`--dist loadgroup`) do not reach pytest-xdist 3.8 under pytest 9.2.
    """
    from xdist.scheduler import LoadFileScheduling

    class ByFile(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.split("::", 1)[0]
            return "tiny county" if _of_the_tiny_county(ROOT / file) else file

    return ByFile(config, log)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real data sets, read in place."""
    folder = Path(os.environ.get("FIELDLINE_REAL_DATA", ROOT.parent / "shared" / "data"))
    _need(
        "realdata",
        (folder / "stac").is_dir(),
        f"no real data at {folder} (set FIELDLINE_REAL_DATA)",
    )
    return folder


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of a Chromium binary."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    _need("chromium", found is not None, "no Chromium is installed (apt-get install chromium)")
    assert found is not None
    return found


@pytest.fixture(scope="session")
def desk_scripts() -> None:
    """The scripts that the desk's pages load, fetched by npm at set-up."""
    from fieldline.desk.app.scripts import REMEDY, missing_scripts

    lost = missing_scripts()
    _need("scripts", not lost, f"the desk's scripts are not there ({lost}); {REMEDY}")


@pytest.fixture(scope="session")
def postgres_binaries() -> Path:
    """Folder of a PostgreSQL server's own binaries (Debian keeps them off the path)."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    folder = found[-1].parent if found else Path(on_path).parent if on_path else None
    _need("postgres", folder is not None, "no PostgreSQL server (apt-get install postgresql)")
    assert folder is not None
    return folder


@pytest.fixture(scope="session")
def postgres_server(postgres_binaries: Path) -> Iterator[str]:
    """A throw-away server on loopback; yields its URL without the database name."""
    # Not below pytest's own folder: each test run closes that one to other users again.
    folder = Path(tempfile.mkdtemp(prefix="fieldline-postgres-"))
    port = str(20_000 + os.getpid() % 20_000)
    run = _as_postgres(folder)
    data, log = str(folder / "data"), str(folder / "log")
    run(postgres_binaries / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "-N")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c fsync=off -k {folder}"
    control = postgres_binaries / "pg_ctl"
    run(control, "-D", data, "-l", log, "-o", options, "-w", "start")
    try:
        yield f"postgresql://postgres@127.0.0.1:{port}"
    finally:
        run(control, "-D", data, "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder)


def _as_postgres(folder: Path) -> Any:
    """Return a runner; PostgreSQL refuses to run as root, so root hands the folder over."""
    prefix: list[str] = []
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)
        prefix = ["runuser", "-u", "postgres", "--"]

    def run(*command: Any) -> None:
        subprocess.run(
            [*prefix, *map(str, command)],
            check=True,
            cwd="/",
            stdout=subprocess.DEVNULL,
            timeout=120,
        )

    return run


@pytest.fixture(scope="session")
def fresh_postgres(postgres_server: str) -> Callable[[str], str]:
    """Return a function that makes a fresh database and returns its URL."""

    def made(name: str) -> str:
        engine = sa.create_engine(
            f"{postgres_server}/postgres".replace("postgresql:", "postgresql+pg8000:"),
            isolation_level="AUTOCOMMIT",
        )
        with engine.connect() as connection:
            connection.execute(sa.text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return f"{postgres_server}/{name}"

    return made


@pytest.fixture
def postgres_database(fresh_postgres: Callable[[str], str], request: pytest.FixtureRequest) -> str:
    """A fresh database; yields its URL."""
    return fresh_postgres(f"t{abs(hash(request.node.nodeid)) % 10**8}")
