"""What the program, a file or a name refuses: the sentence with its number, or the name that was probably meant."""

from __future__ import annotations

import pytest
from client.cli.village import T4, Village
from ionet.wallet import write_keypair
from solders.keypair import Keypair

pytestmark = pytest.mark.matrix

INPUT = "invalid input: "
TERMS = ["--model", T4, "--processors", "1", "--price", "3", "--country", "DE"]

AGENT = "--url http://127.0.0.1:1 agent run --device-key {new} --base {folder}/n --listen 127.0.0.1:0 "
AGENT += "--isolation none --trust-renters "

# Who types it, the command, the whole message after `error: `, the exit code. {name} is filled in from `places`.
ROWS: list[tuple[str, str, str, int]] = [
    ("renter", "cluster open 0", "An amount of zero does nothing. (ZeroAmount, 6011)", 3),
    ("renter", "iosd mint 0", "An amount of zero does nothing. (ZeroAmount, 6011)", 3),
    ("renter", "iosd mint 0.000000001", INPUT + "IO has 8 decimals, 0.000000001 has more", 1),
    ("renter", "iosd mint abc", INPUT + "'abc' is no amount of IO; write it like 1.5", 1),
    ("renter", "keys send abc 1", INPUT + "'abc' is not a valid address", 1),
    ("renter", "keys airdrop 1e3", INPUT + "'1e3' is no amount of SOL; write it like 1.5", 1),
    ("renter", "keys send {free} 1 --token DOGE", INPUT + "currency 'DOGE'; known are IOSD, USDC, IO", 1),
    ("renter", "keys submit zzzz", "the wallet cannot be used: this is not a transaction in base64", 1),
    (
        "renter",
        "network pause add_leas",
        INPUT + "add_leas cannot be paused; pausable are register_node, open_cluster, add_lease, extend_lease, "
        "mint_iosd; did you mean add_lease?",
        1,
    ),
    (
        "renter",
        "case open {free} --reason data-thief --evidence {zeros}",
        INPUT + "reason 'data-thief'; known are false-hardware, false-proofs, data-theft, other; "
        "did you mean data-theft?",
        1,
    ),
    (
        "renter",
        "config use devnt",
        INPUT + "profile 'devnt'; known are local, devnet, mainnet; did you mean devnet?",
        1,
    ),
    (
        "renter",
        "--keypair {nofile} keys show",
        "the wallet cannot be used: there is no {nofile}: name another by --keypair, or `ionet keys new {nofile}`",
        1,
    ),
    ("renter", "--keypair {text} keys show", "the wallet cannot be used: {text} is not a keypair file: not JSON", 1),
    (
        "renter",
        "--keypair {short} keys show",
        "the wallet cannot be used: {short} is not a keypair file: 64 numbers from 0 to 255 are expected",
        1,
    ),
    ("renter", "--keypair {folder} keys show", "the wallet cannot be used: cannot read {folder}: Is a directory", 1),
    (
        "renter",
        "--idl {nofile} network show",
        "the IDL cannot be used: cannot read the IDL {nofile}: No such file or directory",
        1,
    ),
    ("renter", "cluster add {cluster} {busy} --duration 1h", "The node is on another lease. (NodeBusy, 6027)", 3),
    (
        "renter",
        "cluster add {cluster} {free} --duration 1h --max-price 1",
        "The node asks for more than the stated maximum price. (PriceTooHigh, 6030)",
        3,
    ),
    (
        "renter",
        "cluster add {cluster} {bare} --duration 1h",
        "The node's bonded stake is below its requirement. (StakeTooLow, 6028)",
        3,
    ),
    (
        "renter",
        "cluster add {cluster} {free} --duration 1m",
        "The duration is outside what the node offers. (DurationRefused, 6047)",
        3,
    ),
    (
        "renter",
        "cluster add {small} {free} --duration 1h",
        "The cluster's free budget does not cover this. (BudgetTooSmall, 6042): 0.5 IOSD are free, 3.0075 needed",
        3,
    ),
    (
        "renter",
        "lease extend {lease} 9h",
        "The cluster's free budget does not cover this. (BudgetTooSmall, 6042): 26.9925 IOSD are free, 27.0675 needed",
        3,
    ),
    (
        "renter",
        "cluster withdraw {small} 100",
        "The cluster's free budget does not cover this. (BudgetTooSmall, 6042): 0.5 IOSD are free, 100 needed",
        3,
    ),
    ("renter", "cluster add {cluster} {gone} --duration 1h", "The node is retired. (NodeRetired, 6025)", 3),
    ("renter", "cluster add {cluster} {paused} --duration 1h", "The node is paused. (NodePaused, 6024)", 3),
    (
        "renter",
        "cluster add {in_io} {free} --duration 1h",
        "The node does not accept the cluster's currency. (CurrencyRefused, 6031)",
        3,
    ),
    (
        "guest",
        "cluster add {cluster} {free} --duration 1h",
        "Only the cluster's renter may do this. (NotRenter, 6040)",
        3,
    ),
    ("guest", "cluster withdraw {cluster} 1", "Only the cluster's renter may do this. (NotRenter, 6040)", 3),
    ("renter", "cluster close {cluster} --yes", "The cluster still has open leases. (LeasesOpen, 6043)", 3),
    ("renter", "node pause {free}", "Only the node's owner may do this. (NotNodeOwner, 6022)", 3),
    ("supplier", "node resume {gone}", "The node is retired. (NodeRetired, 6025)", 3),
    (
        "guest",
        "stake add {free} 5",
        "The owner shares nothing with co-stakers, or slashes left too little in the pool to join it. "
        "(NotOpenToCoStake, 6084)",
        3,
    ),
    ("guest", "stake withdraw {free}", "wallet {guest} has no stake in node {free}", 3),
    ("guest", "stake unbond {free} 5", "wallet {guest} has no stake in node {free}", 3),
    ("guest", "stake claim {free}", "wallet {guest} has no stake in node {free}", 3),
    ("guest", "stake show {free}", "no such account on this chain: stake of {guest} in node {free}", 1),
    (
        "supplier",
        "node register --device {new} --model 36 --processors 9 --price 3 --country DE",
        "A node has between one and eight processors. (BadProcessors, 6016)",
        3,
    ),
    (
        "supplier",
        "node update {free} --country 999",
        INPUT + "country '999'; write two letters or the number of ISO 3166-1, such as DE or 276",
        1,
    ),
    ("supplier", "node update {free} --payout 123", INPUT + "'123' is not a valid address", 1),
    ("supplier", "node update {free} --currency EUR", INPUT + "currency 'EUR'; known are IOSD, USDC, IO", 1),
    ("supplier", "node update {free}", INPUT + "nothing to change: name at least one of the terms", 1),
    (
        "renter",
        "lease accept {lease}",
        "The lease is not in the state this instruction needs. (WrongLeaseState, 6049)",
        3,
    ),
    (
        "renter",
        "lease settle {cluster}",
        "the account is of another type: {cluster} is of the type Cluster, not Lease",
        1,
    ),
    ("renter", "node show {cluster}", "the account is of another type: {cluster} is of the type Cluster, not Node", 1),
    ("renter", "lease receipt {lease} --csv --json", INPUT + "--csv or --json, not both", 1),
    (
        "renter",
        "cluster status {cluster} --launcher localhost:8081",
        INPUT + "localhost:8081 is not an http or https URL",
        1,
    ),
    (
        "renter",
        "cluster session-key {cluster} --hours -1",
        INPUT + "'-1' is no duration; write seconds (3600) or 90m, 1h, 1d12h",
        1,
    ),
    ("renter", "run --max-launcher-fee abc -- x", INPUT + "'abc' is no amount of SOL; write it like 1.5", 1),
    (
        "renter",
        "run --alert-at 50,half -- x",
        INPUT + "'50,half' is no list of percentages of the budget, such as 50,80,100",
        1,
    ),
    (
        "renter",
        "run --alert-url ftp://a/b -- x",
        "the settings cannot be used: --alert-url: 'ftp://a/b' is not an http or https URL",
        1,
    ),
    (
        "supplier",
        "node up --country DE --link http://127.0.0.1:1 --payout {guest}",
        INPUT + "with --link the wallet that signs is paid: neither --payout nor --unsigned goes with it",
        1,
    ),
    ("renter", "trace zz", INPUT + "'zz' is not 32 bytes in hex", 1),
    ("renter", "trace --file nofile", INPUT + "cannot read nofile: No such file or directory", 1),
    (
        "renter",
        "trace {zeros} --api http://127.0.0.1:1",
        "the indexer's API did not answer as it should: http://127.0.0.1:1: ConnectError",
        4,
    ),
    (
        "renter",
        "cluster status {cluster} --launcher http://127.0.0.1:1",
        "the launcher does not answer as it should: http://127.0.0.1:1: All connection attempts failed",
        4,
    ),
    ("renter", "localnet run --program x --port 0", INPUT + "'x' is not of the form ADDRESS=FILE", 1),
    ("renter", "keeper run --policy maybe", INPUT + "--policy is maybe, not pays, all, own", 1),
    ("renter", "keeper run --policy pay", INPUT + "--policy is pay, not pays, all, own; did you mean pays?", 1),
    ("renter", "network burn IOS", INPUT + "token 'IOS'; known are IO, IOSD; did you mean IOSD?", 1),
    ("renter", "status nobody", INPUT + "no cluster is called 'nobody' here", 1),
    (
        "renter",
        "network init --genesis-owner {guest} --profile locl",
        INPUT + "profile 'locl'; known are mainnet, local; did you mean local?",
        1,
    ),
    (
        "renter",
        "network propose-role pausr {guest}",
        INPUT + "role 'pausr'; known are authority, pauser, arbiter, feed; did you mean pauser?",
        1,
    ),
    (
        "renter",
        "network add-model 99 x --multiplier 100 --pool enterprize",
        INPUT + "pool 'enterprize'; known are enterprise, community; did you mean enterprise?",
        1,
    ),
    (
        "renter",
        AGENT + "--ports 24000-24003 --ip 127.0.9.9",
        "the settings cannot be used: a Ray node needs at least 18 ports, got 4",
        1,
    ),
    (
        "renter",
        AGENT + "--ports 24000-24020 --ip 127.0.0.1",
        "the settings cannot be used: Ray replaces 127.0.0.1 by another address; use another of 127.0.0.0/8",
        1,
    ),
]
# What is typed wrong in the command itself, what its frame must say, exit code 2.
USAGE = [
    ("nod list", "No such command 'nod'. Did you mean 'node'?"),
    ("node lst", "No such command 'lst'. Did you mean 'list'?"),
    ("node list --hirable", "No such option: --hirable (Possible options: --hireable)"),
    ("node list --sort prize", "'prize' is not one of 'price',"),
    ("node show", "Missing argument"),
]


