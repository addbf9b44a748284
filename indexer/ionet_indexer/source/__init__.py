"""Where transactions come from: a JSON-RPC node is the truth, its websocket only says when to look."""

from __future__ import annotations
