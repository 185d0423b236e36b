from __future__ import annotations

import pytest

from fieldline.pipeline.records.progress import PROGRESS_VARIABLE, Step, heard, say

STEP = Step("scenes", "2024/MINE", 3, 7, 5_000_000, 2.0)


def test_what_is_said_is_heard_where_somebody_watches(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(PROGRESS_VARIABLE, "1")
    say(STEP)
    said = capsys.readouterr()
    assert heard(said.err) == STEP
    assert said.out == ""


def test_nothing_is_said_where_nobody_watches(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(PROGRESS_VARIABLE, raising=False)
    say(STEP)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "line",
    ["Building DAG of jobs...\n", "fieldline-progress no JSON\n", 'fieldline-progress {"a": 1}\n'],
)
def test_other_text_is_no_progress(line: str) -> None:
    assert heard(line) is None
