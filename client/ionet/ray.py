"""Helper for code that runs inside a Ray task on a leased node: put results on the proof log.

    @ray.remote(num_gpus=1)
    @ionet.ray.proved
    def multiply(block: bytes) -> bytes: ...

Each recorded result becomes a leaf of its interval's Merkle tree, whose root the node writes to the chain; anyone who
holds the result bytes can then trace them. Outside a lease there is no log: the hash is returned, nothing is written.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import wraps
from hashlib import sha256
from typing import ParamSpec, TypeVar

import msgspec

from ionet.errors import InvalidInput
from ionet.rules.merkle import HASH_LEN, result_hash

SPOOL_VARIABLE = "IONET_SPOOL"
"""Environment variable with the path of the node's spool file; the node's agent sets it."""
MAX_LINE = 512

P = ParamSpec("P")
R = TypeVar("R")


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of the spool: a result, by hash."""

    task: str
    """Task id, 32 bytes in hex."""
    sha256: str
    """sha256 of the result bytes, in hex."""
    ts: int
    """Unix time in nanoseconds at which the result was recorded."""


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
    """Append sha256(`result`) to the node's spool under `task` (32 bytes, default: the calling task). Returns the hash.

    Raises InvalidInput for a task id of another length and OSError when the spool cannot be written.
    """
    hashed = result_hash(result)
    spool = os.environ.get(SPOOL_VARIABLE)
    if spool is None:
        return hashed
    task = task_id() if task is None else task
    if len(task) != HASH_LEN:
        raise InvalidInput(f"a task id has {HASH_LEN} bytes, got {len(task)}")
    line = msgspec.json.encode(Entry(task=task.hex(), sha256=hashed.hex(), ts=time.time_ns())) + b"\n"
    # One write to a file opened for appending: tasks of one node never cut into each other's lines.
    descriptor = os.open(spool, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, line)
    finally:
        os.close(descriptor)
    return hashed


def proved(function: Callable[P, R]) -> Callable[P, R]:
    """Decorator: records what `function` returns (bytes or a contiguous array) and returns it unchanged."""

    @wraps(function)
    def recorded(*args: P.args, **kwargs: P.kwargs) -> R:
        result = function(*args, **kwargs)
        record(result_bytes(result))
        return result

    return recorded
