import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from fieldline.pipeline.records.errors import UserError
from fieldline.workflows.cli import app, main
from tests.crops.recognise.point_files import BANDS, arrays, write

FAST = """
crops:
  classify: {trees: 30, rounds: 12, folds: 3, augment: 0, shares_from: 50, network: never}
"""


def run(*words: str) -> str:
    result = CliRunner().invoke(app, ["crops", *words])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def fast(tmp_path: Path) -> Path:
    path = tmp_path / "fast.yaml"
    path.write_text(FAST)
    return path


def test_points_are_evaluated_and_the_figures_written(tmp_path: Path, fast: Path) -> None:
    file, out = write(tmp_path / "p.npz"), tmp_path / "out.json"
    shown = run("evaluate", str(file), "--protocol", "per-class:20", "--seeds", "2",
                "--holdout", "zone", "--json", str(out), "-c", str(fast))  # fmt: skip
    found = json.loads(out.read_text())
    assert found["file"] == "p.npz"
    assert len(found["splits"]) == 4
    assert set(found["parts"]) == {"zone 0", "zone 1"}
    assert "random_forest" in shown


def test_a_table_of_series_is_evaluated_in_blocks(tmp_path: Path, fast: Path) -> None:
    held = arrays()
    dates = pd.date_range("2021-01-05", periods=24, freq="15D")
    parts = []
    for number, values in enumerate(held["X"]):
        seen = values.all(axis=1)
        part = pd.DataFrame(values[seen] * 1e-4, columns=list(BANDS))
        part["sample_id"], part["date"] = f"s{number:03d}", dates[seen].strftime("%Y-%m-%d")
        part["crop"] = {1: "maize", 5: "soybean", 24: "winter_wheat"}[held["cdl_code"][number]]
        part["lon"], part["lat"] = held["lonlat"][number]
        parts.append(part)
    pd.concat(parts).to_csv(tmp_path / "t.csv", index=False)
    shown = run("evaluate", str(tmp_path / "t.csv"), "--protocol", "blocks:20000", "--no-peers",
                "-c", str(fast), "--json", str(tmp_path / "o.json"))  # fmt: skip
    found = json.loads((tmp_path / "o.json").read_text())
    assert found["classes"] == {"maize": 80, "soybean": 80, "winter_wheat": 80}
    assert found["models"]["fieldline"]["accuracy"]["value"] > 0.9
    assert "240 series of 3 classes" in shown


def test_a_wrong_file_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez(tmp_path / "p.npz", a=np.zeros(3))
    for file, said in (("p.npz", "no array X"), ("none.npz", "does not exist")):
        monkeypatch.setattr("sys.argv", ["fieldline", "crops", "evaluate", str(tmp_path / file)])
        with pytest.raises(SystemExit) as stopped:
            main()
        assert stopped.value.code == 2
        assert said in capsys.readouterr().err


def test_a_model_is_trained_gated_and_refused_where_it_learnt_nonsense(
    tmp_path: Path, fast: Path
) -> None:
    learn = write(tmp_path / "learn.npz")
    test = write(tmp_path / "test.npz", **arrays(seed=5))
    wrong = np.random.default_rng(0).permutation(arrays()["cdl_code"])
    nonsense = write(tmp_path / "nonsense.npz", cdl_code=wrong)
    for name, file in (("good", learn), ("bad", nonsense)):
        run("train", str(file), "--out", str(tmp_path / name), "-c", str(fast))
    shown = run("gate", str(tmp_path / "good"), "--on", str(test), "--by", "committee")
    assert shown.startswith("approved: ")
    assert json.loads((tmp_path / "good/approval.json").read_text())["by"] == "committee"
    refused = CliRunner().invoke(app, ["crops", "gate", str(tmp_path / "bad"), "--on", str(test),
                                       "--against", str(tmp_path / "good")])  # fmt: skip
    assert refused.exit_code == 3
    assert "refused: macro-F1 falls" in refused.output
    assert not (tmp_path / "bad/approval.json").exists()
    own = CliRunner().invoke(app, ["crops", "gate", str(tmp_path / "good"), "--on", str(learn)])
    assert own.exit_code == 3
    assert "learnt from" in own.output
    weights = tmp_path / "good/arrays.npz"
    content = bytearray(weights.read_bytes())
    content[len(content) // 3] ^= 1
    weights.write_bytes(content)
    with pytest.raises(UserError, match=r"arrays\.npz is damaged"):
        CliRunner().invoke(app, ["crops", "gate", str(tmp_path / "good"), "--on", str(test)],
                           catch_exceptions=False)  # fmt: skip


@pytest.mark.parametrize("command", ["evaluate", "train"])
def test_weights_that_cannot_be_read_are_one_sentence(
    tmp_path: Path, fast: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch, command: str,
) -> None:  # fmt: skip
    pytest.importorskip("torch", reason="torch is not installed (extra networks)")
    file, weights = write(tmp_path / "p.npz"), tmp_path / "w.pt"
    weights.write_bytes(b"no weights")
    out = ["--out", str(tmp_path / "m")] if command == "train" else []
    for named, said in ((weights, "holds no weights that"), (tmp_path / "no.pt", "cannot be read")):
        words = ["fieldline", "crops", command, str(file), "--presto", str(named), "-c", str(fast)]
        monkeypatch.setattr("sys.argv", words + out)
        with pytest.raises(SystemExit) as stopped:
            main()
        assert stopped.value.code == 2
        told = capsys.readouterr().err
        assert said in told
        assert "leave crops.classify.presto empty" in told