@pytest.fixture(scope="module")
def places(village: Village) -> dict[str, str]:
    """Nodes in every state, a cluster with a lease, one with little money, one in IO."""

    def node(name: str, stake: str = "250") -> str:
        write_keypair(village.file(name), Keypair())
        options = ["--device", str(village.file(name)), *TERMS]
        made = str(village.event("supplier", "node", "register", *options)["node"])
        if stake:
            village.json("supplier", "stake", "add", made, stake)
        return made

    nodes = {name: node(name) for name in ("free", "busy", "gone", "paused")} | {"bare": node("bare", "")}
    village.json("supplier", "node", "retire", nodes["gone"], "--yes")
    village.json("supplier", "node", "pause", nodes["paused"])
    village.json("renter", "iosd", "mint-exact", "40")
    opened = {
        name: str(village.event("renter", "cluster", "open", *words)["cluster"])
        for name, words in {"cluster": ["30"], "small": ["0.5"], "in_io": ["10", "--currency", "IO"]}.items()
    }
    booked = village.json("renter", "cluster", "add", opened["cluster"], nodes["busy"], "--duration", "1h")
    lease = booked["leases"][nodes["busy"]]
    village.json("supplier", "lease", "ready", lease, "--device", str(village.file("busy")))
    village.json("renter", "lease", "accept", lease)
    (village.folder / "text").write_text("hello")
    (village.folder / "short").write_text("[1, 2]")
    write_keypair(village.file("new"), Keypair())
    files = {name: str(village.folder / name) for name in ("nofile", "text", "short")}
    others = {"lease": lease, "guest": village.address("guest"), "zeros": "00" * 32}
    return {**nodes, **opened, **files, **others, "folder": str(village.folder), "new": str(village.file("new"))}


