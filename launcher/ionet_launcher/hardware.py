"""What a driver inside the cluster sees: that every member runs tasks and has the processors that were booked.

The launcher sends its own driver, so the answer is Ray's and not the agents'. With `devices` the tasks also count the
GPUs that the operating system shows them; on a machine that only declares processors, such as a local one, they cannot.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from ionet.agent_api import AgentClient
from ionet.errors import IonetError
from ionet.lease_view import LeaseView
from solders.pubkey import Pubkey

_MARK = "ionet-hardware:"
_MAX_OUTPUT = 64 * 1024
_DRIVER = """
import json, os, ray
ray.init(logging_level="error", log_to_driver=False)

@ray.remote(num_cpus=0)
def look():
    folder = "/proc/driver/nvidia/gpus"
    devices = len(os.listdir(folder)) if os.path.isdir(folder) else 0
    return {"lease": os.environ["IONET_LEASE"], "devices": devices}

alive = [n for n in ray.nodes() if n["Alive"]]
found = {}
for node in alive:
    lease = node["Labels"].get("ionet-lease")
    if lease in EXPECTED:
        found[lease] = {"processors": int(node["Resources"].get("GPU", 0))}
tasks = [look.options(num_gpus=0, label_selector={"ionet-lease": lease}).remote() for lease in found]
done, _ = ray.wait(tasks, num_returns=len(tasks), timeout=SECONDS) if tasks else ([], [])
for seen in ray.get(done):
    found[seen["lease"]]["devices"] = seen["devices"]
print("ionet-hardware:" + json.dumps({k: v for k, v in found.items() if "devices" in v}))
"""


class Seen(msgspec.Struct, frozen=True):
    """A member on which a task ran. `processors`: what Ray offers there; `devices`: GPUs the system shows."""

    processors: int
    devices: int


class Problem(msgspec.Struct, frozen=True):
    """What is wrong with a member. `absent`: the cluster does not know it, whatever its agent says."""

    detail: str
    absent: bool


class ProbeError(IonetError):
    """the hardware check did not come to an answer"""


async def check(
    head: AgentClient, leases: Sequence[LeaseView], *, devices: bool, within_secs: float = 20.0
) -> dict[Pubkey, Problem]:
    """What is wrong, by lease; empty when every member runs tasks with its processors.

    Raises ProbeError, and the agent's errors.
    """
    expected = sorted(str(lease.address) for lease in leases)
    script = f"EXPECTED, SECONDS = {expected!r}, {within_secs!r}\n{_DRIVER}"
    output, code = "", None
    async for event in head.run(script.encode()):
        output = (output + (event.output or ""))[-_MAX_OUTPUT:]
        code = event.exit_code
    line = next((line for line in output.splitlines() if line.startswith(_MARK)), None)
    if code != 0 or line is None:
        raise ProbeError(f"the driver ended with {code}: {output.strip()[-200:]}")
    found = msgspec.json.decode(line.removeprefix(_MARK), type=dict[str, Seen])
    problems = {lease.address: _problem(lease, found.get(str(lease.address)), devices) for lease in leases}
    return {address: problem for address, problem in problems.items() if problem is not None}


def _problem(lease: LeaseView, seen: Seen | None, devices: bool) -> Problem | None:
    if seen is None:
        return Problem(f"no task ran on node {lease.node}", absent=True)
    if seen.processors != lease.processors or (devices and seen.devices < lease.processors):
        shown = f"{seen.processors} processors and {seen.devices} devices"
        return Problem(f"node {lease.node} shows {shown}, not the {lease.processors} booked", absent=False)
    return None
