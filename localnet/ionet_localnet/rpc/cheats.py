"""Methods that no cluster has, for tests: only on chains started with cheats."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from solders.account import Account

from ionet_localnet.genesis import RENT_EXEMPT
from ionet_localnet.rpc.node import Node, cheat
from ionet_localnet.rpc.params import Config, Params, as_pubkey, invalid


def _now(node: Node) -> dict[str, Any]:
    timeline = node.chain.timeline
    return {"slot": timeline.slot, "blockHeight": timeline.height, "unixTimestamp": timeline.unix_time}


@cheat("localnet_setClock")
def set_clock(node: Node, params: Params) -> dict[str, Any]:
    """[unix seconds]: begin a block at that time; the clock goes on from there. It cannot go backwards."""
    unix_time = params.u64(0)
    if unix_time < node.chain.unix_time:
        raise invalid(f"the clock is at {node.chain.unix_time} and cannot go backwards")
    node.chain.begin_block(unix_time=unix_time)
    node.clock.set(unix_time)
    return _now(node)


@cheat("localnet_advance")
def advance(node: Node, params: Params) -> dict[str, Any]:
    """[seconds]: let time pass; slots are skipped as they would have gone by."""
    node.chain.advance(params.u64(0))
    node.clock.set(node.chain.unix_time)
    return _now(node)


@cheat("localnet_warpToSlot")
def warp_to_slot(node: Node, params: Params) -> dict[str, Any]:
    """[slot]: skip to that slot; the clock stays."""
    node.chain.begin_block(slot=params.u64(0))
    return _now(node)


@cheat("localnet_mineBlocks")
def mine_blocks(node: Node, params: Params) -> dict[str, Any]:
    """[count]: begin that many blocks at once; the clock stays."""
    count = params.u64(0)
    if count > 100_000:
        raise invalid("at most 100000 blocks at once")
    node.chain.begin_blocks(count)
    return _now(node)


@cheat("localnet_pause")
def pause(node: Node, params: Params) -> dict[str, Any]:
    """[true or false]: stop or go on making blocks. Transactions still land, in the open block."""
    value = params.any(0)
    if not isinstance(value, bool):
        raise invalid("expected true or false")
    if not value:
        node.clock.set(node.chain.unix_time)
    node.paused = value
    return _now(node)


@cheat("localnet_setAccount")
def set_account(node: Node, params: Params) -> dict[str, Any]:
    """[address, {lamports, owner, data: [text, "base64"], executable}]: write an account; 0 lamports remove it."""
    address, given = params.pubkey(0), params.config(1)
    data = given.get("data") or ["", "base64"]
    if not isinstance(data, list) or len(data) != 2 or data[1] != "base64":
        raise invalid('data must be [text, "base64"]')
    try:
        raw = base64.b64decode(data[0], validate=True)
    except (TypeError, ValueError, binascii.Error) as failure:
        raise invalid("data is not base64") from failure
    owner = as_pubkey(given.get("owner") or "11111111111111111111111111111111")
    account = Account(given.u64("lamports"), raw, owner, given.flag("executable"), RENT_EXEMPT)
    node.chain.set_account(address, account)
    return _now(node)


@cheat("localnet_addProgram")
def add_program(node: Node, params: Params) -> dict[str, Any]:
    """[program id, ELF in base64, upgrade authority or null]: deploy a program at once."""
    try:
        elf = base64.b64decode(params.string(1), validate=True)
    except (ValueError, binascii.Error) as failure:
        raise invalid("the program is not base64") from failure
    authority = None if params.any(2) is None else params.pubkey(2)
    node.chain.add_program(params.pubkey(0), elf, authority)
    return _now(node)


@cheat("localnet_fork")
def fork(node: Node, params: Params) -> dict[str, Any]:
    """[depth, {keep, seed}]: abandon the newest `depth` (1 to 31) blocks.

    Each of their transactions is executed again in a later slot with probability `keep` (default 0.5). Answers which
    landed again and which vanished.
    """
    depth, config = params.u64(0), params.config(1)
    dropped = node.fork(depth, _probability(config), config.u64("seed", 0))
    moved = [str(record.signature) for record in dropped if node.chain.history.get(record.signature)]
    vanished = [str(record.signature) for record in dropped if not node.chain.history.get(record.signature)]
    return _now(node) | {"moved": moved, "vanished": vanished}


def _probability(config: Config) -> float:
    keep = config.get("keep")
    if keep is None:
        return 0.5
    if isinstance(keep, bool) or not isinstance(keep, int | float) or not 0 <= keep <= 1:
        raise invalid("keep must be from 0 to 1")
    return float(keep)
