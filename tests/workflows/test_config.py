"""The configuration document: generated files agree with the model, mistakes are explained."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
import yaml

from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.outcomes import outcome_codes
from fieldline.pipeline.records.privacy import DEMO_KEY
from fieldline.pipeline.vault.sealing import DEMO_MASTER
from fieldline.workflows.config.load import DEFAULT, load_config, merge, validate
from fieldline.workflows.config.write import SCHEMA, default_yaml, demo_config, json_schema
from fieldline.workflows.preflight import preflight
from tests.workflows.conftest import REAL_KEY, run_in

ROOT = Path(__file__).resolve().parents[2]
REAL = sorted((ROOT / "workflows/config").glob("*_20*.yaml"))


def test_default_yaml_is_the_one_the_model_generates() -> None:
    assert DEFAULT.read_text(encoding="utf-8") == default_yaml()


def test_json_schema_is_the_one_the_model_generates() -> None:
    assert SCHEMA.read_text(encoding="utf-8") == json_schema()


def test_default_yaml_reads_back_as_the_demo_with_results_where_it_starts() -> None:
    here = Path.cwd() / "results"
    assert load_config() == demo_config().model_copy(update={"results": here})


def test_every_setting_is_described() -> None:
    def sections(schema: dict[str, object]) -> list[tuple[str, str]]:
        return [
            (name, field)
            for name, definition in schema["$defs"].items()  # type: ignore[attr-defined]
            for field, value in definition.get("properties", {}).items()
            if "description" not in value and "$ref" not in value
        ]

    assert sections(json.loads(json_schema())) == []


def test_every_setting_that_a_remedy_names_exists() -> None:
    document = yaml.safe_load(DEFAULT.read_text(encoding="utf-8"))
    sections = "|".join(name for name in document if isinstance(document[name], dict))
    remedies = " ".join(code.remedy for code in outcome_codes().values())
    named = set(re.findall(rf"(?<!/)\b(?:{sections})\.[a-z_.]*[a-z_]", remedies))
    assert "observe.clear.min_dates" in named
    for setting in named:
        place = document
        for part in setting.split("."):
            assert part in place, f"{setting} is no setting"
            place = place[part]


@pytest.mark.parametrize("path", REAL, ids=lambda p: p.stem)
def test_real_county_files_are_valid(path: Path) -> None:
    config = load_config([path])
    assert not config.county[config.counties[0]].simulated


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ({"crops": {"grow": {"treshold": 0.3}}}, "did you mean `threshold`?"),
        ({"countes": ["A"]}, "did you mean `counties`?"),
        ({"county": {"SIM001": {"grid": {"reslution_m": 10}}}}, "did you mean `resolution_m`?"),
        ({"counties": ["NOWHERE"]}, "county 'NOWHERE' is not defined"),
        ({"season": 1999}, "has no season '1999'"),
        ({"county": {"SIM001": {"currency": "XYZ"}}}, "'XYZ' is no currency of ISO 4217"),
        ({"lending": {"policy": {"lgd": "many"}}}, "`lending.policy.lgd`"),
        ({"lending": {"policy": {"lgd": 7}}}, "`lending.policy.lgd`"),
        ({"lending": {"policy": {"limit_step": 0}}}, "`lending.policy.limit_step`"),
        ({"lending": {"policy": {"dscr_min": 0}}}, "`lending.policy.dscr_min`"),
        ({"lending": {"policy": {"day_basis": 362}}}, "`lending.policy.day_basis`"),
        ({"lending": {"policy": {"max_limit": -5}}}, "`lending.policy.max_limit`"),
        ({"lending": {"policy": {"min_limit": 400_000}}}, "min_limit 400000 lies above max_limit"),
        (
            {"county": {"SIM001": {"grid": {"margin_m": 40}}}},
            "grid.margin_m 40 lies under scenes.mask.dilation_m 60",
        ),
        ({"county": {"SIM001": {"inputs": {"catalog": "https://x/catalog.json"}}}}, "on disk"),
        ({"county": {"SIM001": {"inputs": {"catalog": "s3://x/y"}}}}, "root of a STAC API"),
        (
            {"county": {"SIM001": {"inputs": {"catalog": "stac:earthserch"}}}},
            "'earthserch' is no known provider; write one of stac:earth-search",
        ),
        (
            {"county": {"SIM001": {"inputs": {"catalog": "https://me:secret@x/v1"}}}},
            "leave them out (got 'https://***@x/v1')",
        ),
        (
            {"privacy": {"demo_key": True}, "county": {"SIM001": {"simulated": False}}},
            "county 'SIM001' is real and `privacy.demo_key` is true",
        ),
    ],
)
def test_mistakes_are_named_with_the_remedy(document: dict[str, object], sentence: str) -> None:
    default = yaml.safe_load(DEFAULT.read_text(encoding="utf-8"))
    with pytest.raises(UserError, match=r".") as caught:
        validate(merge(default, document))
    assert sentence in str(caught.value)


def test_a_catalog_at_a_provider_is_no_file(tmp_path: Path) -> None:
    for given in ("https://stac.example.org/v1", "stac:earth-search"):
        file = tmp_path / "mine.yaml"
        file.write_text(f"county: {{SIM001: {{inputs: {{catalog: '{given}'}}}}}}\n")
        config = load_config([file])
        assert config.county["SIM001"].inputs.remote_catalog == given
        assert config.input_paths("SIM001", "2024", "catalog") == []
    assert load_config().county["SIM001"].inputs.remote_catalog is None


def test_counties_and_seasons_may_be_a_comma_list() -> None:
    config = load_config((), {"season": "2023,2024", "counties": "SIM001"})
    assert config.seasons == ("2023", "2024")


def test_earlier_seasons_are_oldest_first() -> None:
    config = load_config()
    assert config.earlier_seasons("SIM001", "2024") == ["2023"]
    assert config.earlier_seasons("SIM001", "2023") == []


def test_environment_variables_are_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    default = yaml.safe_load(DEFAULT.read_text(encoding="utf-8"))
    monkeypatch.setenv("FIELDLINE_TEST_FOLDER", "/elsewhere")
    config = validate(merge(default, {"results": "${FIELDLINE_TEST_FOLDER}/results"}))
    assert config.results == Path("/elsewhere/results")
    with pytest.raises(UserError, match="FIELDLINE_NOT_SET"):
        validate(merge(default, {"results": "${FIELDLINE_NOT_SET}/results"}))


def overlay(folder: Path, text: str) -> Path:
    path = folder / "county.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_paths_are_relative_to_the_file_that_holds_them(tmp_path: Path) -> None:
    (tmp_path / "near").mkdir()
    path = overlay(
        tmp_path / "near",
        """
