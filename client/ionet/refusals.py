"""What an RPC node says instead of an answer, as the client's own errors."""

from __future__ import annotations

from collections.abc import Sequence

import httpx2
from solana.exceptions import SolanaRpcException
from solana.rpc.core import RPCException
from solana.rpc.jsonrpc import SolanaJsonRpcError
from solders.errors import SerdeJSONError
from solders.rpc.errors import (
    InvalidParamsMessage,
    SendTransactionPreflightFailureMessage,
    UnsupportedTransactionVersionMessage,
)
from solders.transaction_status import TransactionErrorType

from ionet.errors import IonetError, RpcError, RpcUnreachable
from ionet.patient_http import status_line

# JSON-RPC's code for what cannot be taken at all; Agave's answer to a transaction whose lookup table it does not have.
INVALID_PARAMS = -32602
# Its answer to a reader of older transaction formats alone.
UNSUPPORTED_VERSION = -32015
# What a server answers that is no RPC node, but an indexer's API or a web page.
_NO_RPC = frozenset({404, 405, 415, 422})


class PreflightFailed(IonetError):
    """the node simulated the transaction and it failed; nothing was sent

    error: what it failed with. logs: of the programs.
    """

    exit_code = 3

    def __init__(self, error: TransactionErrorType, logs: Sequence[str] = ()) -> None:
        super().__init__(str(error))
        self.error = error
        self.logs = tuple(logs)


def refusal(error: RPCException | SolanaJsonRpcError | SolanaRpcException | SerdeJSONError, url: str) -> IonetError:
    """What the library raised for a call to the node at `url`."""
    if isinstance(error, SolanaJsonRpcError):
        return RpcError(error.message, code=error.code)
    if isinstance(error, RPCException):
        return _refused(error)
    if isinstance(error, SerdeJSONError):
        return RpcError(f"{url} does not speak Solana's JSON-RPC")
    if isinstance(error.__cause__, httpx2.HTTPStatusError) and error.__cause__.response.status_code in _NO_RPC:
        answered = status_line(error.__cause__.response.status_code)
        return RpcError(f"{url} answered {answered}; there is no RPC node")
    return RpcUnreachable(f"{url} ({_reason(error.__cause__)})")


def _reason(cause: BaseException | None) -> str:
    if isinstance(cause, httpx2.HTTPStatusError):
        return status_line(cause.response.status_code)
    return type(cause).__name__


def _refused(error: RPCException) -> IonetError:
    reason = error.args[0] if error.args else error
    if isinstance(reason, SendTransactionPreflightFailureMessage) and reason.data.err is not None:
        return PreflightFailed(reason.data.err, reason.data.logs or ())
    codes = {InvalidParamsMessage: INVALID_PARAMS, UnsupportedTransactionVersionMessage: UNSUPPORTED_VERSION}
    code = codes.get(type(reason))
    return RpcError(str(getattr(reason, "message", reason)), code=code)
