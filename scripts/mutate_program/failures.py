"""A pytest plugin: writes which tests failed, in order, and how long each file's tests took, into the file that
IONET_FAILURES names. Loaded in the private copy with `-p`."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from pathlib import Path

import pytest

_failed: list[str] = []
_seconds: defaultdict[str, float] = defaultdict(float)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _seconds[report.nodeid.partition("::")[0]] += report.duration
    if report.failed:
        _failed.append(report.nodeid)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.failed:
        _failed.append(report.nodeid)


def pytest_sessionfinish() -> None:
    found = {"failed": _failed, "seconds": {name: round(s, 2) for name, s in _seconds.items()}}
    Path(os.environ["IONET_FAILURES"]).write_text(json.dumps(found))
