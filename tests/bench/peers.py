"""What comparable systems publish, beside our own figures. Facts only; hardware and scope differ, so read ratios."""

from __future__ import annotations

from typing import NamedTuple


class Peer(NamedTuple):
    """Others' figures for the same thing, and where they can be looked up."""

    figures: str
    source: str


HELIUM = "helium/helium-program-library, packages/spl-utils/src/computeUnitTable.ts (mainnet samples)"
ACCOUNTS = "sizes by the rent of its accounts"
PEERS = {
    "cu.mint_iosd": Peer("Helium mint_data_credits: 36,033 median, 59,101 max", HELIUM),
    "cu.burn": Peer("Helium burn_without_tracking: 14,602", HELIUM),
    "cu.stake": Peer("Helium VSR deposit: 10,735; Inference.net Stake: 35,395", f"{HELIUM}; Inference.net's test logs"),
    "cu.withdraw": Peer("Helium VSR withdraw: 20,875", HELIUM),
    "cu.append_proof": Peer("Helium set_current_rewards: 7,565, signed 12,343", HELIUM),
    "cu.settle_lease": Peer("Helium distribute_rewards: 29,457", HELIUM),
    "cu.register_node": Peer("Helium VSR initialize_position: 164,311", HELIUM),
    "size.account.Lease": Peer("Nosana Job 257 and Run 121 (neither keeps proofs)", ACCOUNTS),
    "size.account.Network": Peer(
        "Nosana Market 10,211; Inference.net pool 1,690", f"{ACCOUNTS}; Inference.net's fixtures"
    ),
    "size.program.ionet": Peer(
        "Nosana about 178,000; a minimal Anchor program 212,560",
        "Nosana's deploy buffer; exotic-markets-labs/typhoon, benches/BENCHMARK.md",
    ),
    "codec.accounts_over_anchorpy": Peer("anchorpy 0.21.0: 1", "the same run"),
    "codec.events_over_anchorpy": Peer("anchorpy 0.21.0: 1", "the same run"),
    "indexer.head_lag_p95": Peer("Akash Console polls every 7 s; Nosana resyncs every 5 min", "their source code"),
    "launcher.decision_p95": Peer("Nosana's deployment manager polls every 5 s", "its source code"),
    "launcher.ray_ready_first": Peer(
        "io.net: 30 to 60 s, 60 to 120 s without a cached image; dstack: 10 to 15 s on an idle host",
        "io.net's FAQ (its own claim); dstackai/dstack issue 3920",
    ),
}
