"""The public HTTP API: reads from PostgreSQL only, so any number of copies may run beside one writer."""

from __future__ import annotations
