"""Outcomes: registered codes only, one row per input row, details that a person can read."""

from __future__ import annotations

from pathlib import Path

import pytest

from fieldline.pipeline.records.errors import SchemaError
from fieldline.pipeline.records.outcomes import (
    Outcome,
    detail,
    merge_outcomes,
    outcome_codes,
    outcome_frame,
    write_outcomes,
)
from fieldline.pipeline.records.tables import read_table


def test_codes_have_text_in_both_languages_and_a_remedy() -> None:
    for code in outcome_codes().values():
        assert code.effect in ("continue", "stop"), code
        assert code.english
        assert code.chinese
        assert code.remedy, code
        assert any("\u4e00" <= letter <= "\u9fff" for letter in code.chinese), code


def test_detail_prints_numbers_shortly() -> None:
    assert detail(valid=0.31234567, dates=7) == "valid=0.3123 dates=7"


def test_unknown_codes_are_refused() -> None:
    with pytest.raises(SchemaError, match="not in data/outcome_codes"):
        outcome_frame([Outcome("intake", "p", "f", "no_such_code")])


def test_a_row_may_have_one_outcome_per_stage_only(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="stands twice"):
        write_outcomes([Outcome("intake", "p", "f")] * 2, tmp_path / "o.parquet")


def test_merged_outcomes_hold_every_row_and_count_them(tmp_path: Path) -> None:
    write_outcomes([Outcome("intake", "p", "f"), Outcome("intake", "q", "f")], tmp_path / "a")
    write_outcomes([Outcome("grow", "p", "f")], tmp_path / "b")
    counts = merge_outcomes([tmp_path / "a", tmp_path / "b"], tmp_path / "all")
    assert counts == {("intake", "ok"): 2, ("grow", "ok"): 1}
    assert len(read_table(tmp_path / "all")) == 3


def test_merged_outcomes_are_the_file_that_one_stage_would_have_written(tmp_path: Path) -> None:
    rows = [
        Outcome(stage, f"{parcel}", farmer, "ok", "ü=1")
        for stage in ("observe", "Grow", "grow")
        for parcel in ("p9", "p10", "ß", "")
        for farmer in ("f", "é")
    ]
    write_outcomes(rows, tmp_path / "whole")
    parts = [tmp_path / name for name in "abc"]
    for number, part in enumerate(parts):
        write_outcomes(rows[number::3], part)
    merge_outcomes(parts, tmp_path / "all")
    assert (tmp_path / "all").read_bytes() == (tmp_path / "whole").read_bytes()


def test_a_row_that_two_parts_hold_is_refused_and_nothing_written(tmp_path: Path) -> None:
    for name in "ab":
        write_outcomes([Outcome("intake", "p", "f"), Outcome("intake", name, "f")], tmp_path / name)
    with pytest.raises(SchemaError, match="'parcel_id': 'p', 'farmer_id': 'f'} stands twice"):
        merge_outcomes([tmp_path / "a", tmp_path / "b"], tmp_path / "all")
    assert not (tmp_path / "all").exists()
