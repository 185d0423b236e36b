"""Every fault at every source: its price, and that nothing hangs, is lost or looks like cloud."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pipeline.imagery.fault_table import (
    FAULTS,
    IMPOSSIBLE,
    SOURCES,
    Row,
    Source,
    struck,
    undisturbed,
)

ROOT = Path(__file__).resolve().parents[3]
LOST = "scene_provider_error"
#: Faults that a run mends by itself, with the requests for pixels that it takes more.
MENDED = {
    "429 twice": 2, "429 with Retry-After 1 s": 1, "500 twice": 2, "502 twice": 2, "503 twice": 2,
    "slow drip": 0, "half a body twice": 2, "HTML with 200 once": 1, "connection dropped twice": 2,
    "items twice": 0,
}  # fmt: skip
REASONS = {
    "429 with Retry-After 1 h": "http_429 attempts=1",
    "429 without end": "http_429 attempts=4",
    "503 without end": "http_503 attempts=4",
    "half a body always": "truncated_answer attempts=4",
    "HTML with 200 always": "html_answer attempts=4",
    "empty item": "empty_answer attempts=1",
}
#: Where sources differ: a file's refusal is the file's; an account's is the run's.
OWN = {
    ("access ends in mid-run (401)", "stac"): (LOST, "http_401 attempts=1"),
    ("access ends in mid-run (401)", "stac:cdse"): (
        "exit 2",
        "S3 keys of account 'cdse'",
    ),
    ("access ends in mid-run (401)", "sentinelhub:cdse"): ("ok", ""),
    ("credits spent (403)", "stac"): (LOST, "http_403 attempts=1"),
    ("credits spent (403)", "stac:cdse"): (LOST, "http_403 attempts=1"),
    ("credits spent (403)", "sentinelhub:cdse"): (LOST, "credits_spent attempts=1"),
    ("another type of numbers", "stac"): (LOST, "complex_numbers attempts=1"),
    ("another type of numbers", "stac:cdse"): (LOST, "complex_numbers attempts=1"),
    ("another type of numbers", "sentinelhub:cdse"): (LOST, "dtype_uint8 attempts=1"),
    ("wrong offset flag", "stac"): ("scene_offset_conflict", "offset=-0.1 negative=1"),
    ("wrong offset flag", "stac:cdse"): ("scene_offset_conflict", "offset=-0.1 negative=1"),
    ("file missing", "stac"): (LOST, "http_404 attempts=1"),
    ("file missing", "stac:cdse"): (LOST, "http_404 attempts=1"),
    ("file missing", "sentinelhub:cdse"): (LOST, "http_400 attempts=1"),
    ("connection refused", "stac"): (LOST, "connection_refused attempts=4"),
    ("connection refused", "stac:cdse"): (LOST, "connection_refused attempts=4"),
    ("connection refused", "sentinelhub:cdse"): ("exit 2", "(connection_refused)"),
    ("name not resolved", "stac"): (LOST, "name_not_resolved attempts=4"),
    ("name not resolved", "stac:cdse"): (LOST, "name_not_resolved attempts=4"),
    ("name not resolved", "sentinelhub:cdse"): ("exit 2", "(name_not_resolved)"),
}
CALM_DATES = 6  # two parcels on three dates


def expected(fault: str, source: str) -> tuple[str, str]:
    if fault in MENDED:
        return "ok", ""
    if fault in REASONS:
        return LOST, REASONS[fault]
    return OWN[fault, source.partition(",")[0]]


def cell(fault: str, source: str) -> str:
    """Return what the page's table says of a fault at a source."""
    if (fault, source) in IMPOSSIBLE:
        return "cannot be"
    outcome, words = expected(fault, source)
    if outcome == "ok":
        more = MENDED.get(fault, 1)
        return f"{more} more" if more else "nothing"
    return {"exit 2": "stops", LOST: f"lost, `{words.split()[0]}`"}.get(outcome, "refused")


def test_the_page_tells_the_table_as_it_is_tested() -> None:
    page = (ROOT / "docs" / "connect-imagery.md").read_text(encoding="utf-8")
    for fault in FAULTS:
        cells = [cell(fault, source.name) for source in SOURCES]
        assert f"| {' | '.join([fault, *cells])} |" in page


def check(row: Row) -> None:
    outcome, words = expected(row.fault, row.source)
    assert row.outcome == outcome
    assert words in row.detail
    assert row.retries == MENDED.get(row.fault, row.retries)
    assert row.seconds < 30
    assert row.missing_values == 0
    assert row.mended
    if outcome == "exit 2":
        assert row.detail.endswith(".")
        assert row.parcels == 0
    else:
        assert row.parcels == 2
        lost = row.lost_dates if outcome == LOST else int(outcome != "ok")
        assert row.dates == CALM_DATES - 2 * lost
        assert (row.lost_dates > 0) == (outcome == LOST)


@pytest.mark.slow
@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_a_fault_costs_what_the_table_says_and_the_next_run_mends_it(
    tmp_path: Path, source: Source
) -> None:
    calm = undisturbed(tmp_path / "calm", source)
    wrong = []
    for place, fault in enumerate(FAULTS):
        if (fault, source.name) in IMPOSSIBLE:
            continue
        row = struck(tmp_path / str(place), source, fault, calm)
        try:
            check(row)
        except AssertionError as error:
            wrong.append(f"{row}: {error}")
    assert not wrong, "\n".join(wrong)
