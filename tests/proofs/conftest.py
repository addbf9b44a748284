"""One stage for all rules."""

from __future__ import annotations

import pytest
from proofs.stage import Stage


@pytest.fixture(scope="package")
def first_stage() -> Stage:
    return Stage()


@pytest.fixture
def stage(first_stage: Stage) -> Stage:
    first_stage.reset()
    return first_stage
