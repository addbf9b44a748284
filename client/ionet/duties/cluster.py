"""Clusters: closed once they have been idle for a week."""

from __future__ import annotations

from ionet.duties.duty import Duty, Seen
from ionet.generated.accounts import Cluster
from ionet.rules.restarts import Moment


def close_due(seen: Seen, _at: Moment) -> int | None:
    cluster: Cluster = seen.account
    if cluster.leases_open or cluster.locked:
        return None
    return cluster.last_activity_at + seen.params.idle_close_secs


CLUSTER_DUTIES = (
    Duty("close_cluster", "cluster", close_due, lambda client, seen, _: client.cluster.close(seen.address)),
)
