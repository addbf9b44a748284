"""Metrics and health, as an operator's tools read them."""

from __future__ import annotations

import httpx2
from keeper.stage import keeper, settled
from market import market


async def test_metrics_and_health() -> None:
    from ionet_keeper.serve import serving

    async with market() as built, keeper(built) as one:
        machine = await built.add_machine("a")
        await built.book(await built.open_cluster(), machine)
        async with serving(one, 0) as address, httpx2.AsyncClient(trust_env=False) as http:
            await settled([one])
            answer = await http.get(f"{address}/health")
            assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
            for secs in (500, 100):
                built.pass_time(secs)
                await settled([one])
            text = (await http.get(f"{address}/metrics")).text
            for line in (
                'ionet_keeper_actions_total{action="cancel_lease",outcome="done"} 1.0',
                'ionet_keeper_watched{noun="cluster"} 0.0',
                "ionet_keeper_paused 0.0",
            ):
                assert line in text.splitlines(), text
            one.low = "little SOL"
            answer = await http.get(f"{address}/health")
            assert (answer.status_code, answer.json()) == (200, {"status": "ok", "warning": "little SOL"})
            one._seen_at -= 1_000
            answer = await http.get(f"{address}/health")
            assert answer.status_code == 503
            assert "nothing was seen of the chain" in answer.json()["status"]
            assert (await http.get(f"{address}/other")).status_code == 404
