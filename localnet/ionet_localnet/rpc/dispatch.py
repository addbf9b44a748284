"""From the bytes of an HTTP request to the bytes of its answer."""

from __future__ import annotations

import gzip
import logging
from typing import Any

import msgspec

from ionet_localnet.errors import LocalnetError
from ionet_localnet.rpc.node import Node
from ionet_localnet.rpc.params import Params, RpcError

_log = logging.getLogger(__name__)
_GZIP_MAGIC = b"\x1f\x8b"
_MAX_BATCH = 1000


def handle(node: Node, body: bytes) -> bytes:
    """Answer one request or a batch. Errors of any kind become JSON-RPC errors."""
    try:
        # By its first bytes and not by the header: some clients announce gzip and send plain text.
        request = msgspec.json.decode(gzip.decompress(body) if body.startswith(_GZIP_MAGIC) else body)
    except (msgspec.DecodeError, OSError, EOFError):
        return msgspec.json.encode(failure(None, RpcError(-32700, "Parse error")))
    if not isinstance(request, list):
        return msgspec.json.encode(answer(node, request))
    if not 0 < len(request) <= _MAX_BATCH:
        return msgspec.json.encode(failure(None, RpcError(-32600, f"a batch has 1 to {_MAX_BATCH} requests")))
    return msgspec.json.encode([answer(node, entry) for entry in request])


def answer(node: Node, request: Any) -> dict[str, Any]:
    if not isinstance(request, dict) or not isinstance(request.get("method"), str):
        return failure(None, RpcError(-32600, "Invalid request"))
    name, request_id = request["method"], request.get("id")
    method = node.methods.get(name)
    try:
        if method is None:
            raise RpcError(-32601, f"Method not found: {name}")
        result = method(node, Params(request.get("params")))
    except RpcError as error:
        return failure(request_id, error)
    except LocalnetError as error:
        return failure(request_id, RpcError(-32000, str(error)))
    except Exception:
        _log.exception("%s failed", name)
        return failure(request_id, RpcError(-32603, "Internal error"))
    return {"jsonrpc": "2.0", "result": result, "id": request_id}


def failure(request_id: Any, error: RpcError) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "error": error.to_json(), "id": request_id}
