from __future__ import annotations

import csv
import time
from collections.abc import Iterator
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest

from fieldline.pipeline.imagery.limits import (
    BudgetError,
    Meter,
    OutOfTimeError,
    Use,
    check_budget,
)
from fieldline.pipeline.imagery.pull import pull_of
from fieldline.pipeline.imagery.settings import BudgetSettings, TariffSettings
from fieldline.pipeline.imagery.sources.providers import providers
from fieldline.pipeline.imagery.tariffs import Tariff, processing_units, tariff_of
from fieldline.pipeline.records.errors import UserError
from tests.pipeline.imagery.pulling import QUICK, SCENES, choose, county, files_of, scenes_of, told
from tests.pipeline.imagery.tiny_archive import GRID, write_archive
from tests.services.stac_api import Fault, StacApi, serving


class Clock:
    """A clock that goes on only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_no_minute_sees_more_requests_than_the_rate_and_a_seconds_burst() -> None:
    clock, sent = Clock(), []
    tariff = Tariff(requests_per_minute=300)
    guard = Meter(BudgetSettings(), tariff, clock=clock, sleep=clock.sleep).scene(1e9)
    for number in range(1500):
        if number == 700:
            clock.now += 400  # a long pause saves up no more than a second
        guard.ask(0)
        sent.append(clock.now)
    for start in range(0, 800, 7):
        assert sum(start <= moment < start + 60 for moment in sent) <= 300 + 5
    # five a second from the first on, the pause apart: 1,500 take 300 s less the burst's second
    assert sent[-1] - 400 == pytest.approx(300, abs=2)


def test_a_turn_that_comes_too_late_is_not_waited_for() -> None:
    clock = Clock()
    tariff = Tariff(units_per_minute=60)
    meter = Meter(BudgetSettings(), tariff, clock=clock, sleep=clock.sleep)
    meter.spend(10, float("inf"))
    assert clock.now == pytest.approx(10, abs=1.01)
    before = clock.now
    with pytest.raises(OutOfTimeError, match="rate_limit_exceeds_deadline"):
        meter.spend(100, before + 50)
    assert (clock.now, meter.used.units) == (before, 10)
    meter.spend(1, before + 5)


def test_requests_are_paced_by_the_tariff_and_a_deadline_ends_the_wait() -> None:
    clock = Clock()
    meter = Meter(BudgetSettings(), Tariff(requests_per_minute=60), clock=clock)
    assert meter.tariff.requests_per_minute == 60
    guard = meter.scene(0.5)
    with pytest.raises(OutOfTimeError, match="rate_limit_exceeds_deadline"):
        guard.ask(100)  # its turn comes after a second
    assert meter.used.bytes == 0
    clock.now = 1
    with pytest.raises(OutOfTimeError, match="scene_deadline"):
        guard.ask(1)
    late = Meter(BudgetSettings(), Tariff(), run_deadline=0.5, clock=clock)
    with pytest.raises(OutOfTimeError, match="run_deadline"):
        late.scene(100).ask(1)


@pytest.mark.parametrize(
    ("limits", "use", "name"),
    [
        ({"bytes": 99}, Use(bytes=100), "bytes"),
        ({"requests": 0}, Use(requests=1), "requests"),
        ({"processing_units": 1.5}, Use(units=1.6), "processing_units"),
        # 2.5 GB at 0.09 and 10 units at 0.005: 0.225 + 0.05 = 0.275, told as 0.28
        ({"money": "0.27"}, Use(bytes=2_500_000_000, units=10.0), "money"),
    ],
)
def test_a_budget_allows_what_it_says_and_not_one_more(
    limits: dict[str, Any], use: Use, name: str
) -> None:
    tariff = Tariff(price_per_unit=Decimal("0.005"), price_per_gb=Decimal("0.09"), currency="EUR")
    with pytest.raises(BudgetError, match=f"`pull.budget.{name}` of .* would be exceeded"):
        check_budget(use, BudgetSettings(**limits), tariff)
    enough = {"bytes": 100, "requests": 1, "processing_units": 1.6, "money": "0.28"}
    check_budget(use, BudgetSettings(**{name: enough[name]}), tariff)


def test_money_without_a_known_price_is_refused_with_the_remedy() -> None:
    with pytest.raises(UserError, match=r"not known: set pull\.tariff"):
        check_budget(Use(1, 10), BudgetSettings(money=Decimal(5)), Tariff())


def test_a_contracts_own_figures_go_before_the_tables() -> None:
    listed = tariff_of("sentinelhub:cdse", TariffSettings())
    assert (listed.requests_per_minute, listed.units_per_minute) == (300, 300)
    own = tariff_of(
        "sentinelhub:cdse", TariffSettings(price_per_unit=Decimal("0.01"), currency="EUR")
    )
    assert (own.requests_per_minute, own.price(0, 250.0)) == (300, Decimal("2.50"))
    assert own.source == "pull.tariff"
    assert tariff_of("stac:nobody.example.org", TariffSettings()).price(1, 0) is None


def test_the_services_of_one_house_keep_their_own_rates(tmp_path: Path, api: StacApi) -> None:
    """Copernicus states 300 requests a minute of Sentinel Hub, and none of its S3 store."""
    store = tariff_of("stac:cdse", TariffSettings())
    rendered = tariff_of("sentinelhub:cdse", TariffSettings())
    assert (store.requests_per_minute, store.units_per_minute) == (None, None)
    assert (rendered.requests_per_minute, rendered.units_per_minute) == (300, 300)
    assert store.price(10**9, 0) == rendered.price(10**9, 5.0) == 0
    outlines = gpd.read_parquet(county(tmp_path))
    pull = pull_of(api.root, outlines, SCENES, GRID, QUICK, tmp_path)
    assert pull.meter.tariff == Tariff()  # an API of one's own has no row


def test_every_row_of_the_tariffs_is_of_a_provider_that_can_be_asked() -> None:
    with (files("fieldline") / "data" / "provider_tariffs.csv").open(encoding="utf-8") as handle:
        rows = [row["provider"] for row in csv.DictReader(handle)]
    assert sorted(rows) == sorted(providers())


def test_processing_units_are_those_of_the_providers_own_examples() -> None:
    # sentinel-hub.com FAQ: 2000 x 2000, two bands, 16 bit: 20.34 with orthorectification (x 2)
    assert 2 * processing_units(2000, 2000, 2) == pytest.approx(20.34, abs=0.01)
    # 500 of 500 x 500 with the same: 635.78
    assert 500 * 2 * processing_units(500, 500, 2) == pytest.approx(635.78, abs=0.01)
    assert processing_units(512, 512, 3) == 1
    # the least: a hundredth of the area, five thousandths of a unit
    assert processing_units(1, 1, 3) == 0.01
    assert processing_units(1, 1, 1) == 0.005


@pytest.fixture
def api(tmp_path: Path) -> Iterator[StacApi]:
    write_archive(tmp_path / "archive", scenes_of())
    with serving(StacApi(tmp_path / "archive")) as service:
        yield service


def budget(**limits: Any) -> Any:
    return QUICK.model_copy(update={"budget": BudgetSettings(**limits)})


@pytest.mark.parametrize("name", ["bytes", "requests"])
def test_a_budget_of_nothing_asks_for_no_file_and_leaves_none(
    tmp_path: Path, api: StacApi, name: str
) -> None:
    with pytest.raises(UserError, match=f"`pull.budget.{name}` of 0 would be exceeded"):
        choose(tmp_path, api.root, pull=budget(**{name: 0}))
    assert (api.asked(r"\.tif"), api.sent) == (0, 0)
    assert files_of(tmp_path / "results") == {}


def test_a_run_stops_before_its_budget_and_goes_on_when_it_is_raised(
    tmp_path: Path, api: StacApi
) -> None:
    undisturbed = files_of(choose(tmp_path / "undisturbed", api.root))
    whole = api.sent
    api.reset()
    results = tmp_path / "results"
    with pytest.raises(UserError, match=rf"`pull.budget.bytes` of {whole - 1} would be exceeded"):
        choose(tmp_path, api.root, pull=budget(bytes=whole - 1))
    assert api.sent < whole / 2  # file headers alone
    assert not list(results.rglob("*.tif"))
    assert not (results / "scenes.parquet").exists()
    choose(tmp_path, api.root, pull=budget(bytes=whole))
    assert api.sent == whole
    assert files_of(results) == undisturbed
    api.reset()  # what is there costs nothing
    choose(tmp_path, api.root, pull=budget(bytes=0, requests=0))
    assert api.sent == 0


def test_requests_that_are_repeated_count_too(tmp_path: Path, api: StacApi) -> None:
    choose(tmp_path / "calm", api.root)
    asked = api.asked(r"\.tif")
    api.reset()
    api.faults = [Fault("503", times=1, each=True)]
    with pytest.raises(UserError, match=r"pull.budget.requests"):
        choose(tmp_path, api.root, pull=budget(requests=asked))
    assert api.asked(r"\.tif") <= asked


def test_a_body_that_drips_is_given_up_at_the_scenes_deadline(tmp_path: Path, api: StacApi) -> None:
    """Each byte comes before the silence counts as one; the whole would take minutes."""
    api.faults = [Fault("drip", path=r"S2_1_B04\.tif$")]
    settings = QUICK.model_copy(update={"scene_deadline_s": 1.5, "timeout_s": 1.0})
    start = time.monotonic()
    results = choose(tmp_path, api.root, pull=settings)
    assert time.monotonic() - start < 15
    said = told(results / "chosen.parquet")
    assert said["S2_1"] == (
        "scene_provider_error", "asset=B04 reason=scene_deadline attempts=1",
    )  # fmt: skip
    assert {said["S2_0"][0], said["S2_2"][0]} == {"ok"}


def test_scenes_that_the_run_has_no_time_for_are_lost_and_said(
    tmp_path: Path, api: StacApi
) -> None:
    """The first file drips for longer than there is, one scene at a time."""
    api.faults = [Fault("drip", path=r"\.tif$", piece=1)]
    settings = QUICK.model_copy(update={"run_deadline_s": 4.0, "connections": 1})
    said = told(choose(tmp_path, api.root, pull=settings) / "chosen.parquet")
    assert set(said.values()) == {
        ("scene_provider_error", "asset=B02 reason=run_deadline attempts=1")
    }
    assert api.asked(r"\.tif") == 1
