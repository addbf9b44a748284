"""A village in which every list has something: a staked node on a lease, a case, proposals."""

from __future__ import annotations

from client.cli.village import Village
from ionet.generated.enums import Pause

TERMS = ["--price", "0.25", "--country", "DE", "--model", "4090", "--processors", "2", "--min-duration", "3"]
CURRENCIES = ["--currency", "IOSD", "--currency", "USDC"]


def populated(village: Village) -> dict[str, str]:
    """Addresses by what they are of."""
    device = str(village.file("device"))
    node = str(village.event("supplier", "node", "register", "--device", device, *TERMS, *CURRENCIES)["node"])
    village.json("supplier", "stake", "terms", node, "50%", "--income", "20%")
    village.json("supplier", "stake", "add", node, "900")
    village.json("guest", "stake", "add", node, "100")
    village.json("supplier", "stake", "fund", node, "10", "--yes")
    village.json("guest", "stake", "unbond", node, "30")
    village.json("renter", "iosd", "mint-exact", "40")
    session = village.address("session")
    cluster = str(village.event("renter", "cluster", "open", "20", "--session-key", session)["cluster"])
    lease = str(village.json("renter", "cluster", "add", cluster, node, "--duration", "1m")["leases"][node])
    village.json("device", "lease", "ready", lease, "--device", device)
    village.json("renter", "lease", "accept", lease)
    village.pass_time(5)
    accused = ["--reason", "data-theft", "--evidence", "11" * 32]
    case = str(village.event(None, "case", "open", node, *accused)["case"])
    village.json(None, "network", "pause", Pause.MINT_IOSD.name.lower())
    village.json(None, "network", "propose", "spread_bps=60", "interval_secs=5")
    village.json(None, "network", "propose-role", "pauser", village.address("guest"))
    return {"node": node, "cluster": cluster, "lease": lease, "case": case, "model": "4090", "processors": "1"}
