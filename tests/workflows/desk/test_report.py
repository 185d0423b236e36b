"""The county report in a browser: charts are as wide as their places when the page is loaded."""

from __future__ import annotations

from typing import Any

import pytest

from tests.workflows.conftest import ChainRun

WIDTHS = """() => [...document.querySelectorAll(".js-plotly-plot")].map((chart) => [
    Number(chart.querySelector(".main-svg").getAttribute("width")),
    chart.closest("figure").clientWidth])"""


@pytest.mark.parametrize("width", [1280, 1000, 700])
def test_no_chart_is_cut_at_the_moment_the_page_is_loaded(
    tiny_run: ChainRun, page: Any, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto((tiny_run.folder / "report.html").as_uri())
    charts = page.evaluate(WIDTHS)
    assert len(charts) == 4
    assert [drawn for drawn, _ in charts] == [place for _, place in charts]
