"""JSON-RPC without a client library, for tests that look at the bytes on the wire."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx2
from ionet_localnet import Localnet
from solders.transaction import VersionedTransaction


class Raw:
    """JSON-RPC without a client library."""

    def __init__(self, net: Localnet, http: httpx2.AsyncClient) -> None:
        self.net = net
        self.http = http

    async def post(self, body: Any, **headers: str) -> Any:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return (await self.http.post(self.net.rpc_url, content=content, headers=headers)).json()

    async def full(self, method: str, *params: Any) -> dict[str, Any]:
        answer: dict[str, Any] = await self.post({"jsonrpc": "2.0", "id": 7, "method": method, "params": params})
        assert answer["id"] == 7
        return answer

    async def ok(self, method: str, *params: Any) -> Any:
        answer = await self.full(method, *params)
        assert "error" not in answer, answer
        return answer["result"]

    async def error(self, method: str, *params: Any) -> dict[str, Any]:
        return (await self.full(method, *params))["error"]  # type: ignore[no-any-return]

    async def send(self, transaction: VersionedTransaction, **config: Any) -> str:
        return await self.ok("sendTransaction", encoded(transaction), {"encoding": "base64", **config})  # type: ignore[no-any-return]


def encoded(transaction: VersionedTransaction) -> str:
    return base64.b64encode(bytes(transaction)).decode()
