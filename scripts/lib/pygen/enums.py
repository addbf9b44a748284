"""Enums and numbers from the IDL's constants.

A constant called `LEASE_STATUS_READY` is the member `READY` of `LeaseStatus`: the prefix says the enum. Constants
without such a prefix keep their name.
"""

from __future__ import annotations

from ionet.idl.model import Const, Idl, IdlError
from lib.pygen.text import head, identifier

# Prefix of the constants, name of the enum, whether its values are bits that can be combined, and what it says.
ENUMS = (
    ("LEASE_STATUS", "LeaseStatus", False, "The phase of a lease."),
    ("END_REASON", "EndReason", False, "Why a lease ended or was cancelled."),
    ("LEASE_ROLE", "LeaseRole", False, "What a lease's node does in its cluster."),
    ("CURRENCY", "Currency", True, "What a cluster pays in; a node accepts a set of them."),
    ("CLUSTER_KIND", "ClusterKind", False, "What runs on a cluster's nodes."),
    ("NODE_FLAG", "NodeFlag", True, "What keeps a node from being booked."),
    ("SLASH_REASON", "SlashReason", False, "Why stake was slashed."),
    ("CASE_REASON", "CaseReason", False, "What an arbiter accuses a node of."),
    ("PAUSE", "Pause", True, "Entries that can be paused; everything else is an exit."),
    ("NETWORK_ROLE", "NetworkRole", False, "What `propose_role` can change."),
    ("PROFILE", "Profile", False, "Which parameters a network starts with."),
    ("DEVICE_KIND", "DeviceKind", False, "Kinds of processors."),
    ("DEVICE_POOL", "DevicePool", False, "Pools of device models."),
)


def enums_module(idl: Idl) -> str:
    """Raises IdlError when an enum has no member."""
    left = {item.name: item for item in idl.constants}
    text = ""
    for prefix, name, flags, docs in ENUMS:
        members = [left.pop(key) for key in sorted(left) if key.startswith(prefix + "_")]
        if not members:
            raise IdlError(f"the IDL has no constant {prefix}_…")
        text += _enum(prefix, name, flags, docs, members)
    plain = "".join(f"{identifier(item.name)} = {int(item.value):_}\n" for item in left.values())
    imports = "from enum import IntEnum, IntFlag\n"
    return head("What the program's numbers mean, and its fixed units and limits.", imports) + text + plain


def _enum(prefix: str, name: str, flags: bool, docs: str, members: list[Const]) -> str:
    ordered = sorted(members, key=lambda item: int(item.value))
    # A union of bits is not a member of its own: `PAUSE_ALL`.
    single = [item for item in ordered if not flags or int(item.value).bit_count() == 1]
    union = [item for item in ordered if item not in single]
    lines = [f"    {identifier(item.name.removeprefix(prefix + '_'))} = {item.value}\n" for item in [*single, *union]]
    return f'class {name}({"IntFlag" if flags else "IntEnum"}):\n    """{docs}"""\n\n{"".join(lines)}\n\n'
