"""What to do next on a network that `ionet up` started, for each role."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

_RENTER = """
As a renter (renter.json has SOL, IO and IOSD){first}:
  {renter} run --gpu 4090 --keep --name first --api {api} --launcher {launcher} -- python -c "print('hello')"
  {renter} status
  {renter} down first
"""
_SUPPLIER = """
As a supplier (without a GPU: --model 4090 --pretend --price 0.25; where nothing isolates renters: --trust-renters):
  {treasury} node up --country DE --indexer {api}
  {treasury} node status NODE --api {api}
  {treasury} node earnings NODE --api {api}
"""
_STAKER = """
As a staker:
  {treasury} stake nodes --api {api}
  {treasury} stake add NODE 100
  {treasury} stake show NODE
"""


def next_steps(fields: Mapping[str, str]) -> str:
    """Three commands for each role. fields: what `ionet up` prints."""
    ionet = f"ionet --url {fields['chain']}"
    words = {
        "renter": f"{ionet} --keypair {shlex.quote(fields[RENTER])}",
        "treasury": f"{ionet} --keypair {shlex.quote(fields[TREASURY])}",
        "first": "" if NODES in fields else ", once a supplier serves",
        **{name: fields.get(name, "") for name in ("api", "launcher")},
    }
    return "".join(part.format_map(words) for part in (_RENTER, _SUPPLIER, _STAKER)).rstrip()


RENTER, TREASURY = "renter's wallet", "wallet with IO"
"""Fields that name keypair files."""
NODES = "nodes"
"""Field with how many nodes serve on this machine."""
