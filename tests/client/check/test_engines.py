"""Every engine gives the same results and receipts; a worker answers for its processors and says what it cannot do."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import numpy as np
import pytest
from ionet.check import kernel, wire
from ionet.check.engines import Engine, NumpyEngine, TorchEngine
from ionet.check.worker import Desk

SEED, KEY, OTHER = bytes(range(32)), b"k" * 32, bytes([255] * 32)
SIZE, ROUNDS = 64, 3


def outcome(engine: Engine) -> tuple[bytes, bytes, list[bytes]]:
    filled = engine.fill(SEED, SIZE, ROUNDS, KEY)
    return filled, engine.again(OTHER), [engine.open(block) for block in range(ROUNDS)]


def test_results_are_those_of_the_kernel() -> None:
    filled, again, results = outcome(NumpyEngine())
    for block in range(ROUNDS):
        left, right = (kernel.entries(kernel.states(SEED, 0, matrix, SIZE), SIZE, block) for matrix in (0, 1))
        result = kernel.product(left, right)
        assert results[block] == result.tobytes()
        for key, answer in ((KEY, filled), (OTHER, again)):
            own = kernel.receipt(result, key, kernel.weights(key, SIZE))
            assert answer[block * 64 : (block + 1) * 64] == own
    assert len(set(results)) == ROUNDS


def test_pytorch_gives_the_same_to_the_byte() -> None:
    pytest.importorskip("torch")
    assert outcome(TorchEngine(kind="cpu")) == outcome(NumpyEngine())


def test_without_pytorch_its_worker_says_so() -> None:
    """As a process, over its pipes, and it goes on to say so."""
    code = "import sys; sys.modules['torch'] = None; from ionet.check.worker import main; main('torch', [0])"
    question = wire.frame(wire.encode(wire.Show(1)))
    done = subprocess.run([sys.executable, "-c", code], input=question * 2, capture_output=True, timeout=60, check=True)
    length = int.from_bytes(done.stdout[:4], "little")
    first, second = done.stdout[4 : 4 + length], done.stdout[8 + length :]
    assert first == second
    with pytest.raises(wire.CheckFailed, match="no torch: ModuleNotFoundError"):
        wire.answer(first)


def test_a_worker_answers_for_each_of_its_processors() -> None:
    desk = Desk("numpy", [(number, NumpyEngine()) for number in (3, 5)])
    shown = msgspec.json.decode(wire.answer(desk.handle(wire.encode(wire.Show(2)))), type=wire.Shown)
    assert (shown.backend, len(shown.devices)) == ("numpy", 2)
    filled = wire.answer(desk.handle(wire.encode(wire.Fill(SEED.hex(), SIZE, ROUNDS, KEY.hex()))))
    assert len(filled) == 2 * ROUNDS * kernel.RECEIPT_LEN
    assert wire.answer(desk.handle(wire.encode(wire.Open(4, 0)))) == b"", "another worker's"
    for number, block in ((3, 2), (5, 1)):
        opened = wire.answer(desk.handle(wire.encode(wire.Open(number, block))))
        result = np.frombuffer(opened, np.uint8).reshape(SIZE, SIZE)
        begin = [kernel.states(wire.device_seed(SEED, number), 0, matrix, SIZE) for matrix in (0, 1)]
        left, right = (kernel.entries(states, SIZE, block) for states in begin)
        assert kernel.holds(left, right, result, kernel.draw_vectors(SIZE))


@pytest.mark.parametrize(
    "question",
    [
        b"",
        b"{}",
        b'{"type":"fill","seed":"zz","size":64,"rounds":1,"key":""}',
        wire.encode(wire.Fill(SEED.hex(), 2**20, 1, KEY.hex())),
        wire.encode(wire.Fill(SEED.hex(), SIZE, 2**20, KEY.hex())),
        wire.encode(wire.Fill(SEED.hex(), 63, 1, KEY.hex())),
        wire.encode(wire.Again(KEY.hex())),
        wire.encode(wire.Open(0, 1)),
    ],
)
def test_a_question_that_makes_no_sense_is_answered_with_why(question: bytes) -> None:
    with pytest.raises(wire.CheckFailed):
        wire.answer(Desk("numpy", [(0, NumpyEngine())]).handle(question))
