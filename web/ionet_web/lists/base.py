"""What a list is, and the columns that many of them have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ionet_web.blocks import Column
from ionet_web.shown import Kind

AT = Column("at", Kind.TIME, "Time")
TRANSACTION = Column("signature", Kind.TRANSACTION, "Transaction")
NODE = Column("node", Kind.NODE, "Node")
LEASE = Column("lease", Kind.LEASE, "Lease")
CLUSTER = Column("cluster", Kind.CLUSTER, "Cluster")
STATUS = Column("status", Kind.STATE, "Status")


class Listed(NamedTuple):
    """A list: its name in the API and in the page's path, its title, what it holds, its columns and filters."""

    name: str
    title: str
    lead: str
    columns: Sequence[Column]
    filters: Sequence[str] = ()
    table: str | None = ""
    """What the API calls it as a file, where that is not its name; None: it is in no file."""

    @property
    def exports(self) -> dict[str, str]:
        """Where the whole table is as a file, below the API; by what the link says."""
        if self.table is None:
            return {}
        table = self.table or self.name.replace("-", "_")
        return {f"All as {name}": f"/v1/export/{table}.{name.lower()}" for name in ("CSV", "Parquet")}
