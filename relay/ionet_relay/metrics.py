"""Prometheus metrics of a relay."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

NODES = Gauge("ionet_relay_nodes", "Nodes whose agents are connected")
PAIRS = Gauge("ionet_relay_pairs", "Callers that are connected with an agent")
SESSIONS = Gauge("ionet_relay_udp_sessions", "Addresses that have proved a key for UDP")
ACTIVE = Gauge("ionet_relay_active_nodes", "Nodes that carried something within the last second")
BYTES = Counter("ionet_relay_bytes", "Bytes carried, by protocol", ["protocol"])
CALLS = Counter("ionet_relay_calls", "Callers by what became of them", ["outcome"])
LOGINS = Counter("ionet_relay_logins", "Agents that logged in, and those that were refused", ["outcome"])
UDP_DROPPED = Counter("ionet_relay_udp_dropped", "Datagrams that went nowhere, by reason", ["reason"])
UDP_PROOFS = Counter("ionet_relay_udp_proofs", "Proofs for UDP by what became of them", ["outcome"])
EVICTED = Counter("ionet_relay_evicted", "Connections closed because too many said nothing")
