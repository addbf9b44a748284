"""The ionet network on the local chain: a restart brings every account, event and log back."""

from __future__ import annotations

from pathlib import Path

import pytest
from ionet.program import PROGRAM
from ionet_localnet import open_chain
from localnet.helpers import state
from market import market


@pytest.mark.parametrize("fork_depth", [0, 3])
async def test_a_running_lease_survives_a_restart(tmp_path: Path, fork_depth: int) -> None:
    async with market(ledger=tmp_path) as running:
        machine = await running.add_machine("one")
        lease = (await running.book(await running.open_cluster(), machine))[0]
        await running.start(lease, machine)
        # Nothing may happen between reading the state and the end.
        running.net.node.paused = True
        if fork_depth:
            running.net.node.fork(fork_depth, 0.5, seed=1)
        running.pass_time(7)
        expected = state(running.net.chain)
        owned = running.net.chain.get_program_accounts(PROGRAM.id)
    assert len(owned) > 5
    chain = open_chain(tmp_path)
    assert chain.journal is not None
    assert state(chain) == expected
    assert chain.get_program_accounts(PROGRAM.id) == owned
    assert (fork_depth > 0) or chain.get_account(lease) is not None
    chain.journal.close()
