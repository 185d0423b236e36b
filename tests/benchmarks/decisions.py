"""Decide random farmers with their traces, and one at a time.

Run as `python -m tests.benchmarks.decisions`. `per_second` is decisions with trace per second of
one core (time of the process, best of the rounds); `single_ms` the median and the 95th percentile
of one decision with trace in a process that has decided before. Farmers are those of the tests'
random population under the default product: all answers, half of them with debts.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections import Counter
from importlib.metadata import version
from typing import Any

import numpy as np

from fieldline.lending.decision.decision import decide_case
from fieldline.lending.decision.replay import trace_of
from fieldline.lending.settings import PolicySettings
from tests.lending.decision.population import judge_of, population


def measured(farmers: int, rounds: int) -> dict[str, Any]:
    """Return the figures over random farmers."""
    cases = population(farmers).cases(judge_of(1500), PolicySettings())
    answers = Counter(decide_case(case).access for case in cases)
    speeds, single = [], []
    for _ in range(rounds):
        begin = time.process_time()
        for case in cases:
            trace_of(case, decide_case(case))
        speeds.append(len(cases) / (time.process_time() - begin))
    for case in cases:
        begin = time.perf_counter()
        trace_of(case, decide_case(case))
        single.append(1000 * (time.perf_counter() - begin))
    return {
        "farmers": farmers, "answers": dict(answers), "per_second": round(max(speeds)),
        "per_second_all_rounds": [round(speed) for speed in speeds],
        "single_ms": {
            "p50": round(float(np.median(single)), 3),
            "p95": round(float(np.quantile(single, 0.95)), 3),
        },
    }  # fmt: skip


def main() -> None:
    """Measure and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--farmers", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    where = {
        "python": platform.python_version(), "fieldline": version("fieldline"),
        "cores": os.cpu_count(), "load": os.getloadavg()[0],
    }  # fmt: skip
    print(json.dumps({**measured(chosen.farmers, chosen.rounds), "machine": where}, indent=2))


if __name__ == "__main__":
    main()
