"""Shared fixtures: what a test needs and may not have (real data, PostgreSQL, Chromium).

A missing need skips with a plain sentence; `FIELDLINE_REQUIRE=postgres,chromium,realdata` turns
that skip into a failure, which is how CI runs.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def _need(name: str, available: bool, message: str) -> None:
    if available:
        return
    if name in os.environ.get("FIELDLINE_REQUIRE", "").split(","):
        pytest.fail(f"FIELDLINE_REQUIRE names {name}, but {message}")
    pytest.skip(message)


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
def postgres_binaries() -> Path:
    """Folder of a PostgreSQL server's own binaries (Debian keeps them off the path)."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    folder = found[-1].parent if found else Path(on_path).parent if on_path else None
    _need("postgres", folder is not None, "no PostgreSQL server (apt-get install postgresql)")
    assert folder is not None
    return folder
