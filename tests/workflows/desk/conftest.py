"""A desk on the tiny county: its results copied, answered in process, served, and in a browser."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from fastapi.testclient import TestClient
from playwright.sync_api import Error

from fieldline.desk.app.desk import Desk
from fieldline.desk.app.places import Shelf, StageName
from fieldline.desk.app.reviewing import Item
from fieldline.desk.app.scope import Scope
from fieldline.desk.app.server import application
from fieldline.workflows.stages import STAGES
from tests.services.desk import served
from tests.workflows.conftest import ChainRun

PLACE = "2024/SIM001"


@pytest.fixture(scope="module")
def folder(tiny_run: ChainRun) -> Path:
    """Results of the tiny county, to be changed at will; beside it, so that scenes are found."""
    copied = tiny_run.results.parent / "desk"
    shutil.rmtree(copied, ignore_errors=True)
    shutil.copytree(tiny_run.results, copied, ignore=shutil.ignore_patterns(".snakemake"))
    return copied


@pytest.fixture(scope="module")
def desk(folder: Path) -> Desk:
    stages = tuple(StageName(stage.name, stage.title) for stage in STAGES)
    shelf = Shelf(folder, stages, {"SIM001": "Simulated county 001"})
    return Desk(shelf, f"sqlite:///{folder / 'fieldline.sqlite'}")


@pytest.fixture(scope="module")
def client(desk: Desk) -> TestClient:
    return TestClient(application(desk), base_url="http://127.0.0.1", follow_redirects=False)


@pytest.fixture(scope="module")
def address(desk: Desk) -> Iterator[str]:
    """A desk that is served."""
    with served(desk) as found:
        yield found


def waiting(desk: Desk) -> list[Item]:
    """Return the cases that wait for a first person."""
    entries = desk.store.cases(Scope("Ann"), "SIM001")
    return [item for item in desk.store.items(entries) if item.said == "waits"]


def table(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_parquet(folder / PLACE / f"{name}.parquet")


def wait_for(page: Any, script: str, seconds: float = 60) -> Any:
    """Poll: the policy refuses a string that playwright would have the page evaluate."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            found = page.evaluate(script)
        except Error:  # the page is on its way to the next one
            found = None
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"{script} never held: {page.evaluate('() => document.body.innerText')}")


IDLE = "() => document.body.dataset.idle"


@pytest.fixture(scope="module")
def page(chromium: str, desk_scripts: None) -> Iterator[Any]:
    """A browser page that notes what went wrong and what left the origin."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as player:
        flags = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
        browser = player.chromium.launch(executable_path=chromium, args=flags)
        page = browser.new_page(viewport={"width": 1200, "height": 800}, locale="en-GB")
        page.faults = []
        page.asked = []
        page.on("pageerror", lambda error: page.faults.append(str(error)))
        page.on("console", lambda m: m.type == "error" and page.faults.append(m.text))
        page.on("request", lambda request: page.asked.append(request.url))
        yield page
        browser.close()
