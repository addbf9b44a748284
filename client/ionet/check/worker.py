"""`python -m ionet.check.worker BACKEND NUMBER…`: answers the questions of one check for some devices of a member.

A process of its own, so that what it holds of a device is free again when it ends. BACKEND is numpy, or torch for the
first device that CUDA shows to this process; the numbers are those of the lease's processors. It reads frames from
stdin and answers on stdout.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import msgspec

from ionet.check import kernel, wire
from ionet.check.engines import Engine, NumpyEngine, TorchEngine

_MAX_ROUNDS = 2**15


class Desk:
    """Answers for these engines, each under the number of its processor. The answers follow one another."""

    def __init__(self, backend: str, engines: Sequence[tuple[int, Engine]]) -> None:
        self._backend, self._engines = backend, engines

    def handle(self, content: bytes) -> bytes:
        """An answer's frame content; never raises."""
        try:
            return wire.right(self._handle(wire.decode(content)))
        except Exception as error:
            # What a device answers in its trouble is anything at all, and the launcher has to hear of it.
            return wire.failed(f"{type(error).__name__}: {error}")

    def _handle(self, question: wire.Question) -> bytes:
        engines = [engine for _, engine in self._engines]
        match question:
            case wire.Begin():
                return b""
            case wire.Show():
                return msgspec.json.encode(wire.Shown(self._backend, [engine.device for engine in engines]))
            case wire.Fill(seed, size, rounds, key):
                if not (kernel.MIN_SIZE <= size <= kernel.MAX_SIZE and size % 8 == 0 and 1 <= rounds <= _MAX_ROUNDS):
                    raise wire.CheckFailed("size and rounds are out of bounds")
                root, secret = bytes.fromhex(seed), bytes.fromhex(key)
                return b"".join(
                    engine.fill(wire.device_seed(root, number), size, rounds, secret)
                    for number, engine in self._engines
                )
            case wire.Again(key):
                return b"".join(engine.again(bytes.fromhex(key)) for engine in engines)
            case wire.Open(asked, block):
                return b"".join(engine.open(block) for number, engine in self._engines if number == asked)


def main(backend: str, numbers: Sequence[int]) -> None:
    """Until stdin ends."""
    source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    # Whatever a library prints must not get between the frames.
    os.dup2(2, 1)
    desk: Desk | None = None
    while header := source.read(4):
        content = source.read(int.from_bytes(header, "little"))
        try:
            if desk is None:
                desk = Desk(backend, [(n, TorchEngine() if backend == "torch" else NumpyEngine()) for n in numbers])
            answer = desk.handle(content)
        except Exception as error:
            answer = wire.failed(f"no {backend}: {type(error).__name__}: {error}")
        sink.write(wire.frame(answer))
        sink.flush()


if __name__ == "__main__":
    main(sys.argv[1], [int(number) for number in sys.argv[2:]])
