"""Connections to the API: a body is an upload of leaves at most."""

from __future__ import annotations

from typing import ClassVar

from ionet.guarded_http import GuardedConnection
from ionet.leaves import LEAF_LEN, MAX_LEAVES


class Connection(GuardedConnection):
    """One connection."""

    most_body: ClassVar[int] = MAX_LEAVES * LEAF_LEN
