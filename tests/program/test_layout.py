"""What is laid out for prices that move and for rewards has its place and its type, and is unused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ionet.generated import pdas
from ionet.generated.accounts import DeviceModel, Lease, Network, Node
from ionet.generated.classes import CLASSES
from ionet.idl import bundled
from ionet.idl.model import StructBody, named_fields
from ionet.program import PROGRAM
from program.calls import ID, NETWORK, NOBODY
from program.world import H100, World

UPGRADE = Path(__file__).parents[2] / "docs/upgrade.md"
LAID_OUT = [
    ("Node", "floor", "u64"),
    ("Node", "ceiling", "u64"),
    ("Node", "price_before", "u64"),
    ("Node", "priced_at", "i64"),
    ("Node", "offer_since", "i64"),
    ("Node", "interruptible_bps", "u16"),
    ("Lease", "interruptible_bps", "u16"),
    ("Lease", "notice_interval", "u32"),
    ("Network", "rewards", "pubkey"),
    ("DeviceModel", "reference_price", "u64"),
]


@pytest.mark.parametrize(("account", "name", "kind"), LAID_OUT)
def test_a_field_has_its_place(account: str, name: str, kind: str) -> None:
    body = bundled().type_def(account).type
    assert isinstance(body, StructBody)
    assert {field.name: field.type for field in named_fields(body.fields)}[name] == kind


def test_nothing_uses_them_yet(world: World) -> None:
    lease = world.running()
    node, found = world.of_node(lease.node), world.of(lease)
    assert (node.floor, node.ceiling, node.price_before, node.priced_at, node.offer_since) == (0,) * 5
    assert (node.interruptible_bps, found.interruptible_bps, found.notice_interval) == (0, 0, 0)
    assert world.get(Network, NETWORK).rewards == NOBODY
    assert world.get(DeviceModel, pdas.model(ID, H100)).reference_price == 0


def test_the_room_of_every_account_is_the_documented_one() -> None:
    """Padding at the end of each account, and what is left in the structs inside two of them."""
    padding = {item.name: room(item.name) for item in bundled().accounts}
    sizes = {item.name: PROGRAM.codec.account_size(CLASSES[item.name]) for item in bundled().accounts}
    rows = re.findall(r"^\| (\w+) \| (\d+) \| (\d+)(?:, and (\d+) in each.*)? \|$", UPGRADE.read_text(), re.MULTILINE)
    assert {name: (int(size), int(bytes_)) for name, size, bytes_, _ in rows} == {
        name: (sizes[name], padding[name]) for name in sizes
    }
    assert {name: int(inside) for name, *_, inside in rows if inside} == {
        "Network": room("Params"),
        "StakePosition": room("Ticket"),
    }


def room(name: str) -> int:
    """Bytes of a struct's last field, which nothing uses."""
    body = bundled().type_def(name).type
    assert isinstance(body, StructBody)
    last = named_fields(body.fields)[-1]
    assert last.name == "_padding"
    assert isinstance(last.type, dict)
    kind, size = last.type["array"]
    assert kind == "u8"
    return int(size)


@pytest.mark.parametrize(("kind", "size"), [(Lease, 640), (Node, 900)])
def test_sizes_are_within_the_design(kind: type[object], size: int) -> None:
    found = PROGRAM.codec.account_size(kind)
    assert found is not None
    assert found <= size
