"""A local chain with the ionet program and the price poster on it."""

from __future__ import annotations

from importlib.resources import files

from ionet import addresses
from ionet.idl import bundled
from ionet_localnet import Genesis
from solders.pubkey import Pubkey


def artifact(name: str) -> bytes:
    """A file of `ionet/artifacts`, e.g. `ionet.so`."""
    return (files("ionet") / "artifacts" / name).read_bytes()


def genesis(upgrade_authority: Pubkey) -> Genesis:
    """Both programs deployed; the authority may upgrade them and so may create the network."""
    program = Pubkey.from_string(bundled().address)
    programs = {program: artifact("ionet.so"), addresses.PYTH_RECEIVER: artifact("price_poster.so")}
    return Genesis(programs, upgrade_authority=upgrade_authority)
