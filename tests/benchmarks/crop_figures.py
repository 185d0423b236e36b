"""Draw the crop model's figures of the documentation from the files of `fieldline crops evaluate`.

Run as `python -m tests.benchmarks.crop_figures early --out docs/img/crop_early.svg NAME=FILE ...`
(files written with --dates) or `... pretraining --out docs/img/crop_pretraining.svg FILE` (what
`tests.benchmarks.pretraining` printed). Nothing is measured here. matplotlib comes with the
development tools.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

_PANELS = (("accuracy", "accuracy"), ("told", "share told"), ("set_size", "crops in the 90 % set"))


def early(files: dict[str, Path]) -> Figure:
    """Return accuracy, share told and size of the sets by share of the season that is known."""
    figure = Figure(figsize=(9.0, 3.0), layout="constrained")
    panels = figure.subplots(1, len(_PANELS))
    for name, path in files.items():
        rows = json.loads(path.read_text())["by_date"]
        known = [100 * row["steps"] / rows[-1]["steps"] for row in rows]
        for panel, (key, title) in zip(panels, _PANELS, strict=True):
            values = [_value(row[key]) for row in rows]
            (line,) = panel.plot(known, values, marker="o", label=name)
            if key == "accuracy":
                low = [row[key]["low"] for row in rows]
                high = [row[key]["high"] for row in rows]
                panel.fill_between(known, low, high, alpha=0.2, color=line.get_color())
            panel.set_title(title, fontsize=10)
            panel.set_xlabel("% of the season known")
    for panel in panels[:2]:
        panel.set_ylim(0, 1)
    panels[0].legend(fontsize=8)
    return figure


def pretraining(path: Path) -> Figure:
    """Return the network's accuracy by labels of a class, from chance and pre-trained."""
    rows = [json.loads(line) for line in path.read_text().splitlines() if line.startswith("{")]
    figure = Figure(figsize=(5.0, 3.2), layout="constrained")
    panel = figure.subplots()
    labels = [row["labels"] for row in rows]
    for key, name in (("without", "from chance"), ("with", "pre-trained on unlabelled series")):
        panel.plot(labels, [row[key] for row in rows], marker="o", label=name)
    panel.set_xscale("log")
    panel.set_xticks(labels, [str(count) for count in labels])
    panel.set_xlabel("labels of a class")
    panel.set_ylabel("accuracy of the network alone")
    panel.legend(fontsize=8)
    return figure


def _value(measured: Any) -> float:
    return float(measured["value"] if isinstance(measured, dict) else measured)


def main() -> None:
    """Draw one figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("early", "pretraining"))
    parser.add_argument("files", nargs="+", help="FILE, or NAME=FILE where several are drawn")
    parser.add_argument("--out", type=Path, required=True)
    chosen = parser.parse_args()
    mpl.rcParams["svg.hashsalt"] = "fieldline"  # equal data, equal bytes
    if chosen.what == "early":
        named = dict(text.split("=", 1) for text in chosen.files)
        figure = early({name: Path(path) for name, path in named.items()})
    else:
        figure = pretraining(Path(chosen.files[0]))
    figure.savefig(chosen.out, metadata={"Date": None})


if __name__ == "__main__":
    main()
