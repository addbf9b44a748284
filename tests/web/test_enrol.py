"""A machine whose owner's wallet opens a link: what is handed to the wallet, and what is not, on a real chain."""

from __future__ import annotations

import asyncio
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from ionet.budget import with_budget
from ionet.client import Client
from ionet.generated.accounts import Node
from ionet.generated.enums import Currency
from ionet.generated.types import NodeTerms
from ionet.program import PROGRAM
from ionet.wallet import KeypairSigner, Watch, compile_message, unsigned
from ionet_actions.enrol import MOST_LAMPORTS, MOST_OF_AN_ADDRESS
from market import IO
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import to_bytes_versioned
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction
from web.stage import Stage, actions

pytestmark = pytest.mark.asyncio(loop_scope="session")
Change = Callable[[list[Instruction], Pubkey, Pubkey], list[Instruction]]


@pytest_asyncio.fixture(loop_scope="session")
async def http(stage: Stage) -> AsyncIterator[httpx2.AsyncClient]:
    """Actions of its own: of an address only some machines may wait."""
    async with (
        actions(stage.market.net.rpc_url) as url,
        httpx2.AsyncClient(base_url=url, timeout=60) as client,
    ):
        yield client


def terms(payout: Pubkey, device: Pubkey) -> NodeTerms:
    return NodeTerms(
        price=250_000,
        min_coverage_bps=0,
        min_duration=3_600,
        max_duration=7_200,
        payout=payout,
        fee_payer=device,
        country=276,
        currencies=Currency.IOSD,
        region=0,
    )


async def made(
    stage: Stage, owner: Pubkey, device: Keypair, payout: Pubkey, change: Change, signers: Sequence[Keypair]
) -> str:
    """What a machine makes for a wallet, after a change that its program could make to it."""
    client = Client(stage.market.admin.rpc, Watch(owner))
    code = await client.network.model_code("4090")
    node = client.node.address(device.pubkey())
    ix = client.program.ix
    wanted = [
        ix.register_node(
            owner=owner, device_key=device.pubkey(), model_code=code, processors=1, terms=terms(payout, device.pubkey())
        ),
        transfer(TransferParams(from_pubkey=owner, to_pubkey=device.pubkey(), lamports=MOST_LAMPORTS // 100)),
        ix.stake(staker=owner, node=node, lease=None, amount=250 * IO),
    ]

    block = await client.rpc.blockhash()
    message = compile_message(owner, with_budget(change(wanted, owner, device.pubkey()), 400_000, 0), block.hash)
    return (await unsigned(message, block.last_valid_block_height, [*map(KeypairSigner, signers)])).transaction


async def handed(http: httpx2.AsyncClient, owner: Pubkey, answer: Callable[[], Any]) -> tuple[int, dict[str, Any]]:
    """What the wallet gets, from a machine that answers so."""
    secret = bytes(Pubkey.new_unique())[:16].hex()

    async def waits(said: object) -> str | None:
        found = await http.post("/v1/machines", json={"machine": secret, "answer": said})
        assert found.status_code == 200, found.text
        account: str | None = found.json()["account"]
        return account

    assert await waits(None) is None
    asking = asyncio.create_task(http.post(f"/actions/enrol?machine={secret}", json={"account": str(owner)}))
    async with asyncio.timeout(60):
        while await waits(None) != str(owner):  # noqa: ASYNC110 (it asks over HTTP)
            await asyncio.sleep(0.05)
    await waits({"account": str(owner), **await answer()})
    found = await asking
    return found.status_code, found.json()


def same(wanted: list[Instruction], _owner: Pubkey, _device: Pubkey) -> list[Instruction]:
    return wanted


async def test_a_wallet_signs_what_the_machine_has_made(stage: Stage, http: httpx2.AsyncClient) -> None:
    wallet, device = await stage.wallet(io=300 * IO), Keypair()

    async def answer() -> dict[str, str]:
        text = await made(stage, wallet.pubkey(), device, wallet.pubkey(), same, [device])
        return {"transaction": text}

    status, said = await handed(http, wallet.pubkey(), answer)
    assert (status, said["type"]) == (200, "transaction"), said
    assert "−250 IO" in said["message"]
    transaction = VersionedTransaction.from_bytes(b64decode(said["transaction"]))
    signature = wallet.sign_message(to_bytes_versioned(transaction.message))
    signed = VersionedTransaction.populate(transaction.message, [signature, *transaction.signatures[1:]])
    mine = Client(stage.market.admin.rpc, wallet)
    await mine.submit(b64encode(bytes(signed)).decode())
    node = await mine.fetch(Node, mine.node.address(device.pubkey()))
    assert (node.owner, node.payout, node.bonded.amount) == (wallet.pubkey(), wallet.pubkey(), 250 * IO)

    # Why there is nothing for it, the machine may say.
    async def refuses() -> dict[str, str]:
        return {"refused": "you have no IO"}

    assert await handed(http, wallet.pubkey(), refuses) == (400, {"message": "you have no IO"})


def dearer(wanted: list[Instruction], owner: Pubkey, device: Pubkey) -> list[Instruction]:
    return [*wanted, transfer(TransferParams(from_pubkey=owner, to_pubkey=device, lamports=MOST_LAMPORTS + 1))]


def elsewhere(wanted: list[Instruction], owner: Pubkey, _device: Pubkey) -> list[Instruction]:
    return [*wanted, transfer(TransferParams(from_pubkey=owner, to_pubkey=Pubkey.new_unique(), lamports=1))]


def drained(wanted: list[Instruction], owner: Pubkey, _device: Pubkey) -> list[Instruction]:
    from spl.token.constants import TOKEN_PROGRAM_ID
    from spl.token.instructions import transfer as tokens
    from spl.token.models import TransferParams as Tokens

    mine, theirs = Pubkey.new_unique(), Pubkey.new_unique()
    return [*wanted, tokens(Tokens(program_id=TOKEN_PROGRAM_ID, source=mine, dest=theirs, owner=owner, amount=1))]


def another(wanted: list[Instruction], _owner: Pubkey, _device: Pubkey) -> list[Instruction]:
    """Its stake behind somebody else's node."""
    register, fuel, stake = wanted
    node = PROGRAM.builder.accounts("stake", stake)["node"]
    accounts = [
        type(meta)(Pubkey.new_unique() if meta.pubkey == node else meta.pubkey, meta.is_signer, meta.is_writable)
        for meta in stake.accounts
    ]
    return [register, fuel, Instruction(stake.program_id, stake.data, accounts)]


def retired(wanted: list[Instruction], owner: Pubkey, _device: Pubkey) -> list[Instruction]:
    return [*wanted, PROGRAM.ix.retire_node(owner=owner, node=Pubkey.new_unique())]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (dearer, "sends SOL elsewhere"),
        (elsewhere, "sends SOL elsewhere"),
        (drained, "it calls Token"),
        (another, "not about one node"),
        (retired, "it calls retire_node"),
        (lambda wanted, *_: wanted[1:2], "its machine has not signed it"),
    ],
)
async def test_nothing_else_is_handed_to_a_wallet(
    stage: Stage, http: httpx2.AsyncClient, change: Change, why: str
) -> None:
    """A stranger's machine has the device's signature for whatever it likes."""
    wallet, device = Keypair(), Keypair()

    async def answer() -> dict[str, str]:
        return {"transaction": await made(stage, wallet.pubkey(), device, wallet.pubkey(), change, [device])}

    status, said = await handed(http, wallet.pubkey(), answer)
    assert (status, why in said["message"]) == (422, True), said


