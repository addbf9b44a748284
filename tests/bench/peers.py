"""What comparable systems publish, beside our own figures. Facts only; hardware and scope differ, so read ratios."""

from __future__ import annotations

from typing import NamedTuple


class Peer(NamedTuple):
    """Our figures by their names in the table (none where we have nothing like it), others' for the nearest thing,
    where those can be looked up, and what to mind when the two are compared."""

    ours: tuple[str, ...]
    theirs: str
    source: str
    note: str = ""


HELIUM = "helium/helium-program-library, `packages/spl-utils/src/computeUnitTable.ts`"
INFERENCE = "Inference.net's published tests and logs"
TYPHOON = "exotic-markets-labs/typhoon, `benches/BENCHMARK.md`"
SAMPLED = "theirs: samples from mainnet; ours: one call alone in a transaction"

COMPUTE = (
    Peer(
        ("cu.mint_iosd",),
        "Helium mint_data_credits: median 36,033, most 59,101; 92,991 with a new token account",
        HELIUM,
        f"both burn a token for credits at an oracle's price behind a limiter; {SAMPLED}",
    ),
    Peer(
        ("cu.burn",),
        "Helium burn_delegated: 36,574 (52,793 the first time); burn_without_tracking: 14,602 (most 70,681)",
        HELIUM,
        "theirs burns one payer's credits, ours in bulk what waits in a vault",
    ),
    Peer(
        ("cu.open_cluster",),
        "Helium delegate_data_credits: 26,071 (63,244 the first time)",
        HELIUM,
        "both move a budget to an account of its own; ours always creates it",
    ),
    Peer(("cu.init_network",), "Helium initialize_data_credits: 63,366", HELIUM, "once in a network's life"),
    Peer(("cu.set_pause",), "Helium update_data_credits: 4,470", HELIUM, "an admin changes a field"),
    Peer(
        (),
        "Helium's circuit breaker: mint 13,940, burn 9,509, transfer 9,889",
        HELIUM,
        "a program of its own there; here the limiter is part of cu.mint_iosd",
    ),
    Peer(
        ("cu.append_proof",),
        "Helium set_current_rewards: 7,565; signed by an oracle 12,343",
        HELIUM,
        "one attestation written; ours extends a chain of proofs",
    ),
    Peer(
        ("cu.settle_lease",),
        "Helium distribute_rewards: 29,457 (most 59,163); Inference.net AccrueReward: 90,418",
        f"{HELIUM}; {INFERENCE}",
        "AccrueReward makes four transfers, ours one",
    ),
    Peer(
        ("cu.stake",),
        "Helium VSR deposit: 10,735 (most 21,616); Inference.net Stake: 35,395",
        f"{HELIUM}; {INFERENCE}",
    ),
    Peer(("cu.withdraw",), "Helium VSR withdraw: 20,875 (most 32,598)", HELIUM),
    Peer(
        ("cu.register_node",),
        "Helium VSR initialize_position: 164,311 (most 219,735)",
        HELIUM,
        "the nearest that creates an account and a vault; a position there, a machine here",
    ),
    Peer(
        (),
        "Helium issue_rewards 75,371, claim_rewards 43,233 (most 69,267), delegate 53,056 (75,166), "
        "change_delegation 82,579 (105,152)",
        HELIUM,
        "epochs' rewards: not built here",
    ),
    Peer((), "Helium price_oracle submit: 6,213", HELIUM, "prices are Pyth's here"),
    Peer(
        (),
        "an empty Anchor instruction 238, creating an account 3,790, a wrapped token transfer 2,442 (Pinocchio 12, "
        "1,570, 1,289); a bare token transfer 4,645",
        f"{TYPHOON}; {INFERENCE}",
        "the floor under all of the above",
    ),
    Peer(
        (),
        "an event by self-call: about 2,000",
        "https://github.com/otter-sec/anchor/issues/2951, a log there",
        "part of every figure of ours",
    ),
    Peer(
        (), "a key printed in base58: 11,962", "Solana Foundation, guide to compute", "no instruction of ours logs text"
    ),
    Peer((), "Nosana: none published; its clients simulate each transaction", "its source code"),
)

