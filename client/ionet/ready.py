"""The line by which a service says that it serves: one JSON object on stdout, printed with `--json`, once.

The process that starts a service waits for this line and reads from it where the service is. Fields may be added, not
taken away.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec


class ChainReady(msgspec.Struct, frozen=True):
    """`ionet localnet run`. The local chain prints more; only this is read."""

    rpc_url: str


class IndexerReady(msgspec.Struct, frozen=True):
    """`ionet indexer run`. api: null with --no-api. database: its DSN. chain: the RPC address it follows."""

    api: str | None
    database: str
    chain: str


class LauncherReady(msgspec.Struct, frozen=True):
    """`ionet launcher run`. session_key: its address, base58. api: null without --listen."""

    session_key: str
    api: str | None = None


class AgentReady(msgspec.Struct, frozen=True):
    """`ionet agent run`. node: address of the node's account. api: where launchers reach the agent. isolation: the
    level at which renters' code is kept apart."""

    node: str
    api: str
    isolation: str = ""


class RelayReady(msgspec.Struct, frozen=True):
    """`ionet relay run`. Each HOST:PORT: for callers and agents, for packets, for Prometheus."""

    tcp: str
    udp: str | None
    metrics: str | None


class KeeperReady(msgspec.Struct, frozen=True):
    """`ionet keeper run`. keeper: address of its wallet. api: where its metrics and health are."""

    keeper: str
    api: str


class WebReady(msgspec.Struct, frozen=True):
    """`ionet web run`. page: where a browser finds it."""

    page: str


class ActionsReady(msgspec.Struct, frozen=True):
    """`ionet actions run`. actions: where pages reach it."""

    actions: str


Ready = TypeVar(
    "Ready",
    bound=ChainReady | IndexerReady | LauncherReady | AgentReady | RelayReady | KeeperReady | WebReady | ActionsReady,
)


def read_ready(kind: type[Ready], line: bytes) -> Ready:
    """The line as its service meant it. Raises msgspec.MsgspecError for any other line."""
    return msgspec.json.decode(line, type=kind)