async def test_who_is_paid_and_who_signed_is_looked_at(stage: Stage, http: httpx2.AsyncClient) -> None:
    wallet, device, other = Keypair(), Keypair(), Keypair()
    for payout, owner, signers, why in (
        (other.pubkey(), wallet.pubkey(), [device], "would be paid"),
        (wallet.pubkey(), wallet.pubkey(), [], "has not signed it"),
        (other.pubkey(), other.pubkey(), [device], "not for this wallet"),
    ):

        async def answer(
            payout: Pubkey = payout, owner: Pubkey = owner, signers: Sequence[Keypair] = signers
        ) -> dict[str, str]:
            return {"transaction": await made(stage, owner, device, payout, same, signers)}

        status, said = await handed(http, wallet.pubkey(), answer)
        assert (status, why in said["message"]) == (422, True), said

    async def garbage() -> dict[str, str]:
        return {"transaction": "AAAA"}

    assert (await handed(http, wallet.pubkey(), garbage))[0] == 422


async def test_a_link_that_leads_nowhere_and_too_many_machines(http: httpx2.AsyncClient) -> None:
    nobody = await http.post(f"/actions/enrol?machine={'0' * 32}", json={"account": str(Keypair().pubkey())})
    assert (nobody.status_code, "no machine waits" in nobody.json()["message"]) == (404, True)
    for number in range(MOST_OF_AN_ADDRESS + 1):
        found = await http.post("/v1/machines", json={"machine": f"{number:032x}"})
        if found.status_code != 200:
            break
    assert "too many machines" in found.json()["detail"]
    for body in ({}, {"machine": "short"}, {"machine": "g" * 32}, {"machine": "0" * 32, "more": 1}):
        assert (await http.post("/v1/machines", json=body)).status_code == 400
