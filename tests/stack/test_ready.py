"""The line by which each service says that it serves is what the stack reads."""

from __future__ import annotations

import msgspec
import pytest
from ionet.ready import AgentReady, ChainReady, IndexerReady, LauncherReady, RelayReady, read_ready


@pytest.mark.parametrize(
    "said",
    [
        ChainReady("http://127.0.0.1:8899"),
        IndexerReady(None, "postgresql:///ionet", "http://127.0.0.1:8899"),
        LauncherReady("1" * 32),
        LauncherReady("1" * 32, "http://127.0.0.1:8081"),
        AgentReady("1" * 32, "https://127.0.0.1:7070"),
        RelayReady("127.0.0.1:7443", None, "127.0.0.1:9443"),
    ],
)
def test_what_is_printed_is_read_again(
    said: ChainReady | IndexerReady | LauncherReady | AgentReady | RelayReady,
) -> None:
    printed = msgspec.json.encode(msgspec.to_builtins(said) | {"a field of later": 1})
    assert read_ready(type(said), printed) == said


@pytest.mark.parametrize("line", [b"", b"\n", b"starting...\n", b"{}", b'{"node": 1, "api": ""}', b"[1, 2]"])
def test_any_other_line_is_refused(line: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        read_ready(AgentReady, line)
