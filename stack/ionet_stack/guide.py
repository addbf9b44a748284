"""What to do next on a network that `ionet up` started, for each role."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

_RENTER = """
As a renter (renter.json has SOL, IO and IOSD):
  {renter} node list --hireable
  {renter} cluster open 5 --session-key {session}
  {renter} cluster add CLUSTER NODE --duration 1h
"""
_RENTER_WITH_NODES = """
As a renter (renter.json has SOL, IO and IOSD):
  {renter} run --gpu 4090 --keep --name first --api {api} --launcher {launcher} -- python -c "print('hello')"
  {renter} status
  {renter} down first
"""
_SUPPLIER = """
As a supplier (the device's key needs SOL too; the agent's URL goes into {agents}):
  {keys} keys new device.json
  {treasury} node register --device device.json --model 4090 --processors 1 --price 0.25 --country DE
  {treasury} stake add NODE 250
"""
_STAKER = """
As a staker:
  {treasury} node list
  {treasury} stake add NODE 100
  {treasury} stake show NODE
"""


def next_steps(fields: Mapping[str, str]) -> str:
    """Three commands for each role. fields: what `ionet up` prints."""
    ionet = f"ionet --url {fields['chain']}"
    words = {
        "keys": ionet,
        "renter": f"{ionet} --keypair {shlex.quote(fields[RENTER])}",
        "treasury": f"{ionet} --keypair {shlex.quote(fields[TREASURY])}",
        "session": fields.get("session key", "KEY"),
        "agents": fields.get("agents", "agents.json"),
        "api": fields.get("api", ""),
        "launcher": fields.get("launcher", ""),
    }
    renter = _RENTER_WITH_NODES if NODES in fields else _RENTER
    return "".join(part.format_map(words) for part in (renter, _SUPPLIER, _STAKER)).rstrip()


RENTER, TREASURY = "renter's wallet", "wallet with IO"
"""Fields that name keypair files."""
NODES = "nodes"
"""Field with how many nodes serve on this machine."""
