"""Metrics: what the API counts for Prometheus; nothing in them names a county or a person."""

from __future__ import annotations

import os

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from fieldline.pipeline.records.faults import DatabaseError

MEDIA = CONTENT_TYPE_LATEST
FAULTS = (DatabaseError,)
"""Errors after which an application stays open: the next try goes on."""
FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Environment variable of the folder in which several processes put their counts together."""

REQUESTS = Counter("fieldline_requests", "Requests answered", ["route", "method", "status"])
SECONDS = Histogram(
    "fieldline_request_seconds", "Time to answer", ["route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)  # fmt: skip
RECEIVED = Counter("fieldline_applications_received", "Applications received, each once")
DECIDED = Counter("fieldline_applications_decided", "Decisions made on applications", ["access"])
WAITING = Gauge(
    "fieldline_applications_waiting", "Applications that are not decided yet",
    multiprocess_mode="mostrecent",
)  # fmt: skip


def text() -> bytes:
    """Return all counts of all processes."""
    registry: CollectorRegistry = REGISTRY
    if FOLDER_VARIABLE in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
