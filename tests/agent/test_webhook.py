"""Alarms are told to the owner's own server, whatever that does."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from ionet.errors import ConfigError
from ionet.webhooks import check_hook
from ionet_agent import webhook
from ionet_agent.alarms import Alarms
from ionet_agent.webhook import Webhook
from waiting import until

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


class Owner:
    """A server of the owner's; `answers`: what it does with each request, the last for all others."""

    def __init__(self, *answers: Answer) -> None:
        self.heard: list[dict[str, Any]] = []
        self._answers = list(answers)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(head.split("content-length: ")[1].split("\r\n")[0])
            self.heard.append(json.loads(await reader.readexactly(length)))
            answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
            await answer(writer)
        writer.close()


async def taken(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")


async def refused(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 500 Sorry\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")


async def endless(writer: asyncio.StreamWriter) -> None:
    """A success whose body never ends."""
    writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")
    while True:
        writer.write(b"x" * 65536)
        await writer.drain()


@contextlib.asynccontextmanager
async def telling(alarms: Alarms, owner: Owner, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    monkeypatch.setattr(webhook, "_LOOK_SECS", 0.02)
    monkeypatch.setattr(webhook, "_FIRST_PAUSE_SECS", 0.02)
    async with await asyncio.start_server(owner, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        task = asyncio.create_task(Webhook(f"http://127.0.0.1:{port}/alarms", "NODE", alarms.all).run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])


async def test_an_alarm_is_told_when_it_begins_and_when_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    alarms, owner = Alarms(), Owner(taken)
    async with telling(alarms, owner, monkeypatch):
        alarms.ring("disk", "full")
        await until(lambda: len(owner.heard) == 1, "the disk")
        alarms.ring("disk", "still full")  # goes on: nothing new
        alarms.tell({"overlay": "down"})
        await until(lambda: len(owner.heard) == 2, "the other process's")
        alarms.end("disk")
        await until(lambda: len(owner.heard) == 3, "its end")
    first, second, third = owner.heard
    assert (first["node"], first["began"], first["ended"]) == ("NODE", ["disk"], [])
    assert first["alarms"] == {"disk": "full"}
    assert (second["began"], second["alarms"]) == (["overlay"], {"disk": "still full", "overlay": "down"})
    assert (third["ended"], third["alarms"]) == (["disk"], {"overlay": "down"})


async def test_what_is_not_taken_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    alarms, owner = Alarms(), Owner(refused, refused, taken)
    alarms.ring("disk", "full")
    async with telling(alarms, owner, monkeypatch):
        await until(lambda: len(owner.heard) == 3, "the third time")
        alarms.end("disk")
        await until(lambda: len(owner.heard) == 4, "its end")
    assert [heard["began"] for heard in owner.heard] == [["disk"], ["disk"], ["disk"], []]


async def test_an_answer_without_end_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    alarms, owner = Alarms(), Owner(endless)
    async with telling(alarms, owner, monkeypatch):
        alarms.ring("disk", "full")
        await until(lambda: len(owner.heard) == 1, "the disk")
        alarms.end("disk")
        await until(lambda: len(owner.heard) == 2, "its end")
    assert [heard["ended"] for heard in owner.heard] == [[], ["disk"]]


@pytest.mark.parametrize("url", ["ftp://a/b", "a.example", "http://", "", "file:///etc/passwd"])
def test_what_is_not_a_web_address_is_refused(url: str) -> None:
    with pytest.raises(ConfigError):
        check_hook(url, "--alarm-url")
