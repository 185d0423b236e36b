"""The configuration document: generated files agree with the model, mistakes are explained."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.outcomes import outcome_codes
from fieldline.workflows.config.load import DEFAULT, load_config, merge, validate
from fieldline.workflows.config.write import SCHEMA, default_yaml, demo_config, json_schema

ROOT = Path(__file__).resolve().parents[2]
REAL = sorted((ROOT / "workflows/config").glob("*_20*.yaml"))


def test_default_yaml_is_the_one_the_model_generates() -> None:
    assert DEFAULT.read_text(encoding="utf-8") == default_yaml()


def test_json_schema_is_the_one_the_model_generates() -> None:
    assert SCHEMA.read_text(encoding="utf-8") == json_schema()


def test_default_yaml_reads_back_as_the_demo() -> None:
    assert load_config() == demo_config()


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
    ],
)
def test_mistakes_are_named_with_the_remedy(document: dict[str, object], sentence: str) -> None:
    default = yaml.safe_load(DEFAULT.read_text(encoding="utf-8"))
    with pytest.raises(UserError, match=r".") as caught:
        validate(merge(default, document))
    assert sentence in str(caught.value)


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
