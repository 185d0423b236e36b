"""The report is one file that runs its own scripts and no other."""

from __future__ import annotations

import json

import plotly.graph_objects as go

from fieldline.desk.report.charts import chart_of
from fieldline.desk.report.page import as_data, both, policy_of


def test_a_script_is_named_by_the_hash_that_browsers_reckon() -> None:
    """The example of MDN's page on `script-src`, which gives this hash."""
    policy = policy_of(["doSomething();"])
    assert "'sha256-RFWPLDbv2BY+rCkDzsE+0fr8ylGr2R2faWMhq4lfEQc='" in policy
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe-eval" not in policy
    assert "http" not in policy


def test_a_text_of_a_farmer_cannot_end_the_element_it_stands_in() -> None:
    told = as_data({"village": "</script><script>alert(1)</script>"})
    assert "<" not in told
    assert json.loads(told) == {"village": "</script><script>alert(1)</script>"}


def test_words_come_in_both_languages_and_what_is_filled_in_is_escaped() -> None:
    told = both("report.as_of", day="<b>")
    assert told.startswith('<span lang="en">nothing known after &lt;b&gt; was used</span>')
    assert '<span lang="zh">' in told


def test_a_chart_without_data_is_none() -> None:
    assert chart_of(go.Figure()) is None
    drawn = chart_of(go.Figure().add_scatter(x=[1], y=[2]))
    assert drawn is not None
    assert drawn["data"][0]["y"] == [2]
