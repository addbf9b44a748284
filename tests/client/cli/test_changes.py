"""No command replaces by a default what was not named, and what cannot be undone is asked first."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from client.cli.village import T4, Village
from ionet.cli import COMMANDS, _load
from solders.keypair import Keypair

# Options of commands that change the chain: what they are when they are not given.
# creates: the command makes something new, which needs all of its values; bound: refuses what is worse than today's
# quote, or says how far to go; who: the wallet's own, or the one that the chain already names.
CREATES, BOUND, WHO, KEEPS = "creates", "bound", "who", "keeps"
OPTIONAL = {
    "case decide": {"block": KEEPS},
    "cluster add": {"max_price": BOUND, "nodes": WHO, "nodes_from": WHO},
    "cluster open": {
        "currency": CREATES,
        "kind": CREATES,
        "session_key": CREATES,
        "session_hours": CREATES,
        "config": CREATES,
    },
    "cluster session-key": {"key": KEEPS, "hours": KEEPS, "revoke": KEEPS},
    "iosd buyback": {"minimum": BOUND, "price_update": BOUND},
    "iosd mint": {"minimum": BOUND, "price_update": BOUND},
    "iosd mint-exact": {"maximum": BOUND, "price_update": BOUND},
    "iosd post-price": {"confidence": CREATES},
    "iosd redeem": {"minimum": BOUND, "price_update": BOUND, "last_rate": BOUND},
    "iosd refresh": {"price_update": BOUND},
    "keys claim": {"to": WHO},
    "keys open-owed": {"owner": WHO},
    "keys send": {"token": WHO},
    "lease approve": {"through": BOUND},
    "lease ready": {"report": CREATES},
    "network add-model": {"kind": CREATES, "pool": CREATES, "throughput": CREATES, "reference_price": CREATES},
    "node register": {
        "min_duration": CREATES,
        "max_duration": CREATES,
        "region": CREATES,
        "currency": CREATES,
        "payout": CREATES,
        "fee_payer": CREATES,
        "min_coverage": CREATES,
    },
    # It registers a node that is not there yet; of one that is, no term is changed. The rest is the agent's.
    "node up": dict.fromkeys(
        [
            "country",
            "currency",
            "dial",
            "disk_mib",
            "folder",
            "indexer",
            "ip",
            "isolation",
            "link",
            "listen",
            "max_duration",
            "memory_mib",
            "min_duration",
            "model",
            "more",
            "network",
            "num_cpus",
            "object_store_mib",
            "payout",
            "ports",
            "pretend",
            "price",
            "processors",
            "relay",
            "runtime",
            "serve",
            "service",
            "stake",
            "test",
            "trust_renters",
        ],
        CREATES,
    ),
    "node update": {
        "price": KEEPS,
        "country": KEEPS,
        "min_duration": KEEPS,
        "max_duration": KEEPS,
        "region": KEEPS,
        "currency": KEEPS,
        "payout": KEEPS,
        "fee_payer": KEEPS,
        "min_coverage": KEEPS,
    },
    "stake claim": {"staker": WHO},
    "stake claim-income": {"staker": WHO},
    "stake terms": {"share": KEEPS, "income": KEEPS},
    "stake withdraw": {"staker": WHO},
}
NOT_CHAIN = {"as_json", "unsigned", "yes", "help", "tables", "at_once"}
# Commands without --unsigned. Those that change accounts, and why none of these replaces what was not named; those that
# change none.
MORE_WRITES = {
    "run": "opens a cluster, books, ends; a cluster that is there keeps its terms",
    "exec": "runs something in a cluster that is there",
    "ssh": "the same",
    "idle": "ends and closes, as was said when it was opened",
    "extend": "adds time to what there is, at the price it has",
    "down": "ends and closes",
    "cluster stop": "ends and closes",
    "table close": "closes",
    "keys airdrop": "gives SOL",
    "keys submit": "sends what is complete already",
    "lease defend": "shows evidence; a dispute's state is the chain's",
    "network init": "founds a network that is not there yet",
    "node run": "sends proofs, answers and settlements",
    "agent run": "the same",
    "keeper run": "settles, reports and closes",
    "launcher run": "accepts, rejects, approves, disputes and closes",
    "launcher own": "accepts, rejects and closes",
    "actions run": "sends what wallets signed",
    "mcp": "books and ends within limits",
    "up": "founds a network of its own",
    "demo": "the same",
}
READS = {
    *("logs", "cost", "receipt", "tunnel", "web run"),
    *("status", "doctor", "trace", "config show", "config use", "localnet run", "localnet status"),
    *("keys new", "keys show", "keys balance", "network show", "network models", "network pending"),
    *("node status", "node earnings", "stake nodes"),
    *("node list", "node show", "node required-stake", "node runtime", "agent runtime"),
    *("stake list", "stake show", "case list", "case show"),
    *("lease list", "lease show", "lease proofs", "lease receipt"),
    *("iosd show", "iosd price", "iosd quote", "iosd quote-redeem", "table list", "export skypilot", "export dstack"),
    *("cluster status", "cluster list", "cluster show", "cluster connect", "cluster run"),
    *("indexer run", "indexer api", "indexer migrate", "indexer rebuild", "indexer backfill", "indexer verify"),
    *("indexer check", "indexer status", "launcher api", "launcher status", "keeper due", "relay run"),
}


def leaves(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    if not hasattr(command, "commands"):
        yield name, command
        return
    for child, below in command.commands.items():
        yield from leaves(below, f"{name} {child}")


def test_every_optional_value_that_falls_on_chain_is_known_here() -> None:
    """A new option of a command that changes the chain must say what it is when it is not given."""
    found: dict[str, set[str]] = {}
    for group, (module, _) in COMMANDS.items():
        if not module:
            continue
        for name, command in leaves(_load(group), group):
            params = {param.name: param for param in command.params}
            if "unsigned" in params:
                optional = {key for key, param in params.items() if not param.required} - NOT_CHAIN
                found |= {name: optional} if optional else {}
    assert found == {name: set(values) for name, values in OPTIONAL.items()}


def test_every_command_that_changes_accounts_is_looked_at() -> None:
    """A new command shows what it sends (`--unsigned`), or says here why it replaces nothing that was not named."""
    every = {name: command for group in COMMANDS for name, command in leaves(_load(group), group)}
    others = {name for name, command in every.items() if "unsigned" not in {param.name for param in command.params}}
    assert not MORE_WRITES.keys() & READS
    assert others == MORE_WRITES.keys() | READS


TERMS = {
    "price": ("2", "2000000"),
    "country": ("FR", 250),
    "min_duration": ("4", 4),
    "max_duration": ("10m", 600),
    "region": ("7", 7),
    "currencies": ("USDC", 2),
    "min_coverage_bps": ("0.5%", 50),
}
OPTION = {"currencies": "--currency", "min_coverage_bps": "--min-coverage"}


@pytest.fixture(scope="module")
def owned(village: Village) -> str:
    """A node of which no term is the default."""
    device = village.folder / "changed.json"
    village.json(None, "keys", "new", str(device))
    options = ["--price", "3", "--country", "276", "--min-duration", "3", "--max-duration", "599", "--region", "3"]
    options += ["--currency", "IO", "--currency", "IOSD", "--min-coverage", "70%"]
    options += ["--payout", village.address("guest"), "--fee-payer", village.address("renter")]
    command = ["node", "register", "--device", str(device), "--model", "t4", "--processors", "1", *options]
    return str(village.event("supplier", *command)["node"])


def terms_of(village: Village, node: str) -> dict[str, Any]:
    shown = village.json(None, "node", "show", node)
    return {name: shown[name] for name in [*TERMS, "payout", "fee_payer"]}


@pytest.mark.parametrize("name", TERMS)
def test_node_update_changes_only_what_is_named(village: Village, owned: str, name: str) -> None:
    before = terms_of(village, owned)
    text, value = TERMS[name]
    village.json("supplier", "node", "update", owned, OPTION.get(name, "--" + name.replace("_", "-")), text)
    after = terms_of(village, owned)
    assert after == {**before, name: value}
    assert after != before


def test_node_update_shows_what_changes_and_asks_for_the_payout(village: Village, owned: str) -> None:
    supplier, other = village.file("supplier"), village.address("session")
    before = terms_of(village, owned)
    command = ["node", "update", owned, "--price", "1.25", "--payout", other]
    for answer in ("", "n\n", "perhaps\n"):
        result = village.shell.run(*command, keypair=supplier, answer=answer)
        assert (result.returncode, result.stdout) == (1, "")
        assert f"Pay this node's income to {other}? [y/N]" in result.stderr
        assert result.stderr.endswith("error: not confirmed, so nothing was sent: answer y, or give --yes\n")
    assert terms_of(village, owned) == before
    result = village.shell.run(*command, keypair=supplier, answer="y\n")
    assert result.returncode == 0
    assert f"payout: {before['payout']} → {other}" in result.stderr
    assert "→ $1.25/h" in result.stderr
    assert terms_of(village, owned) == {**before, "price": "1250000", "payout": other}
    village.json("supplier", "node", "update", owned, "--payout", village.address("guest"), "--yes")
    assert terms_of(village, owned)["payout"] == village.address("guest")
    code, message = village.refused("supplier", "node", "update", owned)
    assert (code, message) == (1, "error: invalid input: nothing to change: name at least one of the terms\n")


def test_stake_terms_keep_what_is_not_named(village: Village, owned: str) -> None:
    def shares() -> tuple[int, int]:
        shown = village.json(None, "node", "show", owned)
        prefix = "pending_" if int(shown["pending_co_share_at"]) else ""
        return shown[f"{prefix}co_share_bps"], shown[f"{prefix}income_share_bps"]

    village.json("supplier", "stake", "terms", owned, "30%", "--income", "2000")
    assert shares() == (3000, 2000)
    village.json("supplier", "stake", "terms", owned, "40%")
    assert shares() == (4000, 2000)
    village.json("supplier", "stake", "terms", owned, "--income", "10%")
    assert shares() == (4000, 1000)
    # Less takes a notice; what is pending is kept as well.
    village.json("supplier", "stake", "terms", owned, "50%")
    assert shares() == (5000, 1000)
    assert "nothing to change" in village.refused("supplier", "stake", "terms", owned)[1]


def test_a_session_key_keeps_its_time_and_the_time_its_key(village: Village) -> None:
    first, second = village.address("session"), str(Keypair().pubkey())
    options = ["--currency", "IO", "--session-key", first, "--session-hours", "5"]
    cluster = str(village.event("renter", "cluster", "open", "1", *options)["cluster"])

    def session() -> tuple[str, int]:
        shown = village.json(None, "cluster", "show", cluster)
        return shown["session_key"], int(shown["session_expires_at"])

    opened = session()[1]
    assert abs(opened - time.time() - 5 * 3600) < 600
    village.json("renter", "cluster", "session-key", cluster, second)
    assert session() == (second, opened)
    village.json("renter", "cluster", "session-key", cluster, "--hours", "9")
    assert session()[0] == second
    assert session()[1] > opened
    for nonsense in ([], [second, "--revoke"]):
        assert "only --revoke" in village.refused("renter", "cluster", "session-key", cluster, *nonsense)[1]
    assert session()[0] == second
    village.json("renter", "cluster", "session-key", cluster, "--revoke")
    assert session() == ("1" * 32, 0)
    assert "no session key" in village.refused("renter", "cluster", "session-key", cluster, "--hours", "1")[1]


def test_pausing_one_entry_leaves_the_others_as_they_are(village: Village) -> None:
    def bits() -> int:
        return int(village.json(None, "network", "show")["pause_bits"])

    village.json(None, "network", "pause", "mint_iosd")
    village.json(None, "network", "pause", "open_cluster", "add_lease")
    assert bits() == 16 + 2 + 4
    village.json(None, "network", "resume", "open_cluster")
    assert bits() == 16 + 4
    village.json(None, "network", "resume", "all")
    assert bits() == 0
    assert village.shell.run("network", "pause").returncode == 2


def test_a_second_proposal_keeps_what_the_first_one_named(village: Village) -> None:
    village.json(None, "network", "propose", "reject_floor_secs=9")
    village.json(None, "network", "propose", "min_charge_secs=4")
    assert {row["what"] for row in village.json(None, "network", "pending")} == {"reject_floor_secs", "min_charge_secs"}
    village.json(None, "network", "propose-model", T4, "reference_price=0.4")
    village.json(None, "network", "propose-model", T4, "throughput=7")
    model = next(row for row in village.json(None, "network", "models") if str(row["code"]) == T4)
    assert (model["pending_reference_price"], model["pending_throughput"]) == ("400000", "7")
    # In people's units and words, with what it changes.
    done = village.shell.run("network", "propose", "interval=5s", "tier_bps=2%,4%,10%,20%", "reporter_cap=1.5IO")
    assert done.stderr.splitlines() == [
        "interval_secs: 3 s → 5 s",
        "tier_bps: 2%, 4%, 30%, 50% → 2%, 4%, 10%, 20%",
        "reporter_cap: 500 IO → 1.5 IO",
    ], done
    rows = {row["what"]: row["proposed"] for row in village.json(None, "network", "pending")}
    assert (rows["interval_secs"], rows["tier_bps"], rows["reporter_cap"]) == (5, [200, 400, 1_000, 2_000], "150000000")
    done = village.shell.run("network", "propose-model", "t4", "reference_price=$0.5", "pool=enterprise")
    assert done.stderr.splitlines() == ["reference_price: 0 → $0.5", "pool: community → enterprise"]
    assert village.event(None, "network", "disable-model", "T4")["enabled"] is False
    assert village.event(None, "network", "enable-model", T4)["enabled"] is True
    added = ["add-model", "99", "H900", "--multiplier", "250", "--kind", "gpu", "--reference-price", "1.5"]
    assert village.event(None, "network", *added)["reference_price"] == "1500000"
    wrong = {"interval=soon": "no duration", "spread=101%": "basis points", "reporter_cap=1.5IOSD": "say 1.5IO"}
    wrong |= {"x": "not NAME=VALUE", "promise_limit=a": "whole number", "spread_bp=4": "did you mean spread_bps?"}
    for change, why in wrong.items():
        code, message = village.refused(None, "network", "propose", change)
        assert (code, why in message) == (1, True), message


def test_a_decision_leaves_a_block_as_it_is(village: Village, owned: str) -> None:
    def decide(*options: str) -> int:
        case = village.event(None, "case", "open", owned, "--reason", "other", "--evidence", "ab" * 32)["case"]
        village.json("supplier", "case", "appeal", case, "--answer", "cd" * 32)
        [decided, *_] = village.json(None, "case", "decide", case, "--bps", "0", *options, "--yes")["events"]
        village.pass_time(1_000)
        return int(decided["flags_after"]) & 4

    assert decide("--block") == 4
    assert decide() == 4
    assert decide("--no-block") == 0


Irreversible = Callable[[Village, str], list[str]]
IRREVERSIBLE: dict[str, Irreversible] = {
    "node retire": lambda _, node: ["node", "retire", node],
    "node lock-payout": lambda people, node: [
        "node",
        "lock-payout",
        node,
        people.address("guest"),
        "--until",
        "9" * 10,
    ],
    "lease end": lambda _, node: ["lease", "end", node],
    "lease quit": lambda _, node: ["lease", "quit", node],
    "cluster close": lambda _, node: ["cluster", "close", node],
    "case decide": lambda _, node: ["case", "decide", node, "--bps", "5%"],
    "lease reject": lambda _, node: ["lease", "reject", node],
    "lease dispute": lambda _, node: ["lease", "dispute", node, "0", "2"],
    "lease leave": lambda _, node: ["lease", "leave", node],
    "stake fund": lambda _, node: ["stake", "fund", node, "1"],
}
# Asked by themselves or by tests of their own: what moves income, and those with a cluster's name or a machine.
ALSO_ASKED = {"node update", "run", "down", "extend", "node up", "cluster stop"}
# Not asked: what can be done again the other way, or is exactly what was typed.
REPEATABLE = {
    *("node register", "node pause", "node resume", "node return", "node release-payout", "node rotate-key"),
    *("stake add", "stake unbond", "stake withdraw", "stake refill", "stake terms", "stake open-income"),
    *("stake claim", "stake claim-income", "cluster open", "cluster add", "cluster withdraw", "cluster session-key"),
    *("lease ready", "lease accept", "lease extend", "table close", "case open", "case appeal"),
    *("iosd mint", "iosd mint-exact", "iosd redeem", "iosd buyback", "iosd post-price"),
    *("keys send", "keys claim", "keys open-owed", "keys airdrop", "keys submit"),
    *("network init", "network add-model", "network enable-model", "network disable-model", "network pause"),
    *("network resume", "network propose", "network propose-model", "network propose-role", "exec", "ssh"),
    # Interval by interval what the lease's owner is accused of: a defence is what saves the bond.
    *("lease approve", "lease defend"),
}
# What anyone may do because it is due.
DUE = {
    *("network apply", "network apply-model", "network burn", "iosd refresh", "case dismiss", "stake push-unbond"),
    *("stake close-income", "stake close-vault", "lease settle", "lease cancel", "lease report-missed", "lease close"),
}
SERVICES = {"launcher own", "mcp", "up", "demo", "idle"}
SERVICES |= {f"{name} run" for name in ("node", "agent", "keeper", "launcher", "actions")}


def test_every_command_that_sends_asks_or_says_why_not() -> None:
    every = {name: command for group in COMMANDS for name, command in leaves(_load(group), group)}
    sends = every.keys() - READS
    assert sends == IRREVERSIBLE.keys() | ALSO_ASKED | REPEATABLE | DUE | SERVICES
    for name in IRREVERSIBLE.keys() | ALSO_ASKED:
        assert "yes" in {param.name for param in every[name].params}, name


@pytest.mark.parametrize("name", IRREVERSIBLE)
def test_what_cannot_be_undone_is_asked_first(village: Village, owned: str, name: str) -> None:
    """Without an answer nothing is sent; with --yes the chain is asked at once (and refuses what is nonsense here)."""
    command = IRREVERSIBLE[name](village, owned)
    asked = village.shell.run(*command, keypair=village.file("guest"))
    assert (asked.returncode, "[y/N]" in asked.stderr) == (1, True)
    assert "not confirmed" in asked.stderr
    agreed = village.shell.run(*command, "--yes", keypair=village.file("guest"))
    assert agreed.returncode in {1, 3}
    assert "[y/N]" not in agreed.stderr
    assert "not confirmed" not in agreed.stderr
