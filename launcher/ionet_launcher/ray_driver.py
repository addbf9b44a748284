"""A driver of the launcher's beside the head: which members run its tasks, and what they tell."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Sequence

import msgspec
from ionet.agent_api import AgentClient, decoded
from ionet.agent_errors import BadAnswer, one_line
from ionet.errors import IonetError

_MARK = "ionet-joined:"
_MAX_OUTPUT, _MAX_STREAM = 64 * 1024, 4 * 1024 * 1024
# Part of a driver's time after which it does not wait for its tasks any longer.
_TASKS_PART = 0.8
_DRIVER = """
import time
until = time.monotonic() + SECONDS
import json, os, ray
ray.init(logging_level="error", log_to_driver=False)

@ray.remote(num_cpus=0)
def tell():
    with open(os.environ["IONET_WITNESS"]) as file:
        return os.environ["IONET_LEASE"], file.read(64)

found = {}
for node in ray.nodes():
    lease = node["Labels"].get("ionet-lease")
    if node["Alive"] and lease in EXPECTED:
        found[lease] = {"processors": int(node["Resources"].get("GPU", 0)), "witness": ""}
tasks = [tell.options(num_gpus=0, label_selector={"ionet-lease": lease}).remote() for lease in found]
left = max(until - time.monotonic(), 1)
done, _ = ray.wait(tasks, num_returns=len(tasks), timeout=left) if tasks else ([], [])
for task in done:
    try:
        lease, witness = ray.get(task)
        found[lease]["witness"] = str(witness)
    except Exception as error:
        print(error)
print("ionet-joined:" + json.dumps(found))
"""


class Joined(msgspec.Struct, frozen=True):
    """A member that Ray knows. `processors`: what Ray offers there; `witness`: what a task on it told."""

    processors: int
    witness: str


class DriverFailed(IonetError):
    """the driver beside the head came to no answer"""


async def joined(head: AgentClient, leases: Sequence[str], secs: float) -> dict[str, Joined]:
    """By lease, as the head says within `secs`. Raises DriverFailed, and the agent's errors."""
    script = f"EXPECTED, SECONDS = {sorted(leases)!r}, {_TASKS_PART * secs!r}\n{_DRIVER}"
    printed, code = _Tail(_MAX_OUTPUT + 512 * len(leases)), None
    events = head.run(script.encode(), within_secs=secs, most=_MAX_STREAM)
    async with contextlib.aclosing(events):
        async for event in events:
            printed.add(event.output or "")
            code = event.exit_code
    output = printed.text()
    line = next((line for line in output.splitlines() if line.startswith(_MARK)), None)
    if code != 0 or line is None:
        raise DriverFailed(f"it ended with {code}: {one_line(output.strip()[-200:])}")
    try:
        return decoded(line.removeprefix(_MARK), dict[str, Joined])
    except BadAnswer as error:
        raise DriverFailed(f"what it found cannot be understood: {error.detail}") from None


class _Tail:
    """The last pieces of a text, `most` letters of them or a little more. However small they are, none is copied."""

    def __init__(self, most: int) -> None:
        self._most, self._size = most, 0
        self._pieces: deque[str] = deque()

    def add(self, piece: str) -> None:
        if not piece:
            return
        self._pieces.append(piece)
        self._size += len(piece)
        while self._size - len(self._pieces[0]) >= self._most:
            self._size -= len(self._pieces.popleft())

    def text(self) -> str:
        return "".join(self._pieces)
