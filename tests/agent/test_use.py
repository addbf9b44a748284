"""For how long nobody has used a member: connections and jobs, by a clock of the test's."""

from __future__ import annotations

from agent.memory_provider import MemoryProvider
from ionet.agent_api import Role, Spec
from ionet_agent.use import Use


async def test_a_connection_or_a_job_is_use_and_time_counts_from_their_end() -> None:
    now, provider = [100.0], MemoryProvider()
    use = Use(provider, lambda: now[0])
    assert use.idle_secs("lease") is None

    await provider.start(Spec("lease", "cluster", Role.HEAD, "127.0.1.1:7000", 1, "token", "ca", "certificate", "key"))
    now[0] += 50
    assert use.idle_secs("lease") == 0  # not looked at yet
    await use.look()
    now[0] += 7
    assert use.idle_secs("lease") == 7
    assert use.idle_secs("another lease") is None

    with use.connected(), use.connected():
        now[0] += 60
        await use.look()
        assert use.idle_secs("lease") == 0
    assert use.idle_secs("lease") == 0
    now[0] += 3
    assert use.idle_secs("lease") == 3

    provider.jobs = True
    await use.look()
    now[0] += 4
    assert use.idle_secs("lease") == 0
    provider.jobs = False
    await use.look()
    now[0] += 1
    assert use.idle_secs("lease") == 5  # the last look that saw it was four seconds before

    await provider.stop("lease")
    await use.look()
    assert use.idle_secs("lease") is None
