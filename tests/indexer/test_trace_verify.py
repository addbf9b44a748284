"""`ionet trace --verify` believes an indexer nothing: whatever it alters in an answer is found over an RPC alone."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from typing import Any

import httpx2
import pytest
from indexer.api_server import RecordedAccounts, fill, served
from indexer.conflicts import tell_of_conflicts
from indexer.recording import STORIES, ConflictRecording, EndingRecording, Played, Recording
from indexer.serving import leaves_of, results_of
from ionet.generated import pdas
from ionet.leaves import send_upload, sign_upload
from ionet.program import PROGRAM
from ionet.rpc import Rpc
from ionet.rules import merkle
from ionet.rules.lease_log import log_of
from ionet.trace import Occurrence, TraceRefused, fetch
from ionet.trace_check import Histories, verify_all
from ionet_indexer.core.decode import decode
from ionet_indexer.core.reader import Reader
from ionet_indexer.source.rpc import RpcSource
from market import key, market
from msgspec import convert, to_builtins
from msgspec.json import encode
from solders.pubkey import Pubkey


def logs_of(played: Played) -> dict[str, list[tuple[int, str | None, int, int, bool]]]:
    """The log of every lease, by the client's rules from the events alone."""
    by_lease: dict[str, list[Any]] = {}
    for transaction in played.transactions:
        for event in decode(transaction, PROGRAM.codec):
            if type(event.value).__match_args__[0] == "lease":
                by_lease.setdefault(str(event.value.lease), []).append(event.value)
    return {
        lease: [
            (each.interval, each.challenge, each.secs, each.amount, each.payment is not None)
            for _, each in sorted(log_of(events).intervals.items())
        ]
        for lease, events in by_lease.items()
    }


@pytest.mark.parametrize("story", STORIES)
async def test_the_clients_log_of_a_lease_is_the_indexers(
    story: str, dsn: str, recording: Recording, conflicts: ConflictRecording, endings: EndingRecording
) -> None:
    stories = dict(zip(STORIES, (recording, conflicts, endings), strict=True))
    await fill(dsn, stories[story], RecordedAccounts(stories[story]))
    logs = logs_of(stories[story])
    assert len(logs) > 3
    async with Reader.open(dsn) as reader, reader.snapshot() as snapshot:
        for lease, log in logs.items():
            rows = await snapshot.fetch("SELECT * FROM lease_log($1) WHERE proof IS NOT NULL ORDER BY interval", lease)
            assert log == [
                (row["interval"], row["challenge"], row["secs"], int(row["amount"]), row["payment"] is not None)
                for row in rows
            ]


async def traced(dsn: str, played: Played, lease: Pubkey, device: str) -> list[tuple[Occurrence, bytes]]:
    """What an honest indexer says of the first result of every interval."""
    await fill(dsn, played, RecordedAccounts(played))
    found = []
    with served(dsn) as api:
        for interval in range(6):
            pairs = leaves_of(lease, interval)
            hashes = [merkle.leaf(bytes(lease), interval, index, *pair) for index, pair in enumerate(pairs)]
            async with httpx2.AsyncClient() as http:
                await send_upload(http, api, sign_upload(key(device), lease, interval, merkle.root(hashes), pairs))
            wanted = merkle.result_hash(results_of(interval)[0])
            found += [(item, wanted) for item in await fetch(api, wanted)]
    return found


async def test_every_field_that_is_altered_is_found(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lease with two disputes: what is held, won and lost of it, and when it was paid, is computed from the chain."""
    async with market() as found:
        story = await tell_of_conflicts(found)
        found.finalize()
        source = RpcSource(found.net.rpc_url, str(PROGRAM.id))
        heads = await source.heads()
        transactions = await source.transactions(await source.seen(-1, heads))
        await source.close()
        owned = found.net.chain.get_program_accounts(PROGRAM.id, "finalized")
        accounts: dict[str, bytes | None] = {str(address): bytes(each.data) for address, each in owned.items()}
        played = Played([encode(each) for each in transactions], heads, accounts)
        occurrences = await traced(dsn, played, story.paid_in_io, "device io")
        assert [item.dispute for item, _ in occurrences] == [
            None,
            "defended",
            "undefended",
            "defended",
            "defended",
            None,
        ]
        read: Counter[Pubkey] = Counter()
        signatures = Rpc.signatures

        def counted(rpc: Rpc, address: Pubkey) -> Any:
            read[address] += 1
            return signatures(rpc, address)

        monkeypatch.setattr(Rpc, "signatures", counted)
        histories = Histories(found.stranger)
        for item, wanted in occurrences:
            await verify_all(histories, item, wanted)
        (of_all,) = {(item.lease, item.node, item.cluster) for item, _ in occurrences}
        assert read == {Pubkey.from_string(each): 1 for each in of_all}  # each once, for six occurrences

        (honest, wanted), (other, _), *_ = occurrences
        told = to_builtins(honest)
        transfer = found.treasury.tokens.transfer(pdas.io_mint(PROGRAM.id), found.stranger.address, 1)
        foreign = str((await transfer).signature)
        stranger = str(found.stranger.address)
        lies: list[tuple[list[str], Any, str]] = [
            (["node"], other.cluster, "does not record this root"),
            (["owner"], stranger, "owner is"),
            (["device_key"], stranger, "device_key is"),
            (["renter"], stranger, "renter is"),
            (["cluster"], stranger, "no such cluster"),
            (["model"], 2, "model is"),
            (["country"], 1, "country is"),
            (["processors"], 9, "processors is"),
            (["lease_number"], "9", "lease_number is"),
            (["price"], "1", "price is"),
            (["currency"], "USDC", "currency is"),
            (["amount"], str(int(honest.amount) + 1), "amount is"),
            (["paid"], "0", "paid is"),
            (["interval_start"], 1, "interval_start is"),
            (["interval_end"], 1, "interval_end is"),
            (["dispute"], "undefended", "dispute is"),
            (["settlement"], None, "was paid by"),
            (["settlement", "signature"], told["proof"]["signature"], "was paid by"),
            (["settlement", "at"], 1, "was paid by"),
            (["interval"], 1, "does not lead to its root"),
            (["leaf", "path"], [], "does not lead to its root"),
            (["leaf", "path"], ["11" * 32, *told["leaf"]["path"][1:]], "does not lead to its root"),
            (["leaf", "root"], "11" * 32, "does not lead to its root"),
            (["proof", "signature"], other.proof.signature, "does not record this root"),
            (["proof", "signature"], foreign, "does not record this root"),
            (["proof", "signature"], "1" * 64, "the chain has no transaction"),
            (["proof", "slot"], 1, "slot is"),
            (["proof", "at"], 1, "at is"),
            (["proof", "served_secs"], 1, "served_secs is"),
            (["proof", "gpu_ms"], "1", "gpu_ms is"),
            (["proof", "proof_head"], "", "proof_head is"),
        ]
        for path, lie, message in lies:
            altered = deepcopy(told)
            place = altered
            for name in path[:-1]:
                place = place[name]
            assert place[path[-1]] != lie
            place[path[-1]] = lie
            with pytest.raises(TraceRefused, match=message):
                await verify_all(histories, convert(altered, Occurrence), wanted)
        fields = {name for name in told if name not in ("lease", "proof", "leaf")}
        assert fields <= {path[0] for path, *_ in lies}
        assert set(told["proof"]) - {"outer_ix", "inner_ix"} <= {path[1] for path, *_ in lies if path[0] == "proof"}
