from __future__ import annotations

from collections.abc import Iterator

import postgres
import pytest
from ionet_indexer.postgres import EmbeddedPostgres


@pytest.fixture(scope="session")
def server() -> Iterator[EmbeddedPostgres]:
    with postgres.server() as running:
        yield running
