"""`kill -9` at random moments: the same tables, and hardly a byte twice.

Fifty kills: `FIELDLINE_KILLS=50`; the suite is content with eight.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rasterio.shutil import copy

from tests.pipeline.imagery.killing import pull
from tests.pipeline.imagery.pulling import files_of, scenes_of
from tests.pipeline.imagery.tiny_archive import write_archive
from tests.services.stac_api import StacApi, serving
from tests.workflows.conftest import ROOT

KILLS = int(os.environ.get("FIELDLINE_KILLS", "8"))


@pytest.mark.slow
def test_a_pull_killed_at_random_moments_ends_in_the_same_bytes_at_hardly_more(
    tmp_path: Path,
) -> None:
    # 0.8 MB a band: two requests of 16 KiB lost at each kill stay below a twentieth of the whole
    write_archive(tmp_path / "archive", scenes_of(max(4, KILLS // 2)))
    for path in (tmp_path / "archive" / "files").glob("*.tif"):
        whole = path.rename(path.with_suffix(".whole"))
        copy(whole, path, driver="GTiff", tiled=True, blockxsize=128, blockysize=128)
        whole.unlink()
    with serving(StacApi(tmp_path / "archive")) as api:
        api.pause = 0.004
        start = time.monotonic()
        undisturbed = files_of(pull(tmp_path / "calm", api.root))
        seconds, sent = time.monotonic() - start, api.sent
        api.reset()
        command = [sys.executable, "-m", "tests.pipeline.imagery.killing", str(tmp_path / "killed")]
        ran = subprocess.run(
            [*command, api.root, str(KILLS), str(seconds)],
            cwd=ROOT, check=True, capture_output=True, text=True,
        )  # fmt: skip
        met = int(ran.stdout)
        again = api.sent
    print(f"{met} of {KILLS} kills met a pull at work; bytes {again / sent:.4f} of {sent}")
    assert met >= KILLS / 2
    assert files_of(tmp_path / "killed" / "results") == undisturbed
    assert sent <= again <= 1.05 * sent
