"""Fixtures of the keeper's tests."""

from __future__ import annotations

import pytest
from program.world import World


@pytest.fixture
def world() -> World:
    """A started network with the mainnet figures."""
    return World.started()
