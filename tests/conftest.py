"""What every suite shares."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings
from sampling import Part, Sampled, sample

# Examples are not timed: on a busy machine any one of them can take a second without anything being wrong.
settings.register_profile("ionet", deadline=None)
settings.load_profile("ionet")
_TOLD = pytest.StashKey[Sampled]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is in other parts, where `IONET_SAMPLE` asks for one."""
    if text := os.environ.get("IONET_SAMPLE"):
        items[:], left, config.stash[_TOLD] = sample(Part.read(text), items)
        config.hook.pytest_deselected(items=left)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say how much of it ran."""
    if told := config.stash.get(_TOLD, None):
        terminalreporter.section(f"sampled: {told}", sep="-")
