"""The chain of the SDK's tests."""

from __future__ import annotations

from client.sdk.conftest import chain, network

__all__ = ["chain", "network"]
