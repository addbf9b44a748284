"""Where to stake, and what comes out of a wallet's stake when."""

from __future__ import annotations

from typing import Any

import httpx2
from indexer.api_server import get, items
from ionet.stake_report import DEFINITION
from ionet_web.pages.stake import claims, exits
from web.conftest import pages
from web.test_pages import Read


def test_nodes_that_share_are_ranked_with_a_definition(apis: dict[str, httpx2.Client]) -> None:
    api = apis["endings"]
    sharing = [
        node
        for node in items(api, "nodes")
        if (node["co_share_bps"] or node["income_share_bps"] or node["pending_co_share_at"])
        and not {"retired", "blocked", "frozen"} & set(node["flags"])
    ]
    assert sharing
    with pages(str(api.base_url)) as client:
        answer = client.get("/stake")
    ranked = answer.text.partition("Where to stake")[2].partition("</table>")[0]
    assert {node["node"] for node in sharing} == {
        node["node"] for node in items(api, "nodes") if node["node"] in ranked
    }
    assert DEFINITION[1:] in " ".join(Read(answer.text).text)


def test_positions_of_any_wallet_and_what_comes_out_when(apis: dict[str, httpx2.Client]) -> None:
    api = apis["ordinary"]
    leaving = [each for each in items(api, "stakes") if each["tickets"]]
    assert leaving
    with pages(str(api.base_url)) as client:
        for path in (f"/stake?wallet={leaving[0]['staker']}", f"/stakes/{leaving[0]['position']}"):
            text = " ".join(Read(client.get(path).text).text)
            assert "What comes out when" in text
            assert "the cooldown runs, and it can still be slashed" in text
        assert client.get("/stake?wallet=x").status_code == 400
    assert get(api, f"stakes/{leaving[0]['position']}")["item"]["tickets"] == leaving[0]["tickets"]


def test_an_owners_stake_waits_for_disputes() -> None:
    def stake(*, owner: bool, over: int | None) -> dict[str, Any]:
        ticket = {"ticket": 0, "amount": "100000000", "matures_at": 1_000, "lease_over_by": over}
        return {"node": "N" * 40, "owner": owner, "tickets": [ticket]}

    table = exits([stake(owner=True, over=2_000), stake(owner=False, over=2_000), stake(owner=True, over=None)])
    shown = [[str(cell) for cell in row] for row in table.rows]
    assert ["00:16:40" in row[2] for row in shown] == [True, True, False]  # the soonest first
    assert "disputed" in shown[2][3]
    assert "00:33:20" in shown[2][2]


def test_what_can_be_claimed_leads_to_its_form(apis: dict[str, httpx2.Client]) -> None:
    """Rewards, income of each currency and what no account took; nothing of what is nothing."""
    income = [{"currency": "IOSD", "unclaimed": "5", "claimed": "1"}, {"currency": "USDC", "unclaimed": "0"}]
    stakes: list[dict[str, Any]] = [
        {"node": "N" * 40, "rewards": "7", "income": income},
        {"node": "M" * 40, "rewards": "0", "income": []},
    ]
    table = claims(stakes, [{"owner": "O" * 40, "currency": "IO", "amount": "9"}])
    assert [str(row[-1]) for row in table.rows] == [
        f'<a href="/act/claim?node={"N" * 40}">Claim rewards</a>',
        f'<a href="/act/income?node={"N" * 40}&amp;currency=IOSD">Claim income</a>',
        '<a href="/act/owed?currency=IO">Claim what waits</a>',
    ]
    api = apis["endings"]
    stake = next(each for each in items(api, "stakes") if int(each["rewards"]) or each["income"])
    with pages(str(api.base_url)) as client:
        for path in (
            f"/stake?wallet={stake['staker']}",
            f"/stakes/{stake['position']}",
            f"/accounts/{stake['staker']}",
        ):
            assert "What can be claimed" in client.get(path).text, path


def test_what_waits_for_an_owner_leads_to_its_form(apis: dict[str, httpx2.Client]) -> None:
    api, owed = next(
        (api, each) for api in apis.values() for each in items(api, "owed-balances") if int(each["amount"])
    )
    with pages(str(api.base_url)) as client:
        for path in (f"/supply?owner={owed['owner']}", f"/stake?wallet={owed['owner']}"):
            assert f'href="/act/owed?currency={owed["currency"]}"' in client.get(path).text, path
