"""A driver of the launcher's beside the head: which members run its tasks, and what they tell."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import msgspec
from ionet.agent_api import AgentClient
from ionet.agent_errors import one_line
from ionet.errors import IonetError

_MARK = "ionet-joined:"
_MAX_OUTPUT, _MAX_STREAM = 64 * 1024, 4 * 1024 * 1024
_TASK_SECS, _DRIVER_SECS = 20.0, 60.0
_DRIVER = """
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
done, _ = ray.wait(tasks, num_returns=len(tasks), timeout=SECONDS) if tasks else ([], [])
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


async def joined(head: AgentClient, leases: Sequence[str]) -> dict[str, Joined]:
    """By lease, as the head says. Raises DriverFailed, and the agent's errors."""
    script = f"EXPECTED, SECONDS = {sorted(leases)!r}, {_TASK_SECS!r}\n{_DRIVER}"
    output, code = "", None
    events = head.run(script.encode(), within_secs=_DRIVER_SECS, most=_MAX_STREAM)
    async with contextlib.aclosing(events):
        async for event in events:
            output = (output + (event.output or ""))[-_MAX_OUTPUT - 512 * len(leases) :]
            code = event.exit_code
    line = next((line for line in output.splitlines() if line.startswith(_MARK)), None)
    if code != 0 or line is None:
        raise DriverFailed(f"it ended with {code}: {one_line(output.strip()[-200:])}")
    try:
        return msgspec.json.decode(line.removeprefix(_MARK), type=dict[str, Joined])
    except msgspec.DecodeError as error:
        raise DriverFailed(f"what it found cannot be understood: {error}") from None
