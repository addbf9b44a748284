"""Everything that anyone may do, in the order in which it is done when several are due; see docs/keeper.md."""

from __future__ import annotations

from ionet.duties.cluster import CLUSTER_DUTIES
from ionet.duties.duty import Duty, Habits, Reward, Seen
from ionet.duties.lease import LEASE_DUTIES
from ionet.duties.network import NETWORK_DUTIES
from ionet.duties.stake import NODE_DUTIES, POSITION_DUTIES

__all__ = ["DUTIES", "NO_DUTY", "Duty", "Habits", "Reward", "Seen"]

DUTIES: tuple[Duty, ...] = (*LEASE_DUTIES, *CLUSTER_DUTIES, *POSITION_DUTIES, *NODE_DUTIES, *NETWORK_DUTIES)

# Instructions that need nobody's consent and are nobody's duty, and why.
NO_DUTY = {
    "init_vaults": "once, when the network is founded",
    "open_owed": "comes with the payment that needs it",
    "open_income_vault": "costs its opener the rent; whoever wants the income shared opens it",
    "fund_rewards": "spends the caller's own money",
    "mint_iosd": "spends the caller's own money",
    "mint_iosd_exact": "spends the caller's own money",
    "redeem_iosd": "spends the caller's own money",
    "buyback": "spends the caller's own IO",
}