@pytest.mark.parametrize(("who", "command", "message", "code"), ROWS, ids=[f"{row[0]}: {row[1]}" for row in ROWS])
def test_a_refusal_is_one_sentence(
    village: Village, places: dict[str, str], who: str, command: str, message: str, code: int
) -> None:
    arguments = [word.format_map(places) for word in command.split()]
    done = village.shell.run(*arguments, keypair=village.file(who))
    # An agent logs before it stops; the last line is what counts.
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.splitlines()[-1] == f"error: {message.format_map(places)}"
    assert len(done.stderr.splitlines()) == 1 or command.startswith(AGENT)


@pytest.mark.parametrize(("command", "says"), USAGE)
def test_a_command_that_is_typed_wrong_says_what_is_near(
    village: Village, places: dict[str, str], command: str, says: str
) -> None:
    done = village.shell.run(*[word.format_map(places) for word in command.split()])
    assert (done.returncode, done.stdout) == (2, "")
    assert says in " ".join(done.stderr.replace("│", " ").split())


def test_a_price_that_the_program_refuses_is_shown_before_it_is_sent(village: Village, places: dict[str, str]) -> None:
    done = village.shell.run("node", "update", places["free"], "--price", "0", keypair=village.file("supplier"))
    assert (done.returncode, done.stderr) == (
        3,
        "price: $3/h → $0/h\nerror: The price must be positive and at most one million dollars per processor-hour. "
        "(BadPrice, 6017)\n",
    )


def test_two_agents_in_one_folder_are_one_too_many(village: Village, places: dict[str, str]) -> None:
    import fcntl

    base = village.folder / "held"
    base.mkdir()
    options = ["--device-key", places["new"], "--base", str(base), "--ports", "24000-24020", "--ip", "127.0.9.9"]
    with (base / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        code, message = village.refused(None, "agent", "run", *options, "--isolation", "none", "--trust-renters")
    assert (code, message) == (1, f"error: another process works here already: {base}\n")
