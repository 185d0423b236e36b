"""A province in one configuration: planned in batches, and a job reads its own county alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from fieldline.pipeline.records.errors import UserError
from fieldline.workflows.batches import batches, command_of
from fieldline.workflows.config.load import load_config
from fieldline.workflows.config.model import Config
from fieldline.workflows.plan import FILES, plan_of
from tests.workflows.conftest import ROOT


def province(folder: Path, counties: int, **more: Any) -> Path:
    default = yaml.safe_load((ROOT / "workflows/config/default.yaml").read_text(encoding="utf-8"))
    one = default["county"]["SIM001"]
    county = {f"C{number:03d}": one for number in range(counties)} | more
    path = folder / "province.yaml"
    document = {"counties": [f"C{n:03d}" for n in range(counties)], "county": county}
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


def named(counties: int) -> Config:
    names = tuple(f"C{number:03d}" for number in range(counties))
    one = load_config()
    county = dict.fromkeys(names, one.county["SIM001"])
    return one.model_copy(update={"counties": names, "county": county})


@pytest.mark.parametrize(
    ("counties", "sizes"), [(1, [1]), (100, [100]), (101, [100, 1]), (250, [100, 100, 50])]
)
def test_counties_are_planned_a_hundred_at_a_time_each_once(
    tmp_path: Path, counties: int, sizes: list[int]
) -> None:
    config = named(counties).model_copy(update={"results": tmp_path})
    parts = [part for _, part in batches([], config, config.counties)]
    assert [len(part) for part in parts] == sizes
    assert tuple(county for part in parts for county in part) == config.counties


def test_a_job_checks_the_county_that_it_is_of_and_no_other(tmp_path: Path) -> None:
    file = province(tmp_path, 3, BROKEN={"currency": "CNY"})
    plan = plan_of([], {"counties": "C001", FILES: [str(file)]}, str)
    assert list(plan.config.county) == ["C001"]
    with pytest.raises(UserError, match=r"`county\.BROKEN\.title`: Field required"):
        load_config([file], {"counties": "C001"})


def test_jobs_of_a_batch_read_its_counties_alone_and_as_the_lender_wrote_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BANK_PASSWORD", "secret")
    own = tmp_path / "bank"
    own.mkdir()
    file = province(own, 150)
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    document["database"] = "postgresql://bank:${BANK_PASSWORD}@host/offers"
    document["results"] = "../out"
    for county in document["county"].values():
        county["inputs"]["parcels"] = ["drawn/{county}.gpkg"]
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    config = load_config([file], {})
    (first, names), (second, others) = batches([file], config, config.counties)
    assert (len(names), len(others)) == (100, 50)
    for (copy,), part in ((first, names), (second, others)):
        assert copy.is_relative_to(tmp_path / "out" / ".fieldline" / "config")
        told = yaml.safe_load(copy.read_text(encoding="utf-8"))
        assert list(told["county"]) == list(part)
        assert "secret" not in copy.read_text(encoding="utf-8")
    read = load_config(second, {"counties": ",".join(others)}, selected=True)
    whole = load_config([file], {"counties": ",".join(others)}, selected=True)
    assert read == whole
    assert read.county["C149"].inputs.parcels == whole.county["C149"].inputs.parcels
    assert str(own / "drawn") in str(read.county["C149"].inputs.parcels)


def test_a_county_that_is_not_defined_is_told_with_all_that_are(tmp_path: Path) -> None:
    file = province(tmp_path, 2)
    with pytest.raises(UserError, match=r"'C009' is not defined; known: .*C000.*C001"):
        load_config([file], {"counties": "C001,C009"}, selected=True)


def test_a_batch_is_asked_for_the_seasons_of_its_own_counties(tmp_path: Path) -> None:
    file = province(tmp_path, 2)
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    document["county"] = {name: dict(county) for name, county in document["county"].items()}
    seasons = document["county"]["C000"]["seasons"]
    document["county"]["C000"]["seasons"] = {"early": seasons["2023"]}
    document["county"]["C001"]["seasons"] = {"late": seasons["2024"]}
    document["seasons"] = ["early", "late"]
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    config = load_config([file], {})
    for county, season in (("C000", "early"), ("C001", "late")):
        command = command_of([file], config, start=None, cores=1, counties=(county,))
        assert f"counties={county}" in command
        assert f"seasons={season}" in command
        load_config([file], {"counties": county, "seasons": season}, selected=True)


def test_the_key_of_a_copy_is_unknown_in_a_file_of_the_lenders(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    for value in ("null", "/elsewhere"):
        file.write_text(f"relative_to: {value}\n", encoding="utf-8")
        with pytest.raises(UserError, match="relative_to"):
            load_config([file])