SIZES = (
    Peer(
        ("size.account.Lease",),
        "Nosana Job 257 bytes, Run 121",
        "from the rent its accounts paid, at 6,960 lamports a byte",
        "neither keeps proofs or open intervals; ours comes back to the renter at the close",
    ),
    Peer(
        ("size.account.Network",),
        "Nosana Market 10,211 bytes",
        "from the rent its accounts paid, at 6,960 lamports a byte",
        "theirs holds the queue of a market; ours holds parameters and no queue",
    ),
    Peer(
        ("size.account.Node", "size.account.StakePosition"),
        "Inference.net's pool accounts: 1,690 bytes and 1,303",
        "Inference.net's fixtures",
        "the nearest that hold a supplier's stake",
    ),
    Peer(
        ("size.program.ionet",),
        "Nosana about 178,000 bytes; the smallest Anchor program 212,560, Pinocchio 17,944",
        f"Nosana's deploy buffer; {TYPHOON}",
        "Nosana's is its jobs program alone; the smallest programs are those of that benchmark",
    ),
)

OPERATION = (
    Peer(
        ("indexer.head_lag_p95",),
        "Nosana's indexer: resync every 5 min, websocket otherwise; Akash Console: poll every 7 s, late from 60 s; "
        "Helium's sink: cursor at most 30 s old, stale from 5 min",
        "their source code",
        "intervals and limits in their settings, not measured lags; ours is measured on the local chain",
    ),
    Peer(
        (),
        "Geyser instead of RPC polling, chain to site: about 30 times faster",
        "Magic Eden's engineering blog",
        "ours polls behind a websocket that wakes it",
    ),
    Peer(
        ("indexer.replay",),
        "Akash: mainnet rebuilt in less than 8 h with 10 fetchers, 200 blocks a commit (a target)",
        "https://github.com/akash-network/console/pull/3582",
        "no rate in events published; ours reads stored transactions, not the network",
    ),
    Peer(
        (),
        "fetching ahead: 8.3 to 36.8 blocks/s, where the head needs 2.7 and had 1.01",
        "midnightntwrk/midnight-indexer 1466; ponder-sh/ponder 2276",
        "another chain, blocks of another size",
    ),
    Peer(
        ("sql.statements_per_batch",),
        "Akash: its two worst queries ran 281 h and 247 h in all; Helium: 50,000 accounts a batch, pool of 50",
        "akash-network/console 3600; Helium's source code",
        "another measure: ours is the number of statements of a batch in which every event happens",
    ),
    Peer(
        ("launcher.decision_p95",),
        "Nosana's deployment manager: poll every 5 s, 120 s a task; Akash: bid and manifest time out after 5 min each, "
        "40 looks 4 s apart",
        "their source code",
        "intervals and limits, not measured times",
    ),
    Peer(
        ("launcher.ray_ready_first", "launcher.ray_ready_next"),
        "io.net: 30 to 60 s with a cached image, 60 to 120 s without; RTX 4090 mean 32 s, p95 58 s; H100 SXM 52 s, "
        "95 s; an integrator saw 2 to 30 min and more",
        "io.net's FAQ (its own claim, 100,000 starts in March and April 2026); a third party's report",
        "theirs start containers on machines far away; ours processes on this one, no image to pull",
    ),
    Peer(
        ("launcher.meters_run",),
        "dstack: 10 to 15 s on an idle host with the image there; about 1 s in a prototype",
        "dstackai/dstack issue 3920",
        "theirs starts one container; ours three Ray nodes and checks their hardware",
    ),
    Peer((), "ray-on-golem: idle timeout 5 min, at most 10 workers", "its source code and docs", "a limit, not a time"),
    Peer(("codec.accounts_over_anchorpy", "codec.events_over_anchorpy"), "anchorpy 0.21.0: 1", "the same run"),
)

PEERS = COMPUTE + SIZES + OPERATION
