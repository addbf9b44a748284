"""Transactions that the tests of the local chain send."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ionet_localnet import LocalChain
from ionet_localnet.execution import MINT_SIZE, TOKEN_ACCOUNT_SIZE, TOKEN_PROGRAM
from ionet_localnet.genesis import program_data_address
from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.system_program import CreateAccountParams, TransferParams, create_account, transfer
from solders.transaction import VersionedTransaction
from spl.token.instructions import initialize_account3, initialize_mint2, mint_to
from spl.token.models import InitializeAccount3Params, InitializeMint2Params, MintToParams

SOL = 10**9
SIGNATURE_FEE = 5000


def signed(blockhash: Hash, signers: Sequence[Keypair], instructions: Sequence[Instruction]) -> VersionedTransaction:
    """A v0 transaction paid by the first signer."""
    message = MessageV0.try_compile(signers[0].pubkey(), list(instructions), [], blockhash)
    return VersionedTransaction(message, list(signers))


def pay(blockhash: Hash, payer: Keypair, to: Pubkey, lamports: int) -> VersionedTransaction:
    move = transfer(TransferParams(from_pubkey=payer.pubkey(), to_pubkey=to, lamports=lamports))
    return signed(blockhash, [payer], [move])


def rich(chain: LocalChain, lamports: int = 1000 * SOL) -> Keypair:
    """A new wallet with lamports."""
    wallet = Keypair()
    assert chain.airdrop(wallet.pubkey(), lamports).error is None
    return wallet


def new_mint(payer: Keypair, mint: Keypair, rent: int, decimals: int) -> list[Instruction]:
    create = CreateAccountParams(
        from_pubkey=payer.pubkey(), to_pubkey=mint.pubkey(), lamports=rent, space=MINT_SIZE, owner=TOKEN_PROGRAM
    )
    init = InitializeMint2Params(
        decimals=decimals, program_id=TOKEN_PROGRAM, mint=mint.pubkey(), mint_authority=payer.pubkey()
    )
    return [create_account(create), initialize_mint2(init)]


def new_token_account(payer: Keypair, account: Keypair, rent: int, mint: Pubkey, owner: Pubkey) -> list[Instruction]:
    create = CreateAccountParams(
        from_pubkey=payer.pubkey(),
        to_pubkey=account.pubkey(),
        lamports=rent,
        space=TOKEN_ACCOUNT_SIZE,
        owner=TOKEN_PROGRAM,
    )
    init = InitializeAccount3Params(program_id=TOKEN_PROGRAM, account=account.pubkey(), mint=mint, owner=owner)
    return [create_account(create), initialize_account3(init)]


def mint_tokens(mint: Pubkey, to: Pubkey, authority: Pubkey, amount: int) -> Instruction:
    return mint_to(MintToParams(program_id=TOKEN_PROGRAM, mint=mint, dest=to, mint_authority=authority, amount=amount))


def state(chain: LocalChain) -> dict[str, Any]:
    """Everything a client could see."""
    timeline = chain.timeline
    accounts = {address: chain.get_account(address) for address in chain.addresses}
    return {
        "accounts": {address: bytes(account) for address, account in accounts.items() if account is not None},
        "blocks": [(timeline.slot_at(h), timeline.time_at(h), timeline.blockhash(h)) for h in range(timeline.height)],
        "transactions": [
            (record.signature, record.slot, record.index, record.unix_time, str(record.error), record.logs)
            for height in range(timeline.height + 1)
            for record in chain.history.in_slot(timeline.slot_at(height))
        ],
        "slot": chain.slot,
        "time": chain.unix_time,
        "genesis": chain.genesis_hash,
        "sysvars": [
            chain.get_account(Pubkey.from_string(address))
            for address in (
                "SysvarC1ock11111111111111111111111111111111",
                "SysvarS1otHashes111111111111111111111111111",
            )
        ],
    }


def token_program_elf(chain: LocalChain) -> bytes:
    """A real sBPF program to deploy elsewhere: the token program that comes with the SVM."""
    deployed = chain.get_account(program_data_address(TOKEN_PROGRAM))
    if deployed is None:
        program = chain.get_account(TOKEN_PROGRAM)
        assert program is not None
        deployed = chain.get_account(Pubkey.from_bytes(program.data[4:36]))
    assert deployed is not None
    return deployed.data[45:]
