from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xgboost as xgb

from fieldline.lending.risk.card import train_pd
from fieldline.lending.risk.default_model import Loans, PdModel
from fieldline.lending.risk.features import of_loans
from fieldline.lending.risk.folder import FILES, MANIFEST, read_model, write_model
from fieldline.lending.risk.gate import approved, gate
from fieldline.lending.risk.serve import pd_of
from fieldline.lending.settings import PolicySettings, RiskSettings
from fieldline.pipeline.records.errors import UserError


def trained(loans: pd.DataFrame, seed: int = 1) -> PdModel:
    learnt = Loans(
        of_loans(loans, PolicySettings()), loans["defaulted"].to_numpy("float64"),
        loans["household_id"].to_numpy("str"), loans["season"].to_numpy("str"), 334,
    )  # fmt: skip
    return train_pd(learnt, RiskSettings(trees=40, search=0, seed=seed))


def written(folder: Path, model: PdModel) -> Path:
    card = {**model.card, "trained": True, "version": model.label}
    write_model(folder, replace(model, card={}).to_dict(), card)
    return folder / MANIFEST


@pytest.fixture(scope="module")
def model(loans: pd.DataFrame) -> PdModel:
    return trained(loans)


def test_a_folder_read_back_serves_the_same(tmp_path: Path, model: PdModel) -> None:
    document, card = read_model(written(tmp_path, model))
    assert document is not None
    assert document["version"] == model.version
    assert card["boosting"] == model.card["boosting"]
    features = dict.fromkeys(model.names, 0.4)
    said = pd_of(document, features, 334)
    assert float(said.pd) == model.predict(pd.DataFrame([features]))[0].pd


def test_the_probability_is_brought_to_the_days_asked_for(model: PdModel) -> None:
    features: dict[str, float | None] = {**dict.fromkeys(model.names, 0.4), "stability": None}
    own = float(pd_of(model, features, 334).pd)
    half = float(pd_of(replace(model, card={}).to_dict(), features, 167).pd)
    assert half == pytest.approx(1 - (1 - own) ** 0.5, abs=2e-6)


def test_the_trees_open_in_xgboost_itself(
    tmp_path: Path, model: PdModel, loans: pd.DataFrame
) -> None:
    written(tmp_path, model)
    booster = xgb.Booster(model_file=str(tmp_path / "trees.json"))
    values = of_loans(loans, PolicySettings())[model.names].head(30)
    margin = booster.inplace_predict(values.to_numpy(), predict_type="margin")
    assert margin == pytest.approx([one.margin for one in model.predict(values)], abs=1e-6)


def test_the_printed_scorecard_adds_up_by_hand(
    tmp_path: Path, model: PdModel, loans: pd.DataFrame
) -> None:
    written(tmp_path, model)
    with (tmp_path / "scorecard.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    values = of_loans(loans, PolicySettings())[model.names].head(30)
    for _, row in values.iterrows():
        total = float(rows[0]["log_odds"])
        for name in model.names:
            own = [r for r in rows[1:] if r["feature"] == name and r["from"] != "missing"]
            total += next(
                float(r["log_odds"]) for r in own
                if float(r["from"] or -np.inf) <= row[name] < float(r["below"] or np.inf)
            )  # fmt: skip
        said = model.challenger.margin(row.to_numpy("float64")[None, :])[0]
        assert total == pytest.approx(said)


@pytest.mark.parametrize("name", FILES)
def test_one_changed_byte_is_found(tmp_path: Path, model: PdModel, name: str) -> None:
    manifest = written(tmp_path, model)
    content = (tmp_path / name).read_text(encoding="utf-8")
    (tmp_path / name).write_text(content.replace("1", "2", 1), encoding="utf-8")
    with pytest.raises(UserError, match=f"{name} is damaged"):
        read_model(manifest)


def test_a_model_and_a_manifest_changed_together_are_found(tmp_path: Path, model: PdModel) -> None:
    document = replace(model, card={}).to_dict()
    document["challenger"]["intercept"] += 1
    write_model(tmp_path, document, {"trained": True})
    with pytest.raises(UserError, match="version is not the hash"):
        read_model(tmp_path / MANIFEST)


@pytest.mark.parametrize("gone", [*FILES, MANIFEST])
def test_a_missing_file_is_one_sentence(tmp_path: Path, model: PdModel, gone: str) -> None:
    manifest = written(tmp_path, model)
    (tmp_path / gone).unlink()
    with pytest.raises(UserError, match=f"{gone} cannot be read"):
        read_model(manifest)


def test_the_gate_lets_a_sound_model_in_and_writes_its_version(
    tmp_path: Path, model: PdModel
) -> None:
    manifest = written(tmp_path, model)
    with pytest.raises(UserError, match="is not approved"):
        approved(manifest)
    assert gate(manifest, by="committee") == []
    told = json.loads((tmp_path / "approval.json").read_text())
    assert (told["version"], told["by"]) == (model.version, "committee")
    assert approved(manifest)[1]["version"] == model.label


def test_the_gate_refuses_a_worse_model(
    tmp_path: Path, model: PdModel, loans: pd.DataFrame
) -> None:
    today = written(tmp_path / "today", model)
    noise = np.random.default_rng(0)
    mixed = loans["defaulted"].where(noise.random(len(loans)) > 0.35, noise.random() > 0.5)
    worse = trained(loans.assign(defaulted=mixed.astype(bool)))
    manifest = written(tmp_path / "worse", worse)
    assert any("of today's" in objection for objection in gate(manifest, today))
    assert not (tmp_path / "worse" / "approval.json").exists()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"has_skill": False}, "no better than chance"),
        ({"ece": 0.09}, "off by 0.090"),
        ({"trained": False}, "no trained model"),
    ],
)
def test_the_gate_refuses_by_the_card(
    tmp_path: Path, model: PdModel, change: dict[str, object], says: str
) -> None:
    card = {**model.card, "trained": True, "version": model.label, "problem": ""}
    figures = {**model.card["boosting"], "ece": 0.01, "ece_by_chance": 0.01}
    figures |= {name: value for name, value in change.items() if name == "ece"}
    rest = {name: value for name, value in change.items() if name != "ece"}
    write_model(tmp_path, replace(model, card={}).to_dict(), {**card, "boosting": figures, **rest})
    (objection,) = gate(tmp_path / MANIFEST)
    assert says in objection


def test_an_approval_holds_for_its_version_alone(
    tmp_path: Path, model: PdModel, loans: pd.DataFrame
) -> None:
    manifest = written(tmp_path, model)
    assert gate(manifest) == []
    written(tmp_path, trained(loans.head(700)))
    with pytest.raises(UserError, match="is not approved"):
        approved(manifest)
