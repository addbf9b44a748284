"""Turns a copy of the workspace into the program after this one, as tests of the upgrade need it.

next.py COPY      edit programs/ionet in COPY; fails where the sources have moved on from what is edited here

An account gets a field in its padding, an event a field at its end, and there is a new event with a number in the count
of an old entity: all that docs/upgrade.md allows without a new instruction. Nobody can release it by mistake: the
sources in the repository do not have it, not even behind a feature.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

SOURCES = Path("programs/ionet/src")
# File, the pattern that must be there exactly once, and what takes its place.
EDITS = (
    (
        "state/lease.rs",
        r"pub _padding: \[u8; 7\],",
        "pub _padding: [u8; 3],\n    /// Proofs since the upgrade.\n    pub later_proofs: u32,",
    ),
    (
        "events/lease.rs",
        r"(pub struct ProofAppended \{[^}]*)\}",
        "\\1    /// Proofs since the upgrade.\n    pub later_proofs: u32,\n}",
    ),
    (
        "events/lease.rs",
        r"\Z",
        "\n/// A proof was appended after the upgrade.\n#[event]\npub struct ProofCounted {\n    pub lease: Address,\n"
        "    pub seq: u64,\n    pub at: i64,\n    pub later_proofs: u32,\n}\n",
    ),
    (
        "instructions/lease/append_proof.rs",
        r"use crate::events::ProofAppended;",
        "use crate::events::{ProofAppended, ProofCounted};",
    ),
    (
        "instructions/lease/append_proof.rs",
        r"let (\w+) = ProofAppended \{([^}]*)\n    \};",
        "lease.later_proofs = lease.later_proofs.saturating_add(1);\n"
        "    let \\1 = ProofAppended {\\2\n        later_proofs: lease.later_proofs,\n    };",
    ),
    (
        "instructions/lease/append_proof.rs",
        r"(    emit_event!\(ctx, \w+\);\n)(    Ok\(\(\)\)\n\}\n)",
        "\\1    let lease = &mut ctx.accounts.lease;\n    let counted = ProofCounted {\n"
        "        lease: *lease.address(),\n        seq: lease.next_seq()?,\n        at: at.now,\n"
        "        later_proofs: lease.later_proofs,\n    };\n    emit_event!(ctx, counted);\n\\2",
    ),
)


def main(argv: list[str]) -> int:
    if len(argv) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    for name, pattern, text in EDITS:
        path = Path(argv[0]) / SOURCES / name
        changed, count = re.subn(pattern, text, path.read_text())
        if count != 1:
            print(f"next.py: {name} has {pattern!r} {count} times, not once; adapt scripts/toolchain/next.py")
            return 1
        path.write_text(changed)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
