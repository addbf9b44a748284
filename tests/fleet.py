"""Thousands of hireable nodes on a local chain in this process, each registered and staked by a real transaction."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from ionet.generated import pdas
from ionet.generated.types import NodeTerms
from ionet.program import PROGRAM
from ionet.wallet import compile_message
from ionet_localnet import LocalChain
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction


def devices(count: int) -> list[Keypair]:
    """Device keys; the same in every run."""
    return [Keypair.from_seed(sha256(b"fleet %d" % number).digest()) for number in range(count)]


def register(
    chain: LocalChain, owner: Keypair, keys: Sequence[Keypair], *, model: int, terms: NodeTerms, stake: int
) -> list[Pubkey]:
    """One node of one processor for each device key, with `stake` IO base units behind it; returns their addresses."""
    nodes = []
    for key in keys:
        node = pdas.node(PROGRAM.id, key.pubkey())
        registration = PROGRAM.ix.register_node(
            owner=owner.pubkey(), device_key=key.pubkey(), model_code=model, processors=1, terms=terms
        )
        staking = PROGRAM.ix.stake(staker=owner.pubkey(), node=node, amount=stake)
        submit(chain, [registration, staking], owner, key)
        nodes.append(node)
    return nodes


def submit(chain: LocalChain, wanted: list[Instruction], *signers: Keypair) -> None:
    """One transaction, paid by its first signer. Raises AssertionError when it fails."""
    message = compile_message(signers[0].pubkey(), wanted, chain.latest_blockhash())
    landed = chain.submit(VersionedTransaction(message, list(signers)))
    assert landed.error is None, landed.logs
