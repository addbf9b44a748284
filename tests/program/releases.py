"""A release kept for later ones: its program, its IDL, and accounts of every type from a life stopped in its middle.

`python -m program.releases freeze N` writes `fixtures/ionet-N.*`; scripts/freeze-release calls it. docs/upgrade.md
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import msgspec
from ionet import addresses
from ionet.codec import ProgramCodec
from ionet.idl import Idl, load_file
from ionet.program import PROGRAM
from ionet_localnet.genesis import deployed_program
from program import calls, disputes, governance, staking
from program.calls import ID, USD
from program.chain import ARTIFACTS, TOKEN_PROGRAM, who
from program.refs import ClusterRef, LeaseRef, NodeRef
from program.world import H100, HOUR, IO_UNIT, USD_UNIT, World
from solders.account import Account
from solders.pubkey import Pubkey

FIXTURES = Path(__file__).parent / "fixtures"
MANIFEST = ARTIFACTS / "manifest.json"
INTERVAL = 600
DEPOSIT = 1_000 * USD_UNIT


class Kept(msgspec.Struct, frozen=True):
    """An account. kind, fields: what the program's own ones are, as the release's codec shows them."""

    address: str
    owner: str
    lamports: int
    data: str
    kind: str | None = None
    fields: dict[str, Any] | None = None

    @property
    def bytes(self) -> bytes:
        return base64.b64decode(self.data)


class Life(msgspec.Struct, frozen=True):
    """Every account of a chain at one moment but for wallets and programs."""

    now: int
    slot: int
    accounts: list[Kept]

    @property
    def own(self) -> list[Kept]:
        """Those of the program."""
        return [kept for kept in self.accounts if kept.kind is not None]


@dataclass(frozen=True)
class Release:
    """The four files of a release."""

    folder: Path
    name: str

    @classmethod
    def all(cls) -> list[Self]:
        """Every frozen one, the first first."""
        found = [path.stem for path in FIXTURES.glob("ionet-*.json") if re.fullmatch(r"ionet-\d+", path.stem)]
        return [cls(FIXTURES, name) for name in sorted(found, key=lambda name: int(name.partition("-")[2]))]

    def path(self, suffix: str) -> Path:
        """suffix: so, json, accounts.json or manifest.json."""
        return self.folder / f"{self.name}.{suffix}"

    @property
    def elf(self) -> bytes:
        return self.path("so").read_bytes()

    @property
    def idl(self) -> Idl:
        return load_file(self.path("json"))

    @property
    def life(self) -> Life:
        return msgspec.json.decode(self.path("accounts.json").read_bytes(), type=Life)

    @property
    def manifest(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.path("manifest.json").read_text())
        return found


# -- the life
#
# Frozen lives have these names too: more may be added, nothing changed.


def node(name: str) -> NodeRef:
    return NodeRef(who(f"supplier {name}"), who(f"device {name}"))


CLUSTER = ClusterRef(who("renter a"), 0, who("session a 0"))
# Over and in dispute; running, with one interval proven; ready, and nobody answers.
DISPUTED, RUNNING, READY = (LeaseRef(node(name), CLUSTER, 0) for name in "abc")
ACCUSED, LEAVING = node("d"), node("e")
CO_STAKER = who("co")


def live() -> World:
    """A life that has an account of every type, stopped where something is open in each.

    A later release may want more in it; what test_releases.py does with the earlier ones must stay true of those.
    """
    world = World.started()
    for name in "abcd":
        world.staked_node(name)
    shares = staking.set_co_stake_terms(DISPUTED.node, 5_000, 5_000)
    world.do(staking.open_income_vault(DISPUTED.node, world.stranger, USD), shares)
    staking.co_stake(world, DISPUTED.node, "co", IO_UNIT)
    staking.fund(world, DISPUTED.node, IO_UNIT)
    world.cluster("a", DEPOSIT)
    world.active(DISPUTED.node, CLUSTER, 6 * INTERVAL)
    disputes.Record(world, DISPUTED).serve(6)
    world.warp(disputes.GRACE)
    world.do(disputes.dispute_lease(DISPUTED, 1, 4))

    world.node("e")
    world.do(calls.stake(LEAVING, 20_000 * IO_UNIT))
    world.do(calls.request_unbond(LEAVING, 500 * IO_UNIT))
    governance.accused(world, ACCUSED)
    world.do(governance.propose_params(world.authority, governance.changed(world, accept_deadline_secs=900)))
    world.do(governance.propose_model(world.authority, H100, multiplier=1_000, reference_price=2_000_000))

    world.active(RUNNING.node, CLUSTER, 2 * HOUR)
    world.serve(RUNNING, 1)
    world.ready(READY.node, CLUSTER)
    return world


def snapshot(world: World, codec: ProgramCodec) -> Life:
    """Every account of the world that is not a wallet, a program or the runtime's own."""
    kept = []
    for owner in (ID, TOKEN_PROGRAM, addresses.PYTH_RECEIVER):
        for key, account in sorted(world.svm.get_program_accounts(owner), key=lambda pair: str(pair[0])):
            value = codec.decode_any_account(account.data) if owner == ID else None
            plain = Kept(str(key), str(owner), account.lamports, base64.b64encode(account.data).decode())
            kind, fields = type(value).__name__, None if value is None else codec.show(value)
            kept.append(plain if value is None else msgspec.structs.replace(plain, kind=kind, fields=fields))
    return Life(world.now, world.slot, kept)


def restored(life: Life, elf: bytes) -> World:
    """A chain that goes on from there under a program."""
    world = World()
    for key, account in deployed_program(PROGRAM.id, elf, world.authority.pubkey()):
        world.svm.set_account(key, account)
    for kept in life.accounts:
        owner = Pubkey.from_string(kept.owner)
        world.svm.set_account(Pubkey.from_string(kept.address), Account(kept.lamports, kept.bytes, owner, False, 0))
    world.warp(life.now - world.now, life.slot - world.slot)
    return world


# -- freezing


def freeze(name: str, folder: Path) -> Release:
    """Write the release's files from the committed program."""
    release = Release(folder, name)
    release.path("so").write_bytes((ARTIFACTS / "ionet.so").read_bytes())
    release.path("json").write_bytes((ARTIFACTS / "ionet.json").read_bytes())
    life = snapshot(live(), PROGRAM.codec)
    release.path("accounts.json").write_bytes(msgspec.json.format(msgspec.json.encode(life), indent=1) + b"\n")
    built = json.loads(MANIFEST.read_text())["ionet"]
    parts = ("so", "json", "accounts.json")
    files = {f"{name}.{part}": hashlib.sha256(release.path(part).read_bytes()).hexdigest() for part in parts}
    manifest = {"files": files, "sources": built["sources"], "tools": built["tools"]}
    release.path("manifest.json").write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n")
    return release


def main(argv: list[str]) -> int:
    match argv:
        case ["freeze", number] if number.isdecimal() and int(number) > 0:
            release = freeze(f"ionet-{int(number)}", FIXTURES)
            for suffix in ("so", "json", "accounts.json", "manifest.json"):
                print(release.path(suffix), release.path(suffix).stat().st_size, "bytes")
            return 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
