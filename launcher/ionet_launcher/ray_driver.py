"""A driver of the launcher's beside the head: which members run its tasks, and what they tell."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Sequence

import msgspec
from ionet.agent_api import AgentClient, decoded
from ionet.agent_errors import BadAnswer, one_line
from ionet.errors import IonetError

_MARK = "ionet-joined:"
_MAX_OUTPUT, _MAX_STREAM = 64 * 1024, 4 * 1024 * 1024
_END_SECS = 1.0
# It asks again and again, since members are told by the launcher what to tell while it starts. What a task returns is
# read as bytes and never made an object of Python's, which runs code of whoever wrote it.
_DRIVER = """
import time
until = time.monotonic() + SECONDS
import json, os, ray
from ray._private.worker import global_worker
ray.init(logging_level="error", log_to_driver=False)

@ray.remote(num_cpus=0, num_gpus=0, max_retries=0)
def tell():
    try:
        with open(os.environ["IONET_WITNESS"], "rb") as file:
            return file.read(64)
    except FileNotFoundError:
        return b""

def told(task):
    [(data, kind, *_)] = global_worker.core_worker.get_objects([task], 1000)
    return data.to_pybytes()[:64].decode("ascii", "replace") if data and kind.split(b",")[0] == b"RAW" else ""

found, asked, shown, pause = {}, {}, None, 0.05
while time.monotonic() < until:
    for node in ray.nodes():
        lease = node["Labels"].get("ionet-lease")
        if node["Alive"] and lease in EXPECTED:
            processors = int(node["Resources"].get("GPU", 0))
            found[lease] = {**found.get(lease, {"witness": ""}), "processors": processors}
            if lease not in asked.values():
                asked[tell.options(label_selector={"ionet-lease": lease}).remote()] = lease
    done = ray.wait(list(asked), num_returns=len(asked), timeout=pause, fetch_local=False)[0] if asked else []
    for task in done:
        lease = asked.pop(task)
        try:
            found[lease]["witness"] = told(task)
        except Exception:
            pass
    news = {lease: dict(one) for lease, one in found.items() if one != (shown or {}).get(lease)}
    if news or shown is None:
        shown = {**(shown or {}), **news}
        print("ionet-joined:" + json.dumps(news), flush=True)
    time.sleep(pause)
    pause = min(pause * 1.2, 1)
"""


class Joined(msgspec.Struct, frozen=True):
    """A member that Ray knows. `processors`: what Ray offers there; `witness`: what a task on it told last."""

    processors: int
    witness: str


class DriverFailed(IonetError):
    """the driver beside the head came to no answer"""


async def tellings(head: AgentClient, leases: Sequence[str], secs: float) -> AsyncGenerator[dict[str, Joined]]:
    """By lease, what the head says and did not say before, for `secs`; at first of all that it knows then. Closing it
    ends the driver.

    Raises DriverFailed when it ends otherwise, and the agent's errors.
    """
    script = f"EXPECTED, SECONDS = {sorted(leases)!r}, {secs!r}\n{_DRIVER}"
    printed, said, code = _Lines(_MAX_OUTPUT + 512 * len(leases)), False, None
    # Who follows it stops in time; this is for what then still comes.
    events = head.run(script.encode(), within_secs=secs + _END_SECS, most=_MAX_STREAM)
    async with contextlib.aclosing(events):
        async for event in events:
            for line in printed.add(event.output or ""):
                if line.startswith(_MARK):
                    said = True
                    yield _decoded(line.removeprefix(_MARK))
            code = event.exit_code
    if code != 0 or not said:
        raise DriverFailed(f"it ended with {code}: {one_line(printed.last().strip()[-200:])}")


def _decoded(text: str) -> dict[str, Joined]:
    try:
        return decoded(text, dict[str, Joined])
    except BadAnswer as error:
        raise DriverFailed(f"what it found cannot be understood: {error.detail}") from None


class _Lines:
    """The lines of a text that comes in pieces; of each the last `most` letters, or a little more."""

    def __init__(self, most: int) -> None:
        self._most, self._rest, self._last = most, _Tail(most), ""

    def add(self, piece: str) -> list[str]:
        """Those that end with this piece."""
        *ends, rest = piece.split("\n")
        lines = []
        for end in ends:
            self._rest.add(end)
            lines.append(self._rest.text())
            self._rest = _Tail(self._most)
        self._rest.add(rest)
        self._last = next((line for line in reversed(lines) if line.strip()), self._last)
        return lines

    def last(self) -> str:
        """What was last, whether it has ended or not."""
        return self._rest.text() or self._last


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
