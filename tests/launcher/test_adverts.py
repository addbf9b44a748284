"""Where the launcher finds agents: in a file, else where nodes say that they are. The database is real."""

from __future__ import annotations

import asyncpg
import pytest
from ionet_launcher.adverts import Agents
from solders.pubkey import Pubkey

NODES = [Pubkey(bytes([number] * 32)) for number in range(1, 6)]
SAY = """INSERT INTO adverts VALUES ($1, '', 1, 0, 0, $2, '', $3, '', '')
    ON CONFLICT (node) DO UPDATE SET since = $2, endpoints = $3"""


async def say(pool: asyncpg.Pool, node: Pubkey, since: int, endpoints: str, *, online: bool = True) -> None:
    await pool.execute(SAY, str(node), since, endpoints)
    await pool.execute("DELETE FROM online_nodes WHERE node = $1", str(node))
    if online:
        await pool.execute("INSERT INTO online_nodes VALUES ($1)", str(node))


async def test_a_node_is_where_it_says_unless_a_file_names_another_place(pool: asyncpg.Pool) -> None:
    agents = Agents({NODES[0]: "https://127.0.0.1:1"})
    for node in NODES[:2]:
        await say(pool, node, 1_000, '["127.0.0.1:7", "127.0.0.1:8"]')
    await agents.read(pool)
    assert dict(agents) == {NODES[0]: "https://127.0.0.1:1", NODES[1]: ("https://127.0.0.1:7", "https://127.0.0.1:8")}
    await say(pool, NODES[1], 1_001, '["[::1]:9"]')
    await say(pool, NODES[2], 1_001, '["8.8.8.8:1"]', online=False)
    await agents.read(pool)
    assert agents[NODES[1]] == ("https://[::1]:9",)
    assert (NODES[2] in agents, agents[NODES[2]]) == (True, ("https://8.8.8.8:1",)), "it may serve a lease all the same"
    assert list(agents) == NODES[:2], "but is asked for nothing new"
    assert len(agents) == 2
    await say(pool, NODES[1], 1_002, "[]")
    await agents.read(pool)
    assert NODES[1] not in agents


@pytest.mark.parametrize(
    "endpoints", ['["10.0.0.1:1"]', '["127.0.0.1:1/x"]', '["localhost:1"]', '["127.0.0.1:1@a:2"]', "{}", '[""]', "[5]"]
)
async def test_what_the_database_says_is_not_believed_blindly(pool: asyncpg.Pool, endpoints: str) -> None:
    agents = Agents({})
    await say(pool, NODES[0], 1_000, endpoints)
    await agents.read(pool)
    assert NODES[0] not in agents


async def test_without_the_database_what_was_known_stays(pool: asyncpg.Pool, caplog: pytest.LogCaptureFixture) -> None:
    agents = Agents({})
    await say(pool, NODES[0], 1_000, '["127.0.0.1:7"]')
    await agents.read(pool)
    await pool.execute("ALTER TABLE online_nodes RENAME TO away")
    try:
        await agents.read(pool)
    finally:
        await pool.execute("ALTER TABLE away RENAME TO online_nodes")
    assert dict(agents) == {NODES[0]: ("https://127.0.0.1:7",)}
    assert "adverts are read later" in caplog.text
