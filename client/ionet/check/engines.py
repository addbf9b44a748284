"""Computes the products of a check on a device, and keeps their results in its memory.

PyTorch is never a dependency: it is used where a machine has it, together with CUDA.
"""

from __future__ import annotations

import importlib
from typing import Any, Protocol

import numpy as np

from ionet.check import kernel
from ionet.check.devices import Device

# Results whose receipts are made at once.
_READ_BYTES = 512 * 1024 * 1024


class Engine(Protocol):
    """One device."""

    device: Device

    def fill(self, seed: bytes, size: int, rounds: int, key: bytes) -> bytes:
        """Compute the blocks 0..rounds, keep the results, and return their receipts one after the other."""

    def again(self, key: bytes) -> bytes:
        """The same results' receipts under another key, from what was kept."""

    def open(self, block: int) -> bytes:
        """One result, row by row."""


class NumpyEngine:
    """A processor without a device of its own: the machine's CPUs stand for it."""

    def __init__(self) -> None:
        self.device = Device(name="cpu")
        self._kept: list[kernel.Bytes] = []

    def fill(self, seed: bytes, size: int, rounds: int, key: bytes) -> bytes:
        left, right = (kernel.states(seed, 0, matrix, size) for matrix in (kernel.LEFT, kernel.RIGHT))
        self._kept = [self.result(left, right, size, block) for block in range(rounds)]
        return self.again(key)

    def result(self, left: kernel.Words, right: kernel.Words, size: int, block: int) -> kernel.Bytes:
        return kernel.product(kernel.entries(left, size, block), kernel.entries(right, size, block))

    def again(self, key: bytes) -> bytes:
        drawn = kernel.weights(key, len(self._kept[0]))
        return b"".join(kernel.receipt(result, key, drawn) for result in self._kept)

    def open(self, block: int) -> bytes:
        return self._kept[block].tobytes()


class TorchEngine:
    """A device of PyTorch. Words are i64 there, whose products wrap as those of u64 do; its shifts keep the sign."""

    def __init__(self, number: int = 0, kind: str = "cuda") -> None:
        self._torch: Any = importlib.import_module("torch")
        self._at = self._torch.device(kind, number) if kind == "cuda" else self._torch.device(kind)
        self._kept: Any = None
        self.device = Device(name=kind)
        if kind == "cuda":
            told = self._torch.cuda.get_device_properties(number)
            uuid = getattr(told, "uuid", None)
            name = f"GPU-{uuid}" if uuid is not None else None
            self.device = Device(name=told.name, uuid=name, memory_bytes=told.total_memory)

    def fill(self, seed: bytes, size: int, rounds: int, key: bytes) -> bytes:
        torch = self._torch
        # Both matrices in one: half as many kernels to start.
        states = [kernel.states(seed, 0, matrix, size) for matrix in (kernel.LEFT, kernel.RIGHT)]
        begin = torch.from_numpy(np.concatenate(states).view(np.int64)).to(self._at)
        # The memory of an earlier check first: the new results would not fit beside it.
        self._kept = None
        self._kept = torch.empty((rounds, size, size), dtype=torch.uint8, device=self._at)
        for block in range(rounds):
            lines = self._entries(begin, size, block)
            self._kept[block].copy_(self._sums(lines[:size], lines[size:]).remainder_(kernel.PRIME))
        return self.again(key)

    def again(self, key: bytes) -> bytes:
        torch = self._torch
        rounds, size, _ = self._kept.shape
        drawn = torch.from_numpy(kernel.weights(key, size).T.copy()).to(self._at).view(torch.int8)
        numbers = 2 * torch.arange(size, dtype=torch.int64, device=self._at) + 1
        found = torch.empty((rounds, kernel.WEIGHT_COUNT), dtype=torch.int64, device=self._at)
        together = max(_READ_BYTES // size**2, 1)
        for first in range(0, rounds, together):
            # In bytes, which wrap: this is to take the time of reading the memory, and little more.
            quanta = self._kept[first : first + together] * kernel.MULTIPLIER
            quanta.add_(kernel.quantum_key(key)).bitwise_right_shift_(4)
            rows = self._sums(quanta.view(torch.int8).view(-1, size), drawn).view(-1, size, kernel.WEIGHT_COUNT)
            found[first : first + together] = (rows.to(torch.int64) * numbers[:, None]).sum(dim=1)
        return bytes(found.cpu().numpy().astype("<i8").tobytes())

    def open(self, block: int) -> bytes:
        return bytes(self._kept[block].cpu().numpy().tobytes())

    def _entries(self, begin: Any, size: int, block: int) -> Any:
        """As `kernel.entries`, i8. In place: the time goes into reading and writing these words."""
        torch, count = self._torch, size // 8
        steps = torch.arange(block * count + 1, (block + 1) * count + 1, dtype=torch.int64, device=self._at)
        mixed = begin[:, None] + (steps * _signed(kernel.GAMMA))[None, :]
        shifted = torch.empty_like(mixed)
        for bits, factor in ((30, kernel.FIRST), (27, kernel.SECOND), (31, 1)):
            torch.bitwise_right_shift(mixed, bits, out=shifted)
            mixed.bitwise_xor_(shifted.bitwise_and_(2 ** (64 - bits) - 1)).mul_(_signed(factor))
        return mixed.view(torch.int8).bitwise_and_(0x7F)

    def _sums(self, left: Any, right: Any) -> Any:
        """As `kernel.sums`, i32: with the device's own product of bytes where it has one."""
        torch = self._torch
        if self._at.type == "cuda":
            try:
                return torch._int_mm(left, right.t())
            except (AttributeError, RuntimeError):
                pass  # an older card or PyTorch
        total = torch.zeros((len(left), len(right)), dtype=torch.int32, device=self._at)
        for start in range(0, left.shape[1], kernel.EXACT_TERMS):
            part = slice(start, start + kernel.EXACT_TERMS)
            total += (left[:, part].to(torch.float32) @ right[:, part].to(torch.float32).t()).to(torch.int32)
        return total


def _signed(word: int) -> int:
    return word - 2**64 if word >= 2**63 else word
