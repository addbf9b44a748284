"""What wallets sign: built, simulated, said in words, sent; and nothing else than that is sent."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import Any

import httpx2
import pytest
from ionet.client import Client
from ionet.wallet import compile_message, compile_message_v1
from market import IO, USD
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import MessageV0, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction
from web.stage import Stage, actions

pytestmark = pytest.mark.asyncio(loop_scope="session")


def signed(transaction: str, *wallets: Keypair) -> str:
    """As wallets do it: the same bytes with their signatures."""
    message = VersionedTransaction.from_bytes(b64decode(transaction)).message
    return b64encode(bytes(VersionedTransaction(message, wallets))).decode()


def problem(answer: httpx2.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    assert found["status"] == status
    return found


async def test_mint_says_what_moves_and_moves_it(stage: Stage) -> None:
    wallet = await stage.wallet(io=1_000 * IO)
    answer = await stage.ask("mint", wallet, io="100")
    assert answer.status_code == 200, answer.text
    made = answer.json()
    moves = {move["token"]: move for move in made["moves"]}
    assert moves["IO"] == {"token": "IO", "units": str(-100 * IO), "amount": "−100 IO"}
    assert 190 * USD < int(moves["IOSD"]["units"]) <= 200 * USD
    assert int(moves["SOL"]["units"]) < 0  # the fee, and rent of the IOSD account
    assert made["signers"] == [str(wallet.pubkey())]
    assert 0 < made["secs_left"] <= 70
    done = await stage.send(signed(made["transaction"], wallet))
    assert done.status_code == 200, done.text
    assert [event["name"] for event in done.json()["events"]] == ["IosdMinted"]
    minted = await Client(stage.market.admin.rpc).iosd.balance(wallet.pubkey())
    assert str(minted) == moves["IOSD"]["units"]
    assert 10 * 10**9 + int(moves["SOL"]["units"]) == await stage.market.admin.rpc.balance(wallet.pubkey())


async def test_what_is_missing_is_said_before_a_wallet_opens(stage: Stage) -> None:
    wallet = await stage.wallet(io=70 * IO)
    said = problem(await stage.ask("mint", wallet, io="1000"), 422)
    assert (said["type"], said["detail"]) == ("not-enough", "you have 70 IO, 1,000 needed")
    said = problem(await stage.ask("redeem", wallet, iosd="1"), 422)
    assert (said["type"], said["detail"]) == ("not-enough", "you have no IOSD")
    said = problem(await stage.ask("mint", Keypair(), io="1"), 422)
    assert said["type"] == "not-enough"
    assert "no SOL" in said["detail"] or "no IO" in said["detail"]


@pytest.mark.parametrize(
    ("kind", "fields", "named"),
    [
        ("mint", {"io": "0"}, "nothing"),
        ("mint", {"io": "1e3"}, "write it like 1.5"),
        ("mint", {"io": "-1"}, "positive"),
        ("mint", {"io": "0.000000001"}, "8 decimals"),
        ("mint", {"io": 5}, "Expected `str`"),
        ("mint", {}, "io"),
        ("mint", {"io": "1", "to": "x"}, "to"),
        ("mint", {"io": "1", "version": 2}, "version"),
        ("stake", {"io": "1", "node": "x"}, "not a valid address"),
        ("steal", {}, "no action is called"),
    ],
)
async def test_bad_requests_are_named(stage: Stage, kind: str, fields: dict[str, Any], named: str) -> None:
    said = problem(await stage.ask(kind, stage.market.renter.wallet.keypair, **fields), 400)  # type: ignore[union-attr]
    assert named in said["detail"]


async def test_a_program_address_signs_nothing(stage: Stage) -> None:
    answer = await stage.http.post(
        "/v1/plans/mint", json={"account": str(stage.market.admin.network.address), "io": "1"}
    )
    assert "nobody can sign" in problem(answer, 400)["detail"]


async def _instructions(stage: Stage, wallet: Keypair) -> list[Instruction]:
    return await Client(stage.market.admin.rpc, wallet).iosd.mint(IO).instructions()


def _sealed(message: Any, *wallets: Keypair) -> str:
    return b64encode(bytes(VersionedTransaction(message, wallets))).decode()


async def test_wallets_may_change_budget_fee_and_version(stage: Stage) -> None:
    wallet = await stage.wallet(io=10 * IO)
    block = await stage.market.admin.rpc.blockhash()
    rest = await _instructions(stage, wallet)
    dearer = [set_compute_unit_limit(300_000), set_compute_unit_price(5_000), *rest]
    for message in (
        compile_message(wallet.pubkey(), dearer, block.hash),
        compile_message_v1(wallet.pubkey(), rest, block.hash, 300_000, 1_000),
    ):
        answer = await stage.send(_sealed(message, wallet))
        assert answer.status_code == 200, answer.text


async def _foreign(stage: Stage, wallet: Keypair) -> Sequence[tuple[str, Any]]:
    """Transactions that are not ours, and what is said of them."""
    block = (await stage.market.admin.rpc.blockhash()).hash
    mine = await _instructions(stage, wallet)
    payment = transfer(TransferParams(from_pubkey=wallet.pubkey(), to_pubkey=Pubkey.new_unique(), lamports=1))
    pause = Client(stage.market.admin.rpc, wallet).node.pause(Pubkey.new_unique())

    def made(*instructions: Instruction) -> MessageV0:
        return compile_message(wallet.pubkey(), list(instructions), block)

    return [
        ("it calls 1111", made(payment)),
        ("it calls 1111", made(*mine, payment)),
        ("no action is made of pause_node", made(*await pause.instructions())),
        ("mint_iosd, request_unbond", made(*mine, await _unbond(stage, wallet))),
        ("it does nothing", made(set_compute_unit_limit(1))),
    ]


async def _unbond(stage: Stage, wallet: Keypair) -> Instruction:
    plan = Client(stage.market.admin.rpc, wallet).stake.request_unbond(Pubkey.new_unique(), 1)
    return (await plan.instructions())[0]


async def test_other_transactions_are_not_sent(stage: Stage) -> None:
    wallet = await stage.wallet(io=10 * IO)
    before = await stage.market.admin.rpc.balance(wallet.pubkey())
    for named, message in await _foreign(stage, wallet):
        said = problem(await stage.send(_sealed(message, wallet)), 422)
        assert (said["type"], named in said["detail"]) == ("foreign", True), said
    assert await stage.market.admin.rpc.balance(wallet.pubkey()) == before


async def test_unsigned_and_broken_transactions_are_refused(stage: Stage) -> None:
    wallet = await stage.wallet(io=10 * IO)
    made = (await stage.ask("mint", wallet, io="1")).json()["transaction"]
    whole = VersionedTransaction.from_bytes(b64decode(signed(made, wallet)))
    other = VersionedTransaction.populate(whole.message, [Keypair().sign_message(b"another")])
    for text in (made, b64encode(bytes(other)).decode(), "AAAA", "no base64", "A" * 6_000):
        said = problem(await stage.send(text), 422 if len(text) > 5_500 else 400)
        assert said["type"] in ("bad-signature", "foreign")


@pytest.mark.parametrize("path", ["plans/mint", "transactions", "machines"])
@pytest.mark.parametrize(
    "body", [b"", b"\xff", b"[1]", b'{"more":' + b"[" * 7_000], ids=["none", "no text", "list", "deep"]
)
async def test_what_is_no_request_is_a_wrong_input_everywhere(stage: Stage, path: str, body: bytes) -> None:
    answer = await stage.http.post(f"/v1/{path}", content=body, headers={"content-type": "application/json"})
    assert problem(answer, 400)["type"] == "bad-request"


async def test_what_is_late_is_to_be_built_again(stage: Stage) -> None:
    wallet = await stage.wallet(io=10 * IO)
    message = compile_message(wallet.pubkey(), await _instructions(stage, wallet), Hash.new_unique())
    signature = wallet.sign_message(to_bytes_versioned(message))
    text = b64encode(bytes(VersionedTransaction.populate(message, [signature]))).decode()
    assert problem(await stage.send(text), 410)["type"] == "expired"
    assert isinstance(signature, Signature)


async def test_pages_of_other_sites_are_refused(stage: Stage) -> None:
    body = {"account": str(Keypair().pubkey()), "io": "1"}
    for site in ("cross-site", "same-site"):
        answer = await stage.http.post("/v1/plans/mint", json=body, headers={"sec-fetch-site": site})
        assert problem(answer, 403)["type"] == "cross-site"
    # A form of another site can send this without asking; what is asked first is not answered.
    plain = await stage.http.post("/v1/plans/mint", content=b'{"io":"1"}', headers={"content-type": "text/plain"})
    problem(plain, 415)
    asked = await stage.http.options("/v1/plans/mint", headers={"origin": "https://example.org"})
    assert not [name for name in asked.headers if name.startswith("access-control")]


async def test_an_address_asks_only_so_often_and_so_much(stage: Stage) -> None:
    problem(await stage.http.post("/v1/plans/mint", json={"account": "A" * 9_000}), 400)
    async with (
        actions(stage.market.net.rpc_url, rate=1e-6, burst=1) as url,
        httpx2.AsyncClient(base_url=url) as http,
    ):
        first = await http.post("/v1/plans/mint", json={})
        second = await http.post("/v1/plans/mint", json={})
    problem(first, 400)
    assert problem(second, 429)["type"] == "too-many-requests"
    assert int(second.headers["retry-after"]) > 0


async def test_a_chain_that_is_away_is_said_without_its_address() -> None:
    secret = "http://127.0.0.1:9/?api-key=secret"
    async with actions(secret) as url, httpx2.AsyncClient(base_url=url, timeout=60) as http:
        answer = await http.post("/v1/plans/mint", json={"account": str(Keypair().pubkey()), "io": "1"})
        assert (await http.get("/health")).status_code == 503
    said = problem(answer, 503)
    assert said["type"] == "chain-away"
    assert "secret" not in answer.text
