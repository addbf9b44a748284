"""What a person gets for what they typed wrong or do not have: one line that says what to do, and an exit code."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from client.cli.conftest import Shell
from client.cli.village import T4, Village
from ionet.client import Client
from ionet.generated import pdas
from ionet.program import PROGRAM
from ionet.wallet import KeypairSigner, read_keypair, write_keypair
from solders.keypair import Keypair

pytestmark = pytest.mark.matrix

INPUT = "error: invalid input: "
DEVICE_TERMS = ["--processors", "1", "--price", "3", "--country", "DE"]

# Who types it, the command, the whole message, the exit code. {name} is filled in from `places`.
ROWS: list[tuple[str, str, str, int]] = [
    ("poor", "iosd mint 1000000", "error: you have 70 IO, 1,000,000 needed\n", 3),
    ("poor", "iosd mint-exact 200 --maximum 400.5", "error: you have 70 IO, 400.5 needed\n", 3),
    ("poor", "cluster open 1000 --currency IO", "error: you have 70 IO, 1,000 needed\n", 3),
    ("poor", "keys send {renter} 5000", "error: you have 70 IO, 5,000 needed\n", 3),
    ("poor", "stake fund {node} 70.00000001 --yes", "error: you have 70 IO, 70.00000001 needed\n", 3),
    ("poor", "stake add {node} 70.5", "error: you have 70 IO, 70.5 needed\n", 3),
    ("rich", "iosd mint 1", "error: you have no IO\n", 3),
    ("rich", "iosd redeem 1 --minimum 0", "error: you have no IOSD\n", 3),
    ("renter", "iosd redeem 1000 --minimum 0", "error: you have 20 IOSD, 1,000 needed\n", 3),
    ("renter", "cluster open 20.5", "error: you have 20 IOSD, 20.5 needed\n", 3),
    ("rich", "stake add {node} 250", "error: you have no IO\n", 3),
    ("rich", "cluster open 5 --currency USDC", "error: you have no USDC\n", 3),
    ("rich", "keys send {renter} 1 --token USDC", "error: you have no USDC\n", 3),
    ("rich", "keys send {renter} 1 --token IOSD", "error: you have no IOSD\n", 3),
    ("broke", "cluster open 5", "error: wallet {broke} has no SOL: `ionet keys airdrop`\n", 3),
    ("broke", "node pause {node}", "error: wallet {broke} has no SOL: `ionet keys airdrop`\n", 3),
    (
        "supplier",
        f"node register --device {{device}} --model {T4} " + " ".join(DEVICE_TERMS),
        "error: registered already as {node}\n",
        3,
    ),
    (
        "supplier",
        "node register --device {other} --model 99 " + " ".join(DEVICE_TERMS),
        INPUT + "no model 99: `ionet network models` lists them\n",
        1,
    ),
    (
        "supplier",
        "node register --device {other} --model 4900 " + " ".join(DEVICE_TERMS),
        INPUT + "no model 4900: `ionet network models` lists them; like it: RTX 4090, RTX 4080, RTX 4070\n",
        1,
    ),
    (
        "renter",
        "cluster run {cluster} {script} --agent https://127.0.0.1:1",
        "error: the cluster has no running head\n",
        1,
    ),
    ("renter", "iosd mint -5", INPUT + "amounts are positive, -5 is not\n", 1),
    ("renter", "cluster open -1", INPUT + "amounts are positive, -1 is not\n", 1),
    ("renter", "lease extend {node} -5", INPUT + "amounts are positive, -5 is not\n", 1),
    ("renter", "node update {node} --price -0.5", INPUT + "amounts are positive, -0.5 is not\n", 1),
    ("supplier", "node update {node} --price 0.40000001", INPUT + "dollars have 6 decimals, 0.40000001 has more\n", 1),
    ("renter", "cluster open 0.40000001", INPUT + "IOSD has 6 decimals, 0.40000001 has more\n", 1),
    ("renter", "iosd mint 1e3", INPUT + "'1e3' is no amount of IO; write it like 1.5\n", 1),
    ("renter", "iosd mint 1,5", INPUT + "'1,5' is no amount of IO; write it like 1.5\n", 1),
    (
        "renter",
        "iosd mint 999999999999",
        INPUT + "999999999999 IO are more than there can be: 2^64 base units and above\n",
        1,
    ),
    (
        "renter",
        "--url ftp://x network show",
        INPUT + "'ftp://x' is no http or https address, such as http://127.0.0.1:8899\n",
        1,
    ),
    (
        "renter",
        "--url localhost:8899 network show",
        INPUT + "'localhost:8899' is no http or https address, such as http://127.0.0.1:8899\n",
        1,
    ),
    (
        "renter",
        "--url {page} network show",
        "error: the RPC node answered with an error: {page} answered HTTP 404: not found; there is no RPC node\n",
        4,
    ),
    (
        "renter",
        "--url http://127.0.0.1:1 network show",
        "error: the RPC node cannot be reached: http://127.0.0.1:1 (ConnectError)\n",
        4,
    ),
    (
        "renter",
        "--url http://127.0.0.1:1 localnet status",
        "error: the local chain cannot be reached: http://127.0.0.1:1\n",
        4,
    ),
    (
        "renter",
        "cluster add {cluster} {missing} --duration 1h",
        "error: no such account on this chain: node {missing}\n",
        1,
    ),
    (
        "renter",
        "cluster add {cluster} --nodes-from nofile --duration 1h",
        INPUT + "cannot read nofile: No such file or directory\n",
        1,
    ),
    (
        "renter",
        "cluster open 1 --currency USDT",
        INPUT + "currency 'USDT'; known are IOSD, USDC, IO; did you mean USDC?\n",
        1,
    ),
    (
        "renter",
        "cluster open 1 --kind kubernets",
        INPUT + "cluster kind 'kubernets'; known are ray, mega-ray, kubernetes, container; did you mean kubernetes?\n",
        1,
    ),
    (
        "renter",
        "network propose spread_bp=4",
        INPUT + "no parameter is called spread_bp; did you mean spread_bps?\n",
        1,
    ),
    (
        "supplier",
        "node update {node} --country ZZ",
        INPUT + "country 'ZZ'; write two letters or the number of ISO 3166-1, such as DE or 276\n",
        1,
    ),
    (
        "renter",
        "lease extend {node} soon",
        INPUT + "'soon' is no duration; write seconds (3600) or 90m, 1h, 1d12h\n",
        1,
    ),
    (
        "supplier",
        "stake terms {node} 101%",
        INPUT + "101% is not a number of basis points from 0 to 10,000, nor a percentage from 0% to 100%\n",
        1,
    ),
    ("renter", "lease show {missing}", "error: no such account on this chain: lease {missing}\n", 1),
]


@contextmanager
def web_page() -> Iterator[str]:
    """A server that knows no path."""

    class Nothing(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_error(404)

        def log_message(self, *_: object) -> None: ...

    server = http.server.HTTPServer(("127.0.0.1", 0), Nothing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def places(village: Village, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Somebody with SOL and 70 IO, somebody with SOL alone, somebody with nothing; a node; a cluster without a head."""
    script = tmp_path_factory.mktemp("job") / "job.py"
    script.write_text("print(1)")
    for name in ("poor", "rich", "broke", "other"):
        write_keypair(village.file(name), Keypair())
    for name in ("poor", "rich"):
        village.json(name, "keys", "airdrop", "1")
    village.json("treasury", "keys", "send", village.address("poor"), "70")
    terms = ["--device", str(village.file("device")), "--model", T4, *DEVICE_TERMS]
    node = str(village.event("supplier", "node", "register", *terms)["node"])
    village.json("supplier", "stake", "terms", node, "50%")
    village.json("supplier", "stake", "add", node, "250")
    village.json("renter", "iosd", "mint-exact", "20")
    cluster = str(village.event("renter", "cluster", "open", "5", "--currency", "IO")["cluster"])
    with web_page() as page:
        people = {name: village.address(name) for name in ("renter", "broke")}
        files = {name: str(village.file(name)) for name in ("device", "other")}
        missing = str(Keypair().pubkey())
        yield {
            **people,
            **files,
            "node": node,
            "cluster": cluster,
            "page": page,
            "missing": missing,
            "script": str(script),
        }


