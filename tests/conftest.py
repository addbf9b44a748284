"""What every suite shares."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import settings

# Examples are not timed: on a busy machine any one of them can take a second without anything being wrong.
settings.register_profile("ionet", deadline=None)
settings.load_profile("ionet")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of the drills only IONET_DRILLS are run, if that says how many: others at each commit."""
    drills = [item for item in items if item.get_closest_marker("drill") is not None]
    wanted = os.environ.get("IONET_DRILLS")
    if wanted is None or not drills:
        return
    first = _commit() % len(drills)
    chosen = {drills[(first + number) % len(drills)] for number in range(min(int(wanted), len(drills)))}
    left = [item for item in drills if item not in chosen]
    items[:] = [item for item in items if item not in left]
    config.hook.pytest_deselected(items=left)


def _commit() -> int:
    """The checkout's commit, 0 without one."""
    command = ["git", "rev-parse", "HEAD"]
    found = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    return int(found.stdout or "0", 16)
