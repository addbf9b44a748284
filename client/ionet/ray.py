"""Helper for code that runs inside a Ray task on a leased node: put results on the proof log.

    @ray.remote(num_gpus=1)
    @ionet.ray.proved
    def multiply(block: bytes) -> bytes: ...

Each recorded result becomes a leaf of its interval's Merkle tree, whose root the node writes to the chain; anyone who
holds the result bytes can then trace them. Outside a lease there is no log: the hash is returned, nothing is written.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from functools import wraps
from hashlib import sha256
from typing import ParamSpec, TypeVar

import msgspec

from ionet.errors import InvalidInput, IonetError
from ionet.rules.merkle import HASH_LEN, result_hash

RESULTS_VARIABLE = "IONET_RESULTS"
"""Environment variable with the path of the socket on which the node's agent takes results; the agent sets it."""
MAX_LINE = 256
TAKEN, REFUSED = b"+", b"-"
"""What the agent answers to a result."""
PATIENCE_SECS = 60.0
"""How long an agent that does not answer, because it is being started again, is waited for."""
_ANSWER_SECS, _PAUSE_SECS = 10.0, 0.2

P = ParamSpec("P")
R = TypeVar("R")


class Result(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line to the agent: a result, by hash."""

    task: str
    """Task id, 32 bytes in hex."""
    sha256: str
    """sha256 of the result bytes, in hex."""


class ResultRefused(IonetError):
    """the node's agent did not take a result"""

    exit_code = 4


class NotBytes(InvalidInput):
    """a result has no bytes of its own

    It is neither bytes nor a contiguous buffer such as a numpy array.
    """


def result_bytes(value: object) -> bytes:
    """The bytes by which `value` is hashed: itself, or the memory of a C-contiguous array. Raises NotBytes."""
    try:
        view = memoryview(value)  # type: ignore[arg-type]
    except TypeError:
        raise NotBytes(f"{type(value).__name__}; return bytes or an array") from None
    if not view.c_contiguous:
        raise NotBytes("the array is not C-contiguous")
    return view.tobytes()


def task_id() -> bytes:
    """32-byte id of the Ray task that calls it, unique in its cluster."""
    import ray

    name = ray.get_runtime_context().get_task_id()
    if name is None:
        raise InvalidInput("not inside a Ray task: pass a task id")
    return sha256(bytes.fromhex(name)).digest()


def record(result: bytes, task: bytes | None = None) -> bytes:
    """Hand sha256(`result`) to the node's agent under `task` (32 bytes, default: the calling task). Returns the hash.

    Returns once the agent has it. Raises InvalidInput for a task id of another length, ResultRefused when the agent
    does not take it or is not there for a minute.
    """
    hashed = result_hash(result)
    path = os.environ.get(RESULTS_VARIABLE)
    if path is None:
        return hashed
    task = task_id() if task is None else task
    if len(task) != HASH_LEN:
        raise InvalidInput(f"a task id has {HASH_LEN} bytes, got {len(task)}")
    line = msgspec.json.encode(Result(task=task.hex(), sha256=hashed.hex())) + b"\n"
    deadline = time.monotonic() + PATIENCE_SECS
    while (answer := _answer(path, line)) != TAKEN:
        if answer == REFUSED:
            raise ResultRefused("its disk is full, or it has too many that are not proven yet")
        if time.monotonic() > deadline:
            raise ResultRefused(f"it has not answered for {PATIENCE_SECS:g} s")
        time.sleep(_PAUSE_SECS)
    return hashed


def _answer(path: str, line: bytes) -> bytes:
    """The agent's answer; empty when there is none now."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_ANSWER_SECS)
        try:
            connection.connect(path)
            connection.sendall(line)
            return connection.recv(1)
        except OSError:
            return b""


def proved(function: Callable[P, R]) -> Callable[P, R]:
    """Decorator: records what `function` returns (bytes or a contiguous array) and returns it unchanged."""

    @wraps(function)
    def recorded(*args: P.args, **kwargs: P.kwargs) -> R:
        result = function(*args, **kwargs)
        record(result_bytes(result))
        return result

    return recorded
