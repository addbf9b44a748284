"""RPC methods about the cluster, its blocks and its time."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from solders.hash import Hash
from solders.message import from_bytes_versioned

from ionet_localnet.history import TransactionRecord
from ionet_localnet.rpc.node import VERSION, Node, method
from ionet_localnet.rpc.params import INVALID_PARAMS, Config, Params, RpcError, as_hash, invalid
from ionet_localnet.rpc.transaction_json import ENCODINGS, show_accounts, show_transaction
from ionet_localnet.timeline import Timeline

BLOCK_NOT_AVAILABLE = -32004
SLOT_SKIPPED = -32007
_MAX_BLOCKS = 500_000
# First four bytes of the hash of the feature set, as Agave prints it; informative only.
_FEATURE_SET = 0


@method("getHealth")
def get_health(_node: Node, _params: Params) -> str:
    return "ok"


@method("getVersion")
def get_version(_node: Node, _params: Params) -> dict[str, Any]:
    return {"solana-core": VERSION, "feature-set": _FEATURE_SET}


@method("getGenesisHash")
def get_genesis_hash(node: Node, _params: Params) -> str:
    return str(node.chain.genesis_hash)


@method("getIdentity")
def get_identity(node: Node, _params: Params) -> dict[str, Any]:
    return {"identity": str(node.chain.identity)}


@method("getClusterNodes")
def get_cluster_nodes(node: Node, _params: Params) -> list[dict[str, Any]]:
    return [
        {
            "pubkey": str(node.chain.identity),
            "gossip": None,
            "tpu": None,
            "rpc": None,
            "pubsub": None,
            "version": VERSION,
            "featureSet": _FEATURE_SET,
            "shredVersion": 0,
        }
    ]


@method("getSlotLeader")
def get_slot_leader(node: Node, _params: Params) -> str:
    return str(node.chain.identity)


@method("getVoteAccounts")
def get_vote_accounts(_node: Node, _params: Params) -> dict[str, Any]:
    """Nobody votes here."""
    return {"current": [], "delinquent": []}


@method("getSlot")
def get_slot(node: Node, params: Params) -> int:
    return node.chain.timeline.committed_slot(node.commitment(params.config(0)))


@method("getBlockHeight")
def get_block_height(node: Node, params: Params) -> int:
    return node.chain.timeline.committed_height(node.commitment(params.config(0)))


@method("getTransactionCount")
def get_transaction_count(node: Node, _params: Params) -> int:
    return node.chain.history.next_number


@method("getEpochInfo")
def get_epoch_info(node: Node, params: Params) -> dict[str, Any]:
    commitment = node.commitment(params.config(0))
    timeline = node.chain.timeline
    slot = timeline.committed_slot(commitment)
    epoch, index = node.chain.epoch_schedule.get_epoch_and_slot_index(slot)
    return {
        "absoluteSlot": slot,
        "blockHeight": timeline.committed_height(commitment),
        "epoch": epoch,
        "slotIndex": index,
        "slotsInEpoch": node.chain.epoch_schedule.get_slots_in_epoch(epoch),
        "transactionCount": node.chain.history.next_number,
    }


@method("getEpochSchedule")
def get_epoch_schedule(node: Node, _params: Params) -> dict[str, Any]:
    schedule = node.chain.epoch_schedule
    return {
        "slotsPerEpoch": schedule.slots_per_epoch,
        "leaderScheduleSlotOffset": schedule.leader_schedule_slot_offset,
        "warmup": schedule.warmup,
        "firstNormalEpoch": schedule.first_normal_epoch,
        "firstNormalSlot": schedule.first_normal_slot,
    }


@method("getLatestBlockhash")
def get_latest_blockhash(node: Node, params: Params) -> dict[str, Any]:
    commitment = node.commitment(params.config(0))
    blockhash, last_valid = node.chain.timeline.latest_blockhash(commitment)
    return node.context(commitment, {"blockhash": str(blockhash), "lastValidBlockHeight": last_valid})


@method("isBlockhashValid")
def is_blockhash_valid(node: Node, params: Params) -> dict[str, Any]:
    commitment = node.commitment(params.config(1))
    return node.context(commitment, node.chain.timeline.is_blockhash_valid(as_hash(params.string(0))))


@method("getFeeForMessage")
def get_fee_for_message(node: Node, params: Params) -> dict[str, Any]:
    """Signature fee plus priority fee; null when the blockhash has expired."""
    commitment = node.commitment(params.config(1))
    try:
        message = from_bytes_versioned(base64.b64decode(params.string(0), validate=True))
    except (ValueError, binascii.Error) as failure:
        raise invalid("not a base64 encoded message") from failure
    if not node.chain.timeline.is_blockhash_valid(message.recent_blockhash):
        return node.context(commitment, None)
    return node.context(commitment, node.chain.fee(message))


@method("getRecentPrioritizationFees")
def get_recent_prioritization_fees(node: Node, _params: Params) -> list[dict[str, int]]:
    """Blocks here are never full, so nothing has to be paid."""
    timeline = node.chain.timeline
    heights = range(max(0, timeline.height - 150), timeline.height)
    return [{"slot": timeline.slot_at(height), "prioritizationFee": 0} for height in heights]


@method("getFirstAvailableBlock")
def get_first_available_block(node: Node, _params: Params) -> int:
    return node.chain.history.first_slot


@method("minimumLedgerSlot")
def minimum_ledger_slot(node: Node, _params: Params) -> int:
    return node.chain.history.first_slot


@method("getMinimumBalanceForRentExemption")
def get_minimum_balance(node: Node, params: Params) -> int:
    return node.chain.minimum_balance(params.u64(0))


def _block_height(timeline: Timeline, slot: int, newest: int) -> int:
    """Height of the block in `slot`, at most `newest`; RpcError where there is none."""
    if slot > timeline.slot_at(newest):
        raise RpcError(BLOCK_NOT_AVAILABLE, f"Block not available for slot {slot}")
    height = timeline.height_of(slot)
    if height is None:
        message = f"Slot {slot} was skipped, or missing due to ledger jump to recent snapshot"
        raise RpcError(SLOT_SKIPPED, message)
    return height


@method("getBlockTime")
def get_block_time(node: Node, params: Params) -> int:
    timeline = node.chain.timeline
    return timeline.time_at(_block_height(timeline, params.u64(0), timeline.height))


def _range(node: Node, first: int, last: int | None, config_commitment: str) -> list[int]:
    timeline = node.chain.timeline
    newest = timeline.committed_slot("finalized" if config_commitment == "finalized" else "confirmed")
    last = newest if last is None else min(last, newest)
    if last - first > _MAX_BLOCKS:
        raise RpcError(INVALID_PARAMS, f"Slot range too large; max {_MAX_BLOCKS}")
    return [timeline.slot_at(height) for height in timeline.heights_between(first, last)]


@method("getBlocks")
def get_blocks(node: Node, params: Params) -> list[int]:
    """Slots that hold a block, first and last included; the last slot may be left out."""
    last = params.any(1)
    if isinstance(last, dict):
        return _range(node, params.u64(0), None, params.config(1).commitment())
    last_slot = None if last is None else params.u64(1)
    return _range(node, params.u64(0), last_slot, params.config(2).commitment())


@method("getBlocksWithLimit")
def get_blocks_with_limit(node: Node, params: Params) -> list[int]:
    limit = params.u64(1)
    return _range(node, params.u64(0), None, params.config(2).commitment())[:limit]


@method("getBlock")
def get_block(node: Node, params: Params) -> dict[str, Any]:
    slot, config = params.u64(0), params.config(1)
    commitment = config.commitment()
    if commitment == "processed":
        raise RpcError(INVALID_PARAMS, "Method does not support commitment below `confirmed`")
    timeline = node.chain.timeline
    height = _block_height(timeline, slot, timeline.committed_height(commitment))
    return BlockView(config).show(timeline, height, node.chain.history.in_slot(slot))


class BlockView:
    """How a caller wants blocks: which details, and transactions in which encoding."""

    def __init__(self, config: Config) -> None:
        self._details = config.choice("transactionDetails", ("full", "accounts", "signatures", "none"), "full")
        self._encoding = config.choice("encoding", ENCODINGS, "json")
        self._max_version = config.optional_u64("maxSupportedTransactionVersion")
        self._rewards = config.flag("rewards", default=True) and config.flag("showRewards", default=True)

    def show(self, timeline: Timeline, height: int, records: list[TransactionRecord]) -> dict[str, Any]:
        """The block at `height`, which holds `records`. Raises RpcError -32015 for a transaction version too new."""
        parent = max(0, height - 1)
        block: dict[str, Any] = {
            "blockhash": str(timeline.blockhash(height)),
            "previousBlockhash": str(timeline.blockhash(parent) if height else Hash.default()),
            "parentSlot": timeline.slot_at(parent),
            "blockHeight": height,
            "blockTime": timeline.time_at(height),
        }
        if self._rewards:
            block["rewards"] = []
        if self._details == "full":
            block["transactions"] = [show_transaction(record, self._encoding, self._max_version) for record in records]
        elif self._details == "accounts":
            block["transactions"] = [show_accounts(record) for record in records]
        elif self._details == "signatures":
            block["signatures"] = [str(record.signature) for record in records]
        return block


@method("getSupply")
def get_supply(node: Node, params: Params) -> dict[str, Any]:
    """All lamports; those still in the faucet count as not circulating."""
    commitment = node.commitment(params.config(0))
    chain = node.chain
    accounts = (chain.get_account(address, commitment) for address in chain.addresses)
    total = sum(account.lamports for account in accounts if account is not None)
    faucet = chain.get_account(chain.faucet.pubkey(), commitment)
    held = faucet.lamports if faucet else 0
    value = {
        "total": total,
        "circulating": total - held,
        "nonCirculating": held,
        "nonCirculatingAccounts": [str(chain.faucet.pubkey())],
    }
    return node.context(commitment, value)
