"""A node that lies, from a seed: it drops, delays, reorders, repeats, cuts, refuses, hangs and answers from old forks.

It never invents anything: what it says was true of some fork once, or is less than the truth. That is what nodes and
the balancers before them do.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any

import msgspec
from indexer.proxy import Call, Honest, Refusal, Reply

HANG = 1.5  # seconds, longer than the indexer waits for an answer in these tests
LIST = "getSignaturesForAddress"
_STALE = {LIST, "getTransaction", "getBlock", "getSlot", "getMultipleAccounts", "getProgramAccounts"}
_BUSY = [(429, "Too many requests"), (-32005, "Rate limit exceeded"), (-32007, "25/second request limit reached")]
_BUSY += [(-32429, "too many calls"), (-32016, "Minimum context slot has not been reached")]
_NO_BLOCK = [(-32004, "Block not available"), (-32007, "Slot was skipped, or missing due to ledger jump")]
_NO_BLOCK += [(-32009, "Slot was skipped, or missing in long-term storage"), (-32014, "Block status not yet available")]
_PAGE = "<html><body><h1>429 Too Many Requests</h1></body></html>"


class LyingNode(Honest):
    """Lies in about every third pass until `behave` is called; `lies` counts them by kind."""

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)
        self._lying = True
        self._takes_batches = self._draw.random() < 0.7
        self._told: dict[bytes, list[Any]] = {}
        self._late: dict[str, int] = {}
        self.lies: Counter[str] = Counter()
        self.lists = 0  # that were asked for

    def behave(self) -> None:
        """Tell the truth from now on."""
        self._lying = False

    def _lie(self, kind: str, chance: float) -> bool:
        if not self._lying or self._draw.random() >= chance:
            return False
        self.lies[kind] += 1
        return True

    async def request(self, calls: list[Call], *, batch: bool) -> Refusal | None:
        if self._lie("hang", 0.005):
            await asyncio.sleep(HANG)
        if self._lie("slow", 0.05):
            await asyncio.sleep(self._draw.uniform(0, 0.2))
        if self._lie("429", 0.02):
            headers = {"retry-after": self._draw.choice(["0", "1"])} if self._draw.random() < 0.5 else {}
            return Refusal(429, _PAGE, headers)
        if self._lie("5xx", 0.02):
            return Refusal(self._draw.choice([500, 502, 503, 504]), "<html>upstream is away</html>")
        if self._lie("cut", 0.01):
            return Refusal(200, '[{"jsonrpc": "2.0", "id": 0, "res', kind="application/json")
        if batch and len(calls) > 1 and not self._takes_batches and self._lie("no batches", 1.0):
            error = {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "batches are not supported"}}
            status = self._draw.choice([200, 400])
            return Refusal(status, msgspec.json.encode(error).decode(), kind="application/json")
        return None

    def answered(self, call: Call, reply: Reply) -> Reply | None:
        method = call["method"]
        if "error" in reply or reply.get("result") is None:
            return reply
        if self._lie("left out", 0.01):
            return None
        if self._lie("busy", 0.03):
            return _error(call, *self._draw.choice(_BUSY))
        if self._lie("version", 0.0005):
            return _error(call, -32015, "Transaction version (1) is not supported by the requesting client")
        if method == "getBlock" and self._lie("no block", 0.05):
            return _error(call, *self._draw.choice(_NO_BLOCK))
        if method == "getTransaction" and self._lie("not served", 0.004):
            return {**reply, "result": None if self._draw.random() < 0.7 else {**reply["result"], "meta": None}}
        if method == "getTransaction" and self._lie("no place", 0.03):
            return {**reply, "result": {k: v for k, v in reply["result"].items() if k != "transactionIndex"}}
        if method in _STALE:
            reply = self._stale(call, reply)
        return {**reply, "result": self._page(reply["result"])} if method == LIST else reply

    def _stale(self, call: Call, reply: Reply) -> Reply:
        """What it said to the same question before: another fork, or an earlier time."""
        options = [
            {k: v for k, v in p.items() if k != "minContextSlot"} if isinstance(p, dict) else p for p in call["params"]
        ]
        told = self._told.setdefault(msgspec.json.encode([call["method"], options]), [])
        told.append(reply["result"])
        if len(told) > 1 and self._lie("stale", 0.02):
            return {**reply, "result": self._draw.choice(told[-20:])}
        return reply

    def _page(self, page: list[Any]) -> list[Any]:
        """A page of signatures."""
        self.lists += 1
        for item in page:
            if item["signature"] not in self._late:
                self._late[item["signature"]] = self._draw.randint(1, 30) if self._lie("late", 0.3) else 0
        listed = [item for item in page if not self._lying or self._late[item["signature"]] <= 0]
        for item in page:
            self._late[item["signature"]] -= 1
        if self._lie("empty page", 0.03):
            return []
        if listed and self._lie("truncated", 0.05):
            return listed[: self._draw.randrange(len(listed))]
        if listed and self._lie("dropped", 0.05):
            del listed[self._draw.randrange(len(listed))]
        if len(listed) > 1 and self._lie("out of order", 0.03):
            at = self._draw.randrange(len(listed) - 1)
            listed[at], listed[at + 1] = listed[at + 1], listed[at]
        if listed and self._lie("twice", 0.05):
            at = self._draw.randrange(len(listed))
            listed.insert(at, listed[at])
        return listed

    def batch(self, replies: list[Reply]) -> list[Reply]:
        if replies and self._lie("replies twice", 0.03):
            replies.append(self._draw.choice(replies))
        if self._lie("replies shuffled", 0.1):
            self._draw.shuffle(replies)
        return replies


def _error(call: Call, code: int, message: str) -> Reply:
    return {"jsonrpc": "2.0", "id": call["id"], "error": {"code": code, "message": message}}
