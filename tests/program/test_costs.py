from __future__ import annotations

import pytest
from ionet.generated import accounts, pdas
from ionet.generated.accounts import Lease, Node
from ionet.program import PROGRAM
from program.calls import ID, IOSD, NETWORK
from program.chain import elf
from program.costs import measure
from program.world import World

# Compute units: the design's figures, and where docs/build.md says why they are not reached, what is.
TARGETS = {
    "mint_iosd": 8_000,
    "open_cluster": 10_900,
    "add_lease": 6_200,
    "mark_ready": 2_500,
    "append_proof": 2_900,
    "settle_lease": 10_000,
    "stake": 6_400,
    "report_missed": 12_000,
}
CLOSE = ("end_lease", "close_lease", "close_cluster")
CLOSE_TARGET = 18_000


@pytest.fixture(scope="module")
def units() -> dict[str, int]:
    return measure()


@pytest.mark.parametrize(("name", "target"), TARGETS.items())
def test_compute_units_are_within_the_target(units: dict[str, int], name: str, target: int) -> None:
    assert 0 < units[name] <= target


def test_ending_and_closing_is_within_the_target(units: dict[str, int]) -> None:
    assert sum(units[name] for name in CLOSE) <= CLOSE_TARGET


def test_every_instruction_is_measured_and_runs_in_the_default_budget(units: dict[str, int]) -> None:
    assert units.keys() == {item.name for item in PROGRAM.codec.idl.instructions}
    assert max(units.values()) < 200_000


def test_a_second_measurement_gives_the_same(units: dict[str, int]) -> None:
    assert measure() == units


@pytest.mark.parametrize(("kind", "size"), [(Lease, 640), (Node, 900)])
def test_accounts_are_within_the_target(kind: type[object], size: int) -> None:
    found = PROGRAM.codec.account_size(kind)
    assert found is not None
    assert found <= size


def test_the_sizes_on_the_chain_are_those_of_the_idl(world: World) -> None:
    lease = world.running()
    keys = {
        NETWORK: accounts.Network,
        IOSD: accounts.Iosd,
        lease.key: Lease,
        lease.node.key: Node,
        lease.node.position: accounts.StakePosition,
        lease.cluster.key: accounts.Cluster,
        pdas.renter_account(ID, lease.cluster.renter.pubkey()): accounts.Renter,
    }
    assert {key: len(world.raw(key).data) for key in keys} == {
        key: PROGRAM.codec.account_size(kind) for key, kind in keys.items()
    }


def test_the_program_is_within_the_target() -> None:
    assert len(elf("ionet")) <= 450_000