@pytest.mark.parametrize(("who", "command", "message", "code"), ROWS, ids=[row[1] for row in ROWS])
def test_a_wrong_input_says_what_is_wrong(
    village: Village, places: dict[str, str], who: str, command: str, message: str, code: int
) -> None:
    arguments = [word.format_map(places) for word in command.split()]
    assert village.refused(who, *arguments) == (code, message.format_map(places))


def test_little_sol_says_how_much(village: Village) -> None:
    """The fee can be paid, the rent of what is created cannot."""
    write_keypair(village.file("frugal"), Keypair())
    village.json("frugal", "keys", "airdrop", "0.001")
    code, message = village.refused("frugal", "keys", "open-owed", "IO")
    frugal = village.address("frugal")
    assert message == f"error: wallet {frugal} has only 0.001 SOL, more is needed: `ionet keys airdrop`\n"
    assert code == 3


def test_what_was_closed_says_when(village: Village, places: dict[str, str]) -> None:
    cluster = str(village.event("renter", "cluster", "open", "1", "--currency", "IO")["cluster"])
    closed_at = village.event("renter", "cluster", "close", cluster, "--yes")["at"]
    assert closed_at
    for command in (["show", cluster], ["run", cluster, places["script"], "--agent", "https://127.0.0.1:1"]):
        code, message = village.refused("renter", "cluster", *command)
        assert (code, f"error: cluster {cluster} was closed at 20" in message) == (1, True)
        assert message.endswith(" UTC\n")


async def refused_model(url: str, wallet: Path) -> str:
    from ionet.errors import NoSuchModel
    from ionet.generated.types import NodeTerms

    key = KeypairSigner(read_keypair(wallet))
    terms = NodeTerms(3, 0, 3, 600, key.pubkey, key.pubkey, 276, 1, 0)
    async with Client(url, key) as client:
        with pytest.raises(NoSuchModel) as refused:
            await client.node.register(KeypairSigner(Keypair()), model_code=99, processors=1, terms=terms)
    return str(refused.value)


async def test_the_sdk_says_the_same_of_an_unknown_model(village: Village) -> None:
    said = await refused_model(village.shell.url, village.file("supplier"))
    assert said == "no model 99: `ionet network models` lists them"


def test_every_group_answers_4_when_the_chain_is_down(village: Village) -> None:
    nowhere, anyone = Shell("http://127.0.0.1:1", village.file("renter")), str(pdas.network(PROGRAM.id))
    for command in (
        ["network", "show"],
        ["network", "models"],
        ["node", "list"],
        ["node", "show", anyone],
        ["stake", "list"],
        ["stake", "show", anyone],
        ["case", "list"],
        ["iosd", "show"],
        ["iosd", "mint", "1"],
        ["cluster", "list"],
        ["cluster", "open", "1"],
        ["cluster", "add", anyone, anyone, "--duration", "1h"],
        ["table", "list"],
        ["lease", "list"],
        ["lease", "settle", anyone],
        ["keys", "balance"],
        ["keys", "airdrop"],
        ["localnet", "status"],
        ["node", "pause", anyone],
    ):
        assert nowhere.refused(*command)[0] == 4, command
