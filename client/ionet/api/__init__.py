"""The client's API, one module per role. Amounts are base units, durations seconds, times unix seconds."""

from __future__ import annotations
