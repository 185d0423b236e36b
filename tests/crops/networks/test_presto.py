"""Presto's encoder: against arithmetic without torch, and every file that may not be read."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed (extra networks)")

import torch
from safetensors.numpy import save_file

from fieldline.crops.networks import machine, presto
from fieldline.crops.networks.machine import choose_machine
from fieldline.crops.networks.presto import embedded, read_encoder
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.reference import table_rows
from tests.crops.networks.made_presto import known, made_weights, write_torch


def test_a_torch_file_and_a_safetensors_file_of_the_same_arrays_are_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = made_weights()
    one = read_encoder(known(monkeypatch, write_torch(tmp_path / "a.pt", weights), weights))
    safe = tmp_path / "b.safetensors"
    save_file({f"encoder.{name}": values for name, values in weights.items()}, safe)
    two = read_encoder(safe)
    assert one.origin == two.origin
    assert one.origin["name"] == "made"
    assert set(one.weights) == set(two.weights) == set(weights)
    assert all(np.array_equal(one.weights[n], two.weights[n]) for n in weights)


def test_the_table_states_hash_licence_and_version_of_each() -> None:
    for row in table_rows(presto.TABLE):
        assert row["licence"]
        assert row["version"]
        assert len(bytes.fromhex(row["sha256"])) == len(bytes.fromhex(row["arrays_sha256"])) == 32


def test_a_changed_byte_makes_a_file_unknown_and_it_is_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = known(monkeypatch, write_torch(tmp_path / "a.pt", made_weights()))
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("it was opened"))
    with pytest.raises(UserError, match=r"a\.pt holds no weights that .* knows: its SHA-256"):
        read_encoder(file)


def test_safetensors_of_other_arrays_are_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = made_weights()
    known(monkeypatch, write_torch(tmp_path / "a.pt", weights), weights)
    weights["norm.bias"][3] += 1e-6
    safe = tmp_path / "b.safetensors"
    save_file({f"encoder.{name}": values for name, values in weights.items()}, safe)
    with pytest.raises(UserError, match="of its arrays is none of them"):
        read_encoder(safe)
    safe.write_bytes(b"no header")
    with pytest.raises(UserError, match="is no safetensors file"):
        read_encoder(safe)


class _Runs:
    """What a pickle would do that was made to harm."""

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (Path("harmed"),)


def test_a_known_file_that_would_run_code_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.pt").write_bytes(pickle.dumps({"encoder.norm.bias": _Runs()}, protocol=2))
    with pytest.raises(UserError, match="holds no plain numbers"):
        read_encoder(known(monkeypatch, Path("a.pt")))
    assert not Path("harmed").exists()


@pytest.mark.parametrize("wrong", ["absent", "shape", "nan"])
def test_arrays_that_do_not_fit_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    weights = made_weights()
    if wrong == "absent":
        del weights["norm.bias"]
    elif wrong == "shape":
        weights["norm.bias"] = weights["norm.bias"][:5]
    else:
        weights["norm.bias"][0] = np.nan
    with pytest.raises(UserError, match=r"no encoder of Presto: encoder\.norm\.bias"):
        read_encoder(known(monkeypatch, write_torch(tmp_path / "a.pt", weights)))


def test_a_missing_file_and_a_missing_torch_are_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match=r"none\.pt cannot be read .*: give the weights of presto"):
        read_encoder(tmp_path / "none.pt")
    monkeypatch.setattr(machine, "networks_installed", lambda: False)
    with pytest.raises(UserError, match="needs torch and safetensors"):
        read_encoder(tmp_path / "none.pt")


def _by_hand(weights: dict[str, np.ndarray], shown: dict[str, np.ndarray], months: list[int]):
    """Return the numbers of one series, token by token and head by head."""
    w = {name: values.astype(float) for name, values in weights.items()}
    tokens = []
    for group, (number, channels) in presto._TOKENS.items():
        if not set(channels) <= set(shown):
            continue
        for at, month in enumerate(months):
            values = np.array([shown[name][at] for name in channels])
            mark = [w["month_embed.weight"][month - 1], w["channel_embed.weight"][number],
                    w["pos_embed"][0, at]]  # fmt: skip
            patch = f"eo_patch_embed.{group}"
            told = w[f"{patch}.weight"] @ values + w[f"{patch}.bias"]
            tokens.append(told + np.concatenate(mark))
    x = np.stack(tokens)

    def norm(name, rows):
        apart = rows - rows.mean(axis=-1, keepdims=True)
        unit = apart / np.sqrt((apart**2).mean(axis=-1, keepdims=True) + 1e-5)
        return unit * w[f"{name}.weight"] + w[f"{name}.bias"]

    def turn(name, rows):
        return rows @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    for number in range(2):
        block = f"blocks.{number}"
        asked, key, value = np.split(
            turn(f"{block}.attn.qkv", norm(f"{block}.norm1", x)), 3, axis=1
        )
        heads = []
        for head in range(8):
            part = slice(16 * head, 16 * head + 16)
            power = np.exp(asked[:, part] @ key[:, part].T / 4.0)
            heads.append(power / power.sum(axis=1, keepdims=True) @ value[:, part])
        x = x + turn(f"{block}.attn.proj", np.concatenate(heads, axis=1))
        inner = turn(f"{block}.mlp.fc1", norm(f"{block}.norm2", x))
        cubic = torch.erf(torch.from_numpy(inner / np.sqrt(2))).numpy()
        x = x + turn(f"{block}.mlp.fc2", inner * 0.5 * (1 + cubic))
    return norm("norm", x.mean(axis=0))


@pytest.mark.parametrize("bands", [("B04", "B08"), ("B02", "B03", "B04", "B08", "B11", "B12")])
def test_its_numbers_are_those_of_the_arithmetic_by_hand(bands: tuple[str, ...]) -> None:
    weights, months = made_weights(), [11, 12, 1]
    random = np.random.default_rng(1)
    shown = {name: random.random((2, 3)) for name in (*bands, "NDVI")}
    found = embedded(weights, shown, months, choose_machine("cpu", mixed=False))
    for row in range(2):
        hand = _by_hand(weights, {name: v[row] for name, v in shown.items()}, months)
        assert found[row] == pytest.approx(hand, abs=2e-4)


def test_a_batch_is_answered_as_its_rows_are(monkeypatch: pytest.MonkeyPatch) -> None:
    weights, random = made_weights(), np.random.default_rng(2)
    shown = {name: random.random((7, 2)) for name in ("B04", "B08", "NDVI")}
    here = choose_machine("cpu", mixed=False)
    whole = embedded(weights, shown, [3, 4], here)
    monkeypatch.setattr(presto, "_BATCH", 3)
    assert embedded(weights, shown, [3, 4], here) == pytest.approx(whole, abs=1e-5)
