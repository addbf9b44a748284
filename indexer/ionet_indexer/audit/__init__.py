"""For an auditor: what the raw events add up to, against the vaults and accounts on chain. No derived table is read."""