results: ../out
database: sqlite:///store.sqlite
lending: {policy: {rate_ceiling_file: own/ceilings.csv, rule_tables: [own/a.csv, /b.csv]}}
county:
  SIM001:
    inputs: {parcels: [a.gpkg, /b.gpkg], boundary: "{results}/b.geojson", label_codes: codes.csv}
""",
    )
    config = load_config([path], {"counties": "SIM001"})
    inputs = config.county["SIM001"].inputs
    assert config.results == tmp_path / "out"
    assert config.database_url() == f"sqlite:///{tmp_path}/near/store.sqlite"
    assert config.lending.policy.rate_ceiling_file == f"{tmp_path}/near/own/ceilings.csv"
    assert config.lending.policy.rule_tables == (f"{tmp_path}/near/own/a.csv", "/b.csv")
    assert inputs.parcels == (tmp_path / "near/a.gpkg", Path("/b.gpkg"))
    assert config.input_paths("SIM001", "2024", "boundary") == [tmp_path / "out/b.geojson"]
    assert inputs.label_codes == "codes.csv"  # a table of data/, not a file beside the YAML


def test_a_bare_table_name_stays_a_table_of_data() -> None:
    assert load_config().lending.policy.rate_ceiling_file == "rate_ceilings.csv"


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("counties: [A\nseasons: 1", "line 2, column 8"),
        ("county:\n  A:\n    seasons: {x: {start: 2021-13-01}}", "line 3, column 26"),
        ("results: a\nresults: b", "line 2, column 1: the key 'results' stands twice"),
    ],
)
def test_yaml_mistakes_name_line_and_column(tmp_path: Path, text: str, where: str) -> None:
    with pytest.raises(UserError, match="correct that place") as caught:
        load_config([overlay(tmp_path, text)])
    assert where in str(caught.value)


def two_counties() -> dict[str, object]:
    county = load_config().county["SIM001"].model_dump(mode="json")
    return {"B": county | {"seasons": {"spring": county["seasons"]["2024"]}}}


def test_counties_with_different_season_names_run_together() -> None:
    chosen = {"counties": "SIM001,B", "seasons": "2024,spring", "county": two_counties()}
    assert load_config((), chosen).runs() == [("SIM001", "2024"), ("B", "spring")]


@pytest.mark.parametrize("name", ["North Valley", "县一", "a/b", "..", ".x", "2024/25", ""])
@pytest.mark.parametrize("what", ["county", "season"])
def test_an_id_by_which_no_folder_can_be_named_is_refused_with_what_to_write(
    what: str, name: str
) -> None:
    document = yaml.safe_load(DEFAULT.read_text(encoding="utf-8"))
    (county,) = document["county"].values()
    document["county"] = {"C1": county}
    document |= {"counties": ["C1"], "seasons": ["2024"]}
    validate(document)
    if what == "county":
        document |= {"counties": [name], "county": {name: county}}
    else:
        county["seasons"] = {name: county["seasons"]["2024"]}
        document["seasons"] = [name]
    with pytest.raises(UserError, match=rf"{what} {re.escape(repr(name))}.* is no id.*digits, _"):
        validate(document)


def test_a_season_that_no_county_has_is_refused() -> None:
    with pytest.raises(UserError, match="no county has a season 'autumn'"):
        load_config((), {"seasons": "2024,autumn"})
    with pytest.raises(UserError, match="county 'B' has no season '2024'"):
        load_config((), {"counties": "SIM001,B", "county": two_counties()})


def test_a_real_county_needs_a_key_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    real = {"county": {"SIM001": {"simulated": False}}}
    config = load_config((), real)
    assert config.privacy_of("SIM001").demo_key is False
    assert load_config().privacy_of("SIM001").demo_key is True
    monkeypatch.delenv("FIELDLINE_PSEUDONYM_KEY", raising=False)
    said = [str(problem) for problem in preflight(config)]
    assert any(
        "FIELDLINE_PSEUDONYM_KEY is not set, so the pseudonym key is missing" in text
        for text in said
    )
    monkeypatch.setenv("FIELDLINE_PSEUDONYM_KEY", DEMO_KEY.decode())
    assert any("published demonstration key" in str(problem) for problem in preflight(config))


def test_a_simulated_county_without_its_extra_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("fieldline.workflows.preflight._SIMULATOR", ("no_such_library",))
    (problem,) = preflight(load_config())
    assert "county SIM001 is simulated and no_such_library cannot be imported" in str(problem)
    assert "pip install 'fieldline[simulate]'" in str(problem)


def test_preflight_names_each_missing_input_once_and_days_to_come(
    tmp_path: Path, real_keys: None
) -> None:
    present = tmp_path / "here.gpkg"
    present.touch()
    season = {"start": "2098-10-01", "end": "2099-09-30", "as_of": "2099-09-30"}
    inputs = {"parcels": str(present), "catalog": str(tmp_path / "no" / "catalog.json")}
    county = {"title": "X", "inputs": inputs, "seasons": {"2099": season}}
    chosen = {
        "counties": "X",
        "seasons": "2099",
        "results": tmp_path / "r",
        "county": {"X": county},
    }
    said = [
        str(problem) for problem in preflight(load_config((), chosen | {"county": {"X": county}}))
    ]
    assert len(said) == 3
    assert "input `catalog` of county X" in said[0]
    assert "the rate ceiling for CNY was checked until" in said[2]
    assert "neither does its folder" in said[0]
    assert "`county.X.seasons.2099.as_of` is 2099-09-30, which is still to come" in said[1]
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    ("overlay", "key", "vault_key", "said"),
    [
        ("privacy: {demo_key: true}\n", REAL_KEY, REAL_KEY, "the demonstration key is published"),
        ("", "", REAL_KEY, "FIELDLINE_PSEUDONYM_KEY is not set"),
        ("", "k" * 40, REAL_KEY, "a text that repeats itself"),
        ("", DEMO_KEY.decode(), REAL_KEY, "holds the published demonstration key"),
        ("", REAL_KEY, "", "FIELDLINE_VAULT_KEY is not set, so the master key of the vault"),
        ("", REAL_KEY, DEMO_MASTER.decode(), "holds the published demonstration key"),
    ],
)
def test_no_way_into_a_run_gives_real_people_pseudonyms_that_anybody_can_make(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    overlay: str,
    key: str,
    vault_key: str,
    said: str,
) -> None:
    monkeypatch.setenv("FIELDLINE_PSEUDONYM_KEY", key)
    monkeypatch.setenv("FIELDLINE_VAULT_KEY", vault_key)
    file = tmp_path / "mine.yaml"
    results = f"results: {tmp_path / 'results'}\n"
    file.write_text(f"{overlay}{results}county: {{SIM001: {{simulated: false}}}}\n")
    fieldline = [sys.executable, "-m", "fieldline.workflows.cli"]
    snakemake = [sys.executable, "-m", "snakemake", "--cores", "1", "--configfile", str(file)]
    for command in (
        [*fieldline, "config", "check", str(file)],
        [*snakemake, "--dry-run"],
        snakemake,
    ):
        done = run_in(ROOT, command)
        assert done.returncode == 2, (command, done.stderr)
        assert said in done.stderr
        assert "Traceback" not in done.stderr
    run = run_in(ROOT, [*fieldline, "run", "--config", str(file)])
    assert run.returncode == 2
    assert said in run.stderr
    assert len(run.stderr.strip().splitlines()) == 1
    assert not [p for p in tmp_path.rglob("*") if p.is_file() and p != file]
