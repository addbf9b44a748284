"""JSON-RPC through solana-py."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from ionet_localnet import Localnet
from ionet_localnet.execution import MINT_SIZE, TOKEN_ACCOUNT_SIZE, TOKEN_PROGRAM
from ionet_localnet.genesis import rent_exempt
from ionet_localnet.timeline import FINALIZED_LAG
from localnet.helpers import (
    SIGNATURE_FEE,
    SOL,
    mint_tokens,
    new_mint,
    new_token_account,
    pay,
    signed,
)
from solana.exceptions import SolanaRpcException
from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Confirmed, Finalized, Processed
from solana.rpc.core import RPCException
from solana.rpc.models import DataSliceOpts, MemcmpOpts, TokenAccountOpts, TxOpts
from solders.keypair import Keypair


@pytest_asyncio.fixture
async def client(net: Localnet) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(net.rpc_url, Confirmed) as client:
        yield client


async def test_airdrop_send_confirm_and_look_up(client: AsyncClient) -> None:
    wallet, to = Keypair(), Keypair().pubkey()
    drop = (await client.request_airdrop(wallet.pubkey(), 10 * SOL)).value
    await client.confirm_transaction(drop, Confirmed)
    latest = (await client.get_latest_blockhash()).value
    sent = (await client.send_transaction(pay(latest.blockhash, wallet, to, SOL))).value
    status = (await client.confirm_transaction(sent, Confirmed)).value[0]
    assert status is not None
    assert status.err is None
    assert (await client.get_balance(to)).value == SOL
    assert (await client.get_balance(wallet.pubkey())).value == 9 * SOL - SIGNATURE_FEE
    found = (await client.get_transaction(sent, "json", Confirmed, 0)).value
    assert found is not None
    assert found.slot == status.slot
    assert found.transaction.meta is not None
    assert found.transaction.meta.pre_balances[0] == 10 * SOL
    history = (await client.get_signatures_for_address(wallet.pubkey(), commitment=Confirmed)).value
    assert [entry.signature for entry in history] == [sent, drop]
    await client.confirm_transaction(sent, Finalized)
    finalized = (await client.get_signature_statuses([sent])).value[0]
    assert finalized is not None
    assert finalized.confirmations is None


async def test_slots_clock_and_blockhashes_advance(client: AsyncClient, net: Localnet) -> None:
    first = (await client.get_slot(Processed)).value
    first_hash = (await client.get_latest_blockhash(Processed)).value.blockhash
    while (slot := (await client.get_slot(Processed)).value) < first + 5:
        assert slot >= first
    assert (await client.get_latest_blockhash(Processed)).value.blockhash != first_hash
    assert (await client.get_block_time(first)).value is not None
    net.chain.begin_blocks(FINALIZED_LAG)
    assert (await client.get_blocks(first, first + 2)).value == [first, first + 1, first + 2]
    assert (await client.get_block_height(Processed)).value >= first + 5


async def test_tokens_through_solana_py(client: AsyncClient) -> None:
    wallet, mint, account = Keypair(), Keypair(), Keypair()
    await client.confirm_transaction((await client.request_airdrop(wallet.pubkey(), 10 * SOL)).value, Confirmed)
    rents = [
        (await client.get_minimum_balance_for_rent_exemption(size)).value for size in (MINT_SIZE, TOKEN_ACCOUNT_SIZE)
    ]
    setup = [
        *new_mint(wallet, mint, rents[0], 6),
        *new_token_account(wallet, account, rents[1], mint.pubkey(), wallet.pubkey()),
        mint_tokens(mint.pubkey(), account.pubkey(), wallet.pubkey(), 1_234_500),
    ]
    latest = (await client.get_latest_blockhash()).value
    sent = (await client.send_transaction(signed(latest.blockhash, [wallet, mint, account], setup))).value
    await client.confirm_transaction(sent, Confirmed)
    assert (await client.get_token_account_balance(account.pubkey())).value.ui_amount_string == "1.2345"
    assert (await client.get_token_supply(mint.pubkey())).value.amount == "1234500"
    largest = (await client.get_token_largest_accounts(mint.pubkey())).value
    assert [entry.address for entry in largest] == [account.pubkey()]
    for options in (TokenAccountOpts(mint=mint.pubkey()), TokenAccountOpts(program_id=TOKEN_PROGRAM)):
        owned = (await client.get_token_accounts_by_owner(wallet.pubkey(), options)).value
        assert [entry.pubkey for entry in owned] == [account.pubkey()]
    parsed = (await client.get_account_info_json_parsed(account.pubkey())).value
    assert parsed is not None
    shown_data: Any = parsed.data
    assert shown_data.parsed["info"]["tokenAmount"]["amount"] == "1234500"
    shown = (await client.get_transaction(sent, "jsonParsed", Confirmed, 0)).value
    assert shown is not None
    assert shown.transaction.meta is not None
    assert shown.transaction.meta.post_token_balances is not None
    assert shown.transaction.meta.post_token_balances[0].ui_token_amount.amount == "1234500"
    found = await client.get_program_accounts(
        TOKEN_PROGRAM, filters=[TOKEN_ACCOUNT_SIZE, MemcmpOpts(offset=0, bytes=str(mint.pubkey()))], encoding="base64"
    )
    assert [entry.pubkey for entry in found.value] == [account.pubkey()]


async def test_solana_py_reads_accounts_and_cluster(client: AsyncClient, net: Localnet) -> None:
    address, owner = Keypair().pubkey(), Keypair().pubkey()
    net.chain.set_account(address, rent_exempt(b"0123456789", owner))
    plain = (await client.get_account_info(address, Processed)).value
    assert plain is not None
    assert (plain.data, plain.owner) == (b"0123456789", owner)
    cut = (await client.get_account_info(address, Processed, data_slice=DataSliceOpts(offset=2, length=3))).value
    assert cut is not None
    assert cut.data == b"234"
    several = (await client.get_multiple_accounts([address, Keypair().pubkey()], Processed)).value
    assert several[0] is not None
    assert several[0].data == b"0123456789"
    assert several[1] is None
    assert (await client.get_genesis_hash()).value == net.chain.genesis_hash
    assert (await client.get_identity()).value.identity == net.chain.identity
    assert len((await client.get_cluster_nodes()).value) == 1
    assert (await client.get_slot_leader()).value == net.chain.identity
    assert (await client.get_vote_accounts()).value.current == []
    assert (await client.get_epoch_info()).value.epoch == 0
    assert (await client.get_epoch_schedule()).value.slots_per_epoch == 432_000
    assert (await client.get_version()).value.solana_core == "4.1.2"
    assert (await client.get_supply()).value.total > 0
    assert (await client.get_transaction_count()).value == 0
    assert (await client.get_first_available_block()).value == 0
    assert await client.is_connected()


async def test_solana_py_gets_typed_errors(client: AsyncClient) -> None:
    wallet = Keypair()
    await client.confirm_transaction((await client.request_airdrop(wallet.pubkey(), SOL)).value, Confirmed)
    latest = (await client.get_latest_blockhash()).value
    transaction = pay(latest.blockhash, wallet, Keypair().pubkey(), 5 * SOL)
    with pytest.raises((RPCException, SolanaRpcException), match="custom program error: 0x1"):
        await client.send_transaction(transaction)
    simulated = (await client.simulate_transaction(transaction)).value
    assert simulated.err is not None
    assert simulated.logs
    # Without preflight it lands, fails and pays.
    sent = (await client.send_transaction(transaction, TxOpts(skip_preflight=True))).value
    status = (await client.confirm_transaction(sent, Confirmed)).value[0]
    assert status is not None
    assert status.err is not None
    assert (await client.get_balance(wallet.pubkey())).value == SOL - SIGNATURE_FEE


# The wire, on a chain that makes no blocks
